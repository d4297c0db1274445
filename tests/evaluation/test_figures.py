"""Figures by hand, and which group suits which model.

Nothing leans on what a model of one epoch learns: figures are compared with the same
computed from its endpoints.
"""

import dataclasses
import math
import shutil
import types

import numpy as np
import pytest
from PIL import Image

import tfgen
from tests.models import small
from tests.models.test_contracts import MODELS
from tests.runs import read_metrics, write_images
from tfgen import data, inference, metrics
from tfgen.errors import UserError
from tfgen.evaluation import FEATURES, Subject, evaluate, measure
from tfgen.inference import Endpoints
from tfgen.training.run import Run


def subject_of(path, data=None, **options):
    return Subject(Run(path, data=data), **options)


def figures_of(group, subject):
    return {figure.name: figure for figure in measure(group, subject)}


def replaced(path, **values):
    """Returns a run with another configuration."""
    run = Run(path)
    changed = Run.of(run.path, dataclasses.replace(run.config, **values))
    vars(changed)["model"] = run.model
    return changed


# ---- One VAE, all groups -------------------------------------------------------------


def test_likelihoods(quick_run):
    figures, run = read_metrics(quick_run), Run(quick_run)
    images = run.test_images()
    assert figures["num_images"] == len(images) > 12
    assert figures["pixel_likelihood"] == "bernoulli"
    # The analytic KL of the losses, and that of the draws.
    total = figures["reconstruction_loss"] + figures["kl_loss"]
    assert figures["elbo"] == pytest.approx(-total, rel=0.01)
    assert figures["log_likelihood"] >= figures["elbo"]
    bits = -figures["log_likelihood"] / (28 * 28 * np.log(2))
    assert figures["bits_per_dim"] == pytest.approx(bits, rel=1e-6)
    bounds = metrics.estimate_log_likelihood(
        run.model.log_weights, images, 100, batch_size=16
    )
    assert figures["elbo"] == pytest.approx(bounds.elbo.mean(), rel=1e-5)
    error = bounds.elbo.std(ddof=1) / math.sqrt(len(images))
    assert figures["elbo_error"] == pytest.approx(error, rel=1e-2)


def test_what_sums_to_an_unknown_number_has_no_bound(quick_run):
    run = replaced(quick_run)
    model = tfgen.create_model("vae_mnist_5k", likelihood="ms_ssim", filters=2, seed=0)
    vars(run)["model"] = model
    subject = Subject(run, num_images=4)
    assert measure("likelihood", subject) is None
    assert "there is no bound on log p(x)" in subject.notes[0]
    figure = figures_of("losses", subject)["reconstruction_loss"]
    assert "no log-likelihood" in figure.meaning


def test_samples_are_scored_beside_real_images(quick_run):
    figures, subject = read_metrics(quick_run), subject_of(quick_run)
    images = subject.run.test_images()
    count = len(images) // 2
    drawn = inference.sample(subject.endpoints, count)
    with pytest.warns(UserWarning, match="full rank"):
        score = metrics.compare_samples(images, drawn, subject.feature_network)
    assert figures["feature_network"] == score.feature_network
    assert figures["num_generated"] == score.num_samples == count
    for name in ("precision", "recall", "coverage", "kernel_distance"):
        value = pytest.approx(score.scores[name], rel=1e-2, abs=1e-3)
        assert figures[name] == value, name
        floor = pytest.approx(score.floors[name], rel=1e-2, abs=1e-3)
        assert figures[f"{name}_floor"] == floor, name
    assert "fid" not in figures
    # Truncated to a point, all would be one image; halfway they are less varied.
    least = metrics.precision_recall(
        subject.halves(count)[0], subject.draw_features(0.4)
    )
    assert figures["precision_at_truncation_0.4"] == pytest.approx(least.precision)
    assert figures["recall_at_truncation_0.4"] == pytest.approx(least.recall)
    # 64 features of fewer images, and the reader is told.
    assert any("full rank" in note for note in figures["notes"])


