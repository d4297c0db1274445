"""`tfgen evaluate`: figures by hand, what suits which model, and the report."""

import dataclasses
import html.parser
import json
import math
import re
import shutil
import types

import numpy as np
import pytest

import tfgen as package
from tests.cli.conftest import SMALL, tfgen, write_images
from tests.cli.sprites import make_sprites_run
from tfgen import data, metrics
from tfgen.errors import UserError
from tfgen.evaluation import (
    FEATURES,
    MEASURES,
    Subject,
    factors,
    latent_space,
    likelihood,
    samples,
)
from tfgen.training.run import Config, load_arrays, load_known_factors


def read(run):
    return json.loads((run / "metrics.json").read_text())


def subject_of(run, **options):
    return Subject(Config.read(run), package.load(run), **options)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, autoencoder_run):
    """A VAE that has learnt something, twice, and an autoencoder; 40 test images."""
    folder = tmp_path_factory.mktemp("evaluated")
    images = write_images(folder / "images", count=400)
    flags = ("--data", images, "--out", folder / "vae", *SMALL, "--epochs", 6)
    assert tfgen("train", "vae_mnist_5k", *flags, "--learning-rate", 0.01) == 0
    found = {name: folder / name for name in ("vae", "other", "ae")}
    shutil.copytree(found["vae"], found["other"])
    shutil.copytree(autoencoder_run, found["ae"])
    config = json.loads((found["ae"] / "config.json").read_text())
    text = json.dumps({**config, "data": str(images)})
    (found["ae"] / "config.json").write_text(text)
    return found


@pytest.fixture(scope="module")
def evaluated(runs):
    """The VAE with all figures and its report, beside another run of it."""
    flags = ("--num-samples", 20, "--no-report", "--metrics", "losses,likelihood")
    assert tfgen("evaluate", runs["other"], *flags) == 0
    flags = ("--num-samples", 20, "--beside", runs["other"])
    assert tfgen("evaluate", runs["vae"], *flags) == 0
    return runs["vae"]


# ---- figures -------------------------------------------------------------------------


def test_likelihoods(evaluated):
    found = read(evaluated)
    images = load_arrays(Config.read(evaluated), "test")
    assert found["num_images"] == len(images) > 20
    assert found["pixel_likelihood"] == "bernoulli"
    # The analytic KL of the losses, and that of the draws.
    total = found["reconstruction_loss"] + found["kl_loss"]
    assert found["elbo"] == pytest.approx(-total, rel=0.01)
    assert found["log_likelihood"] > found["elbo"]
    bits = -found["log_likelihood"] / (28 * 28 * np.log(2))
    assert found["bits_per_dim"] == pytest.approx(bits, rel=1e-6)
    weights = metrics.estimate_log_likelihood(
        package.load(evaluated).log_weights, images, 20, batch_size=16
    )
    assert found["elbo"] == pytest.approx(weights.elbo.mean(), rel=1e-6)
    error = weights.elbo.std(ddof=1) / math.sqrt(len(images))
    assert found["elbo_error"] == pytest.approx(error, rel=1e-4)


def test_samples_are_scored_beside_real_images(evaluated):
    found, subject = read(evaluated), subject_of(evaluated)
    images = load_arrays(subject.config, "test")
    model = package.load(evaluated)
    count = len(images) // 2
    drawn = model.signatures()["sample"](np.arange(count, dtype="int64"))["images"]
    with pytest.warns(UserWarning, match="full rank"):
        score = metrics.compare_samples(images, drawn, subject.feature_network)
    assert found["feature_network"] == score.feature_network
    assert found["num_generated"] == score.num_samples == count
    for name, value in score.scores.items():
        assert found[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    for name, value in score.floors.items():
        if not name.endswith("_error"):
            assert found[f"{name}_floor"] == pytest.approx(value, rel=1e-3), name
    assert "fid" not in found
    # 64 features of fewer images, and the reader is told.
    assert any("full rank" in note for note in found["notes"])


def test_latent_variables_and_space(evaluated):
    found, subject = read(evaluated), subject_of(evaluated)
    images = load_arrays(subject.config, "test")
    posterior = package.load(evaluated).posterior(images)
    means, scales = np.asarray(posterior.mean()), np.asarray(posterior.stddev())
    parts = metrics.decompose_kl(means, scales)
    assert found["aggregate_kl"] == pytest.approx(parts.aggregate_kl, rel=1e-3)
    assert found["active_units"] == metrics.active_units(means)
    assert parts.kl == pytest.approx(found["kl_loss"], rel=1e-4)
    assert found["continuity_jump"] >= found["continuity_step"] > 0.0
    # The same draws and the same halves of the test images as of the samples.
    for name in ("density", "coverage"):
        for suffix in ("", "_floor"):
            other = found[f"completeness_{name}{suffix}"]
            assert other == pytest.approx(found[f"{name}{suffix}"]), name + suffix
    assert 0.5 < found["completeness_on_manifold_floor"] <= 1.0


def test_a_model_that_draws_training_images_is_found_out(runs):
    class Memory(Subject):
        def draw(self, start, count):
            return self.train_images[start : start + count]

    config = Config.read(runs["vae"])
    found = {
        kind: {figure.name: figure for figure in samples.measure_samples(subject)}
        for kind, subject in (
            ("memory", Memory(config, package.load(runs["vae"]), features="random")),
            ("model", subject_of(runs["vae"], features="random")),
        )
    }
    ratios = {
        k: figures["nearest_training_ratio"].value for k, figures in found.items()
    }
    assert ratios["memory"] < 1e-3
    assert ratios["model"] > 0.5


def test_an_autoencoder_is_drawn_from_a_normal_of_its_latents(runs):
    names = "losses,latent_space"
    flags = ("--metrics", names, "--features", "random", "--no-report")
    assert tfgen("evaluate", runs["ae"], *flags) == 0
    found = read(runs["ae"])
    assert {"loss", "continuity_step", "completeness_coverage"} <= set(found)
    assert "precision" not in found
    subject = subject_of(runs["ae"])
    seen, run = [], subject.endpoints.run
    subject.endpoints.run = lambda name, *rest: seen.append(rest[0]) or run(name, *rest)
    assert subject.draw(0, 2000).shape == (2000, 28, 28, 1)
    latents = np.asarray(
        package.load(runs["ae"]).encode(load_arrays(subject.config, "test"))
    )
    drawn = seen[-1]
    np.testing.assert_allclose(drawn.std(axis=0), latents.std(axis=0), rtol=0.06)
    errors = np.abs(drawn.mean(axis=0) - latents.mean(axis=0))
    assert (errors < 0.1 * latents.std(axis=0)).all()
    assert not (runs["ae"] / "report.html").exists()


def test_a_conditional_model_is_measured_with_its_labels(conditional_run):
    subject = subject_of(conditional_run, num_samples=5)
    figures = {f.name: f.value for f in likelihood.measure_likelihood(subject)}
    images, labels = load_arrays(subject.config, "test", labels=True)
    expected = metrics.estimate_log_likelihood(
        package.load(conditional_run).log_weights,
        *(images, 5, 16),
        labels=labels,
    )
    assert figures["elbo"] == pytest.approx(expected.elbo.mean(), rel=1e-6)
    # Steps within the class of the start: of another class they would be others.
    continuity = latent_space._measure_continuity(subject)
    assert continuity[0].value > 0.0


def test_a_gan_has_losses_and_samples(gan_run, runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(gan_run, run)
    config = json.loads((run / "config.json").read_text())
    config["data"] = Config.read(runs["vae"]).data
    (run / "config.json").write_text(json.dumps(config))
    flags = ("--metrics", "losses,samples", "--features", "random", "--no-report")
    assert tfgen("evaluate", run, *flags) == 0
    found = read(run)
    assert {"generator_loss", "discriminator_accuracy", "recall"} <= set(found)
    assert found["feature_network"] == "random_features"


@pytest.fixture(scope="module")
def sprites_run(tmp_path_factory):
    return make_sprites_run(tmp_path_factory)


def test_factors_beside_chance(sprites_run):
    """Codes that are the factors: every score is near 1, and chance's is not."""
    subject = subject_of(sprites_run)
    known = load_known_factors(subject.config, "test")
    codes = known.values.astype("float32")
    vars(subject)["encoded"] = types.SimpleNamespace(latents=codes)
    figures = {f.name: f for f in factors.measure_factors(subject)}
    for name in ("mig", "modularity", "factor_vae_score", "beta_vae_score"):
        assert figures[name].value > 0.7, name
    # Shapes have no order: who knows nothing is right about one of three.
    assert figures["sap"].value == pytest.approx((4 + 2 / 3) / 5, abs=0.02)
    for figure in figures.values():
        if figure.name != "modularity":  # of chance, whatever it is
            assert figure.floor < figure.value - 0.25, figure.name


def test_anomalies_are_told_from_test_images(runs, tmp_path):
    strange = tmp_path / "strange"
    write_images(strange, count=20)
    for path in strange.rglob("*.png"):
        noise = np.random.default_rng(0).integers(0, 256, (28, 28), "uint8")
        from PIL import Image

        Image.fromarray(noise).save(path)
    flags = ("--metrics", "anomalies", "--num-samples", 5)
    assert tfgen("evaluate", runs["other"], *flags, "--anomalies", strange) == 0
    found = read(runs["other"])
    assert found["anomaly_auc_negative_elbo_floor"] == 0.5
    page = Page((runs["other"] / "report.html").read_text())
    assert "Anomalies" in {marks.get("alt") for _, marks in page.tags}
    model, config = package.load(runs["other"]), Config.read(runs["other"])
    usual = load_arrays(config, "test")
    others = data.load_array(strange, "test", len(usual), image_size=28, channels=1)
    is_anomaly = np.repeat([False, True], [len(usual), len(others)])
    images = np.concatenate([usual, others])
    errors = np.square(np.asarray(model(images)) - images).mean(axis=(1, 2, 3))
    score = metrics.anomaly_roc(errors, is_anomaly).auc
    assert found["anomaly_auc_reconstruction_error"] == pytest.approx(score)
    assert 0.0 <= found["anomaly_auc_likelihood_ratio"] <= 1.0
    elbos = [
        metrics.estimate_log_likelihood(model.log_weights, part, 5).elbo
        for part in (usual, others)
    ]
    score = metrics.anomaly_roc(-np.concatenate(elbos), is_anomaly).auc
    assert found["anomaly_auc_negative_elbo"] == pytest.approx(score, abs=0.01)
    # Images as usual as those of the test split are told from them by chance.
    same = ("--anomalies", config.data)
    assert tfgen("evaluate", runs["ae"], *flags, *same) == 0
    assert read(runs["ae"])["anomaly_auc_reconstruction_error"] == 0.5


@pytest.fixture(scope="module")
def held_out(runs):
    """A VAE that has seen the classes 0 and 2 of three, evaluated."""
    run = runs["vae"].parent / "held_out"
    images = Config.read(runs["vae"]).data
    flags = ("--data", images, "--out", run, *SMALL, "--held-out-classes", "class_1")
    assert tfgen("train", "vae_mnist_5k", *flags) == 0
    flags = ("--metrics", "losses,likelihood,anomalies", "--num-samples", 5)
    assert tfgen("evaluate", run, *flags) == 0
    return run


def test_held_out_classes_are_the_anomalies(held_out):
    found, config = read(held_out), Config.read(held_out)
    parts = [
        data.load_array(config.data, "test", channels=1, classes=classes)
        for classes in ((0, 2), ("class_1",))
    ]
    assert found["num_images"] == len(parts[0])
    is_anomaly = np.repeat([False, True], [len(part) for part in parts])
    images, model = np.concatenate(parts), package.load(held_out)
    errors = np.square(np.asarray(model(images)) - images).mean(axis=(1, 2, 3))
    score = metrics.anomaly_roc(errors, is_anomaly).auc
    assert found["anomaly_auc_reconstruction_error"] == pytest.approx(score)
    assert {"anomaly_auc_negative_elbo", "anomaly_auc_likelihood_ratio"} <= set(found)
    page = Page((held_out / "report.html").read_text())
    assert "Anomalies" in {marks.get("alt") for _, marks in page.tags}
    text = " ".join(page.texts)
    assert "held-out classes: class_1" in text
    assert "Images of held-out classes (class_1) told from" in text
    assert "--held-out-classes class_1" in found["commands"][0]


def test_other_images_come_before_held_out_classes(held_out, runs):
    same = Config.read(held_out).data
    flags = ("--metrics", "anomalies", "--num-samples", 2, "--no-report")
    assert tfgen("evaluate", held_out, *flags, "--anomalies", same) == 0
    subject = subject_of(held_out, anomalies=same)
    assert subject.unusual == same


def test_a_class_without_test_images_is_noted(held_out, tmp_path):
    run, images = tmp_path / "run", tmp_path / "images"
    config = json.loads((held_out / "config.json").read_text())
    for split in ("train", "test"):
        shutil.copytree(config["data"], images / split)
    shutil.rmtree(images / "test" / "class_1")
    shutil.copytree(held_out, run)
    (run / "config.json").write_text(json.dumps({**config, "data": str(images)}))
    subject = subject_of(run)
    assert MEASURES["anomalies"](subject) is None
    assert "no image of these classes" in subject.notes[0]


def test_a_conditional_model_draws_the_classes_that_it_knows(gan_run, capsys):
    subject = subject_of(gan_run)
    config = dataclasses.replace(subject.config, held_out_classes="class_1")
    subject = Subject(config, subject.model)
    seen, iterate = [], subject.endpoints.iterate
    subject.endpoints.iterate = lambda *args: seen.append(args[2]) or iterate(*args)
    subject.draw(2, 3)
    assert seen[0].tolist() == [0, 2, 0]
    # It gives an image no score.
    assert MEASURES["anomalies"](subject) is None


def test_damaged_anomalies_are_skipped_as_in_training(runs, tmp_path):
    write_images(tmp_path, count=20)
    (tmp_path / "class_0" / "broken.png").write_bytes(b"no image")
    config = Config.read(runs["ae"])
    subject = Subject(config, package.load(runs["ae"]), anomalies=str(tmp_path))
    with pytest.raises(UserError, match="--skip-bad-images"):
        MEASURES["anomalies"](subject)
    config.skip_bad_images = True
    with pytest.warns(UserWarning, match="left out"):
        assert MEASURES["anomalies"](subject)


def test_figures_repeat_for_a_seed_and_images_stream(runs, monkeypatch):
    flags = ("--metrics", "likelihood,latents,losses", "--num-samples", 3)
    assert tfgen("evaluate", runs["other"], *flags, "--no-report") == 0
    found = read(runs["other"])
    # A set that does not fit into memory is read batch by batch.
    monkeypatch.setattr("tfgen.data.loading.IN_MEMORY_BYTES", 0)
    monkeypatch.setattr("tfgen.evaluation.subject.load_arrays", None)
    assert tfgen("evaluate", runs["other"], *flags, "--no-report") == 0
    assert read(runs["other"]) == found
    assert tfgen("evaluate", runs["other"], *flags, "--num-images", 5) == 0
    assert read(runs["other"])["num_images"] == 5


def test_distances_of_inception_are_called_fid(runs, monkeypatch):
    def network(config):
        found = FEATURES["random"](config)
        found.name = "inception_v3"
        return found

    monkeypatch.setitem(FEATURES, "inception_v3", network)
    subject = subject_of(runs["vae"], features="inception_v3")
    names = {figure.name for figure in samples.measure_samples(subject)}
    assert {"fid", "kid"} <= names
    assert not {"frechet_distance", "kernel_distance"} & names


def test_a_terminal_is_shown_progress(runs, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    flags = ("--metrics", "losses,latents", "--no-report")
    assert tfgen("evaluate", runs["other"], *flags) == 0
    assert "encoding test images" in capsys.readouterr().err


# ---- mistakes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--metrics", "likelihod"), "likelihod: choose of losses, likelihood"),
        (("--metrics", "translation"), "translation: it does not suit VAE"),
        (("--metrics", "samples"), "8 test images are too few to compare"),
        (("--metrics", "factors"), "factors: it does not suit VAE"),
        (("--beside", "nowhere"), "nowhere is not evaluated yet"),
    ],
)
def test_mistakes_are_named(vae_run, flags, words, capsys):
    before = sorted(vae_run.iterdir())
    assert tfgen("evaluate", vae_run, *flags) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
    assert sorted(vae_run.iterdir()) == before


def test_anomalies_need_a_score(gan_run, folder, capsys):
    assert tfgen("evaluate", gan_run, "--anomalies", folder) == 2
    assert "must be a VAE or an autoencoder" in capsys.readouterr().err


# ---- the report ----------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, text):
        self.texts.append(text)


def test_report_is_one_file_that_tells_all(evaluated):
    page = Page((evaluated / "report.html").read_text())
    text = " ".join(page.texts)
    for name in read(evaluated):
        if not name.endswith(("_floor", "_error")) and name not in (
            "notes",
            "commands",
        ):
            assert name in text, name
    pictures = [marks for tag, marks in page.tags if tag == "img"]
    titles = {marks["alt"] for marks in pictures}
    assert {"Samples", "Reconstructions", "Latent variables"} <= titles
    assert {"Interpolations", "Nearest training images", "Training"} <= titles
    assert all(marks["src"].startswith("data:image/png;base64,") for marks in pictures)
    assert not {"script", "link"} & {tag for tag, _ in page.tags}
    assert ("viewport") in {m.get("name") for tag, m in page.tags if tag == "meta"}
    assert str(evaluated.parent / "other") in text  # the column beside


@pytest.mark.large
def test_commands_of_the_report_make_it_again(evaluated, tmp_path):
    train, evaluate = read(evaluated)["commands"]
    assert re.fullmatch(r"tfgen evaluate \S+ --seed 0 --num-samples 20 .*", evaluate)
    words = train.split()
    assert words[0] == "tfgen"
    words[words.index("--out") + 1] = str(tmp_path / "again")
    words[words.index("--data") + 1] = str(Config.read(evaluated).data)
    assert tfgen(*words[1:]) == 0
    again, first = Config.read(tmp_path / "again"), Config.read(evaluated)
    assert again == first
    assert set(SMALL) >= {"--filters", str(again.overrides["filters"])}