def test_latent_variables_and_space(quick_run):
    figures, run = read_metrics(quick_run), Run(quick_run)
    outputs = inference.encode(run.model, run.test_images())
    terms = metrics.decompose_kl(outputs["mean"], outputs["stddev"])
    assert figures["aggregate_kl"] == pytest.approx(terms.aggregate_kl, rel=1e-2)
    assert figures["active_units"] == metrics.active_units(outputs["mean"])
    assert terms.kl == pytest.approx(figures["kl_loss"], rel=1e-3, abs=1e-4)
    assert figures["continuity_jump"] >= figures["continuity_step"] >= 0.0
    # The same draws and the same halves of the test images as of the samples.
    for name in ("density", "coverage"):
        for suffix in ("", "_floor"):
            value = figures[f"completeness_{name}{suffix}"]
            assert value == pytest.approx(figures[f"{name}{suffix}"]), name + suffix


def test_continuity_is_that_of_the_decoder(vae_run, many_images):
    """A decoder whose images follow the latents: the way is walked in equal steps."""
    subject = subject_of(vae_run, many_images, features="random")
    shape = subject.run.image_shape

    def decode(name, latents, labels=None):
        brightness = 0.5 + 0.01 * np.asarray(latents)[:, :1]
        return {"images": brightness.reshape(-1, 1, 1, 1) * np.ones((1, *shape))}

    rng = np.random.default_rng(0)
    count = len(subject.run.test_images())
    latents = rng.normal(size=(count, 3)).astype("float32")
    vars(subject)["encoded"] = types.SimpleNamespace(latents=latents, labels=None)
    vars(subject)["drawn_features"] = subject.test_features[: count // 2]
    subject.endpoints.run = decode
    figures = figures_of("latent_space", subject)
    assert figures["continuity_step"].value > 0.0
    assert figures["continuity_jump"].value == pytest.approx(
        figures["continuity_step"].value, rel=1e-2
    )
    assert figures["continuity_detour"].value == pytest.approx(1.0, rel=1e-2)


def test_a_model_that_draws_training_images_is_found_out(vae_run, many_images):
    class Memory(Subject):
        def draw(self, start, count, truncation=None):
            return self.train_images[start : start + count]

    class Noise(Subject):
        def draw(self, start, count, truncation=None):
            shape = (count, *self.run.image_shape)
            return np.random.default_rng(0).random(shape).astype("float32")

    run = Run(vae_run, data=many_images)
    ratios = {
        kind: figures_of("samples", kind(run, features="random"))[
            "nearest_training_ratio"
        ].value
        for kind in (Memory, Noise)
    }
    assert ratios[Memory] < 1e-3
    assert ratios[Noise] > 1.0


def test_distances_of_inception_are_called_fid(vae_run, many_images, monkeypatch):
    def network(run):
        random = FEATURES["random"](run)
        random.name = "inception_v3"
        return random

    monkeypatch.setitem(FEATURES, "inception_v3", network)
    subject = subject_of(vae_run, many_images, features="inception_v3")
    names = set(figures_of("samples", subject))
    assert {"fid", "kid"} <= names
    assert not {"frechet_distance", "kernel_distance"} & names


# ---- Other models --------------------------------------------------------------------


def test_an_autoencoder_is_drawn_from_a_normal_of_its_latents(
    autoencoder_run, many_images
):
    evaluation = evaluate(autoencoder_run, many_images, features="random")
    figures = evaluation.as_dict()
    assert {"loss", "continuity_step", "completeness_coverage"} <= set(figures)
    assert "precision" not in figures
    subject, seen = evaluation.subject, []
    run = subject.endpoints.run
    subject.endpoints.run = lambda name, *rest: seen.append(rest[0]) or run(name, *rest)
    assert subject.draw(0, 2000).shape == (2000, 28, 28, 1)
    latents, drawn = subject.latents, seen[-1]
    np.testing.assert_allclose(drawn.std(axis=0), latents.std(axis=0), rtol=0.06)
    errors = np.abs(drawn.mean(axis=0) - latents.mean(axis=0))
    assert (errors <= 0.1 * latents.std(axis=0) + 1e-6).all()


def test_a_conditional_model_is_measured_with_its_labels(conditional_run):
    subject = subject_of(conditional_run, num_samples=5)
    images, labels = subject.run.test_images(labels=True)
    bounds = metrics.estimate_log_likelihood(
        subject.model.log_weights, images, 5, 16, labels=labels
    )
    elbo = figures_of("likelihood", subject)["elbo"].value
    assert elbo == pytest.approx(bounds.elbo.mean(), rel=1e-5)
    # Its classes in turn, for every image that is drawn.
    assert subject.draw(2, 3).shape == (3, 28, 28, 1)


def test_a_gan_has_losses_and_samples(gan_run, many_images):
    evaluation = evaluate(gan_run, many_images, features="random")
    names = set(evaluation.as_dict())
    assert {"generator_loss", "discriminator_accuracy", "recall"} <= names
    assert evaluation.find("feature_network").value == "random_features"
    assert set(evaluation.figures) == {"losses", "samples"}
    assert evaluation.find("elbo") is None


def test_features_of_emoji_are_random_though_they_have_classes(tmp_path):
    """Half are people: a classifier would be right about most without looking."""
    config = types.SimpleNamespace(data="openmoji/32", data_dir=tmp_path)
    run = types.SimpleNamespace(config=config, image_shape=(32, 32, 3))
    assert FEATURES["data"](run).name == "random_features"


def test_a_conditional_model_draws_the_classes_that_it_knows(gan_run):
    subject = Subject(replaced(gan_run, held_out_classes="class_1"))
    seen, iterate = [], subject.endpoints.iterate
    subject.endpoints.iterate = lambda *args: seen.append(args[2]) or iterate(*args)
    subject.draw(2, 3)
    assert seen[0].tolist() == [0, 2, 0]
    # It gives an image no score.
    assert measure("anomalies", subject) is None


def test_factors_beside_chance(sprites_run):
    """Codes that are the factors: every score is near 1, and chance's is not."""
    subject = subject_of(sprites_run)
    factors = subject.run.known_factors("test")
    codes = factors.values.astype("float32")
    vars(subject)["encoded"] = types.SimpleNamespace(latents=codes)
    figures = figures_of("factors", subject)
    for name in ("mig", "modularity", "factor_vae_score", "beta_vae_score"):
        assert figures[name].value > 0.7, name
    for figure in figures.values():
        if figure.name != "modularity":  # of chance, whatever it is
            assert figure.floor < figure.value - 0.25, figure.name


# ---- What latents know ---------------------------------------------------------------


def test_latents_are_probed_beside_pixels(vae_run, monkeypatch):
    """On the same images, with latents that are their classes, and noise."""
    subject = subject_of(vae_run)
    _, labels = subject.run.arrays("test", labels=True)

    def encode(name, images, labels):
        sums = {x.sum(): y for x, y in zip(*seen, strict=True)}
        classes = np.array([sums[x.sum()] for x in images])
        return {"mean": np.eye(3)[classes], "stddev": None}

    splits = [subject.run.arrays(split, labels=True) for split in ("train", "test")]
    seen = [np.concatenate(x) for x in zip(*splits, strict=True)]
    monkeypatch.setattr(subject.endpoints, "run", encode)
    figures = figures_of("probe", subject)
    chance = np.bincount(labels).max() / len(labels)
    for kind in ("linear", "neighbors"):
        known = figures[f"probe_{kind}_latents"]
        assert known.value == 1.0
        assert known.floor == pytest.approx(chance, abs=0.2)
        for name in ("pixels", "pca"):
            assert figures[f"probe_{kind}_{name}"].value < 1.0
    assert "8 test images" in figures["probe_linear_latents"].meaning
    assert "principal components, 3 numbers" in figures["probe_linear_pca"].meaning


def test_factors_are_probed_one_by_one(sprites_run, monkeypatch):
    from tfgen.evaluation import probe
    from tfgen.metrics import probing

    monkeypatch.setattr(probe, "_NUM_LEARNED", 60)
    monkeypatch.setattr(probing, "_choose_strength", lambda *_: 1.0)
    monkeypatch.setattr(probing, "_MOST_ITERATIONS", 3)
    figures = figures_of("probe", subject_of(sprites_run, num_images=50))
    names = ("rotation", "scale", "shape", "x", "y")
    values = [figures[f"probe_linear_latents_{name}"].value for name in names]
    assert figures["probe_linear_latents"].value == pytest.approx(np.mean(values))
    assert f"{len(names)} factors of 50" in figures["probe_linear_pixels"].meaning


def test_a_gan_is_probed_by_its_discriminator_and_by_inversion(gan_run, monkeypatch):
    from tfgen.evaluation import probe
    from tfgen.latent import inversion

    monkeypatch.setattr(probe, "_NUM_STEPS", 2)
    monkeypatch.setattr(inversion, "_POOL", 8)
    figures = figures_of("probe", subject_of(gan_run))
    assert {f"probe_linear_{x}" for x in ("discriminator", "inverted", "pca")} <= set(
        figures
    )
    assert "the model is given the class" in figures["probe_linear_inverted"].meaning
    assert "is given" not in figures["probe_linear_discriminator"].meaning
    assert np.isfinite(figures["probe_inversion_psnr"].value)


def test_codes_are_probed_as_the_vectors_that_are_decoded():
    from tfgen.evaluation.probe import Images, _extract

    model, images = MODELS["vqvae"](), small.images(6)
    subject = types.SimpleNamespace(model=model, endpoints=Endpoints(model))
    features, _ = _extract(subject, Images(images, None, {}))
    vectors, (found,) = model.quantizer.decode(model.encode(images)), features["codes"]
    np.testing.assert_array_equal(found, np.reshape(vectors, (6, -1)))


def test_a_probe_is_measured_where_it_is_asked_for(pix2pix_run):
    with pytest.raises(UserError, match="probe: it does not suit Pix2Pix"):
        evaluate(pix2pix_run, metrics="probe")


# ---- Anomalies -----------------------------------------------------------------------


def _roc(model, usual, unusual):
    images = np.concatenate([usual, unusual])
    is_anomaly = np.repeat([False, True], [len(usual), len(unusual)])
    outputs = inference.reconstruct(model, images)
    errors = np.square(outputs - images).mean(axis=(1, 2, 3))
    return metrics.anomaly_roc(errors, is_anomaly).auc


def test_anomalies_are_told_from_test_images(vae_run, tmp_path):
    strange = write_images(tmp_path / "strange", count=20)
    for index, path in enumerate(strange.rglob("*.png")):
        noise = np.random.default_rng(index).integers(0, 256, (28, 28), "uint8")
        Image.fromarray(noise).save(path)
    evaluation = evaluate(
        vae_run, metrics="anomalies", num_samples=5, anomalies=str(strange)
    )
    assert list(evaluation.figures) == ["anomalies"]
    run = evaluation.subject.run
    usual = run.test_images()
    unusual = data.load_array(strange, "test", len(usual), image_size=28, channels=1)
    score = _roc(run.model, usual, unusual)
    figure = evaluation.find("anomaly_auc_reconstruction_error")
    assert figure.value == pytest.approx(score, abs=1e-6)
    assert figure.floor == 0.5
    assert set(evaluation.subject.rocs) == {
        *("negative_elbo", "likelihood_ratio", "reconstruction_error")
    }


def test_images_as_usual_are_told_by_chance(autoencoder_run, folder):
    evaluation = evaluate(autoencoder_run, metrics="anomalies", anomalies=str(folder))
    assert evaluation.find("anomaly_auc_reconstruction_error").value == 0.5


def test_held_out_classes_are_the_anomalies(vae_run, many_images):
    run = replaced(vae_run, data=str(many_images), held_out_classes="class_1")
    evaluation = evaluate(run, metrics=["likelihood", "anomalies"], num_samples=2)
    usual, unusual = (
        data.load_array(many_images, "test", channels=1, classes=classes)
        for classes in ((0, 2), ("class_1",))
    )
    assert evaluation.find("num_images").value == len(usual)
    figure = evaluation.find("anomaly_auc_reconstruction_error")
    assert figure.value == pytest.approx(_roc(run.model, usual, unusual), abs=1e-6)
    assert "held-out classes (class_1) as anomalies" in figure.meaning
    # Other images that are named come first.
    assert Subject(run, anomalies="mnist").unusual == "mnist"


def test_a_class_without_test_images_is_noted(vae_run, folder, tmp_path):
    for split in ("train", "test"):
        shutil.copytree(folder, tmp_path / split)
    shutil.rmtree(tmp_path / "test" / "class_1")
    run = replaced(vae_run, data=str(tmp_path), held_out_classes="class_1")
    subject = Subject(run)
    assert measure("anomalies", subject) is None
    assert "no image of these classes" in subject.notes[0]


def test_damaged_anomalies_are_skipped_as_in_training(autoencoder_run, tmp_path):
    write_images(tmp_path, count=20)
    (tmp_path / "class_0" / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="--skip-bad-images"):
        evaluate(autoencoder_run, anomalies=str(tmp_path))
    run = replaced(autoencoder_run, skip_bad_images=True)
    with pytest.warns(UserWarning, match="left out"):
        assert measure("anomalies", Subject(run, anomalies=str(tmp_path)))


# ---- Any model, any number of images -------------------------------------------------


def test_figures_repeat_for_a_seed_and_images_stream(vae_run, monkeypatch):
    names = "likelihood,latents,losses"
    first = evaluate(vae_run, metrics=names, num_samples=3).as_dict()
    # A set that does not fit into memory is read batch by batch.
    monkeypatch.setattr("tfgen.data.loading.IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(Run, "arrays", None)
    assert evaluate(vae_run, metrics=names, num_samples=3).as_dict() == first


@pytest.mark.parametrize("count", [1, 5])
def test_few_images_are_measured_as_far_as_they_go(vae_run, count):
    evaluation = evaluate(vae_run, num_images=count, num_samples=2)
    assert evaluation.find("num_images").value == count
    assert {"losses", "likelihood"} <= set(evaluation.figures)
    assert "samples" not in evaluation.figures
    text = " ".join(evaluation.notes)
    assert f"{count} test images are too few to compare distributions" in text
    assert (evaluation.find("elbo").error is None) == (count == 1)


def test_a_model_file_and_a_model_alone(vae_run, many_images):
    """They know no data: it is named; the figures are those of the run."""
    flags = {"metrics": "losses,likelihood", "num_samples": 2}
    figures = [
        evaluate(model, many_images, **flags).as_dict()
        for model in (vae_run, vae_run / "model.keras", tfgen.load(vae_run))
    ]
    for other in figures[1:]:
        for name in ("elbo", "loss"):  # batches, and so draws, are not those of the run
            assert other[name] == pytest.approx(figures[0][name], rel=1e-3), name
    assert "commands" not in figures[2]
    with pytest.raises(UserError, match="knows no data"):
        evaluate(tfgen.load(vae_run))


def test_what_is_not_finite_is_null(vae_run):
    evaluation = evaluate(vae_run, metrics="losses")
    (figure, *_) = evaluation.figures["losses"]
    evaluation.figures["losses"] = [figure._replace(value=math.nan)]
    assert evaluation.as_dict()[figure.name] is None


# ---- Mistakes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": "likelihod"}, "likelihod: choose of losses, likelihood"),
        ({"metrics": ["losses", "x"]}, "--metrics x: choose of"),
        ({"features": "vgg"}, "--features vgg: choose of data, random"),
    ],
)
def test_names_are_checked_before_anything_runs(options, message):
    with pytest.raises(UserError, match=message):
        evaluate("there/is/no/such/run", **options)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("translation", "translation: it does not suit VAE"),
        ("samples", "5 test images are too few to compare"),
        ("factors", "factors: it does not suit VAE"),
    ],
)
def test_a_group_that_was_asked_for_and_does_not_suit(vae_run, metrics, message):
    with pytest.raises(UserError, match=message):
        evaluate(vae_run, metrics=metrics, num_images=5, features="random")


def test_anomalies_need_a_score(gan_run, folder):
    with pytest.raises(UserError, match="must be a VAE or an autoencoder"):
        evaluate(gan_run, anomalies=str(folder))
