"""Presets: what they build, what they refuse, and how their models are loaded."""

import importlib
import json
import pathlib
import pkgutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests.cli.conftest import tfgen as command_line
from tfgen.errors import UserError
from tfgen.presets import Argument, Preset, get_preset
from tfgen.sizes import both_sides

SMALL = {
    "grid": 2,
    "prior_width": 8,
    "filters": 4,
    "discriminator_filters": 4,
    "num_blocks": 1,
}


def small(preset):
    return {n: v for n, v in SMALL.items() if n in preset.arguments}


ALIKE = ("colorize_256", "superres4_openmoji_64", "superres4_256", "inpaint_256")
BUILT = [
    pytest.param(name, marks=pytest.mark.large if name in ALIKE else ())
    for name in tfgen.list_presets()
]


@pytest.mark.parametrize("name", BUILT)
def test_every_preset_builds_compiled(name):
    preset = get_preset(name)
    values = preset.resolve({})
    size = values["image_size"] if values["image_size"] < 64 else (96, 64)
    model = tfgen.create_model(name, image_size=size, seed=0, **small(preset))
    assert model.compiled
    shape = getattr(model, "image_shape", None) or model.image_shape_a
    assert shape == (*both_sides(size), values["channels"])
    assert preset.summary
    assert preset.paper
    for argument in preset.arguments.values():
        assert argument.help
        assert argument.check(argument.default) == argument.default


@pytest.mark.parametrize("name", ["pix2pix_256", "cyclegan_256"])
def test_the_papers_settings_are_defaults_of_the_preset(name):
    """Isola et al., 2017, sec. 3.3; Zhu et al., 2017, sec. 4 and app. 7."""
    preset = get_preset(name)
    values = preset.resolve({})
    assert (preset.batch_size, preset.epochs) == (1, 200)
    assert (values["learning_rate"], values["beta_1"]) == (2e-4, 0.5)
    assert (values["initial_stddev"], values["filters"]) == (0.02, 64)
    assert values["patch_layers"] == 3
    assert round(preset.load_scale * values["image_size"]) == 286
    model = tfgen.create_model(name, image_size=64, num_steps=10, **small(preset))
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        config = optimizer.get_config()["learning_rate"]
        schedule = keras.optimizers.schedules.deserialize(config)
        rates = [float(schedule(step)) for step in (0, 5, 10)]
        assert rates == pytest.approx([2e-4, 2e-4, 0.0])


def test_a_discriminator_of_several_steps_learns_to_the_end():
    """Its rate ended with a fifth of the training, where it takes five steps of it."""
    model = tfgen.create_model("wgan_gp_mnist_5k", filters=2, num_steps=2)
    images = tf.data.Dataset.from_tensor_slices(np.zeros((5, 28, 28, 1), "float32"))
    optimizers = (model.generator_optimizer, model.discriminator_optimizer)
    model.run_eagerly, model.steps_per_execution = True, 1
    for rate in (2e-4, 0.0):  # it falls from half of the steps on
        model.fit(images.batch(5), verbose=0)
        for optimizer in optimizers:
            assert float(optimizer.learning_rate) == pytest.approx(rate, abs=1e-9)


def test_overrides_reach_the_model():
    model = tfgen.create_model("vae_mnist_5k", latent_dim=5, beta=4, filters=4)
    assert model.latent_dim == 5
    assert model.beta == 4.0
    assert model.num_classes is None
    assert tfgen.create_model("conditional_vae_mnist_5k", filters=4).num_classes == 10
    model = tfgen.create_model("dcgan_mnist_5k", filters=2, ema_decay=None)
    assert model.ema_decay is None


def test_a_perceptual_network_is_read_from_a_file(tmp_path):
    """As of a classifier of one's own, or one with weights of ImageNet."""
    images = keras.Input((28, 28, 1))
    network = keras.Model(images, keras.layers.Conv2D(3, 5)(images))
    network.save(tmp_path / "network.keras")
    model = tfgen.create_model(
        "vae_mnist_5k",
        likelihood="perceptual",
        perceptual_network=str(tmp_path / "network.keras"),
        distance_weight=3.0,
        filters=2,
    )
    likelihood = model.pixel_likelihood
    assert likelihood.weight_of_distance == 3.0
    for one, other in zip(network.weights, likelihood.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    model.save(tmp_path / "model.keras")
    copy = tfgen.load(tmp_path / "model.keras")
    batch = np.random.default_rng(0).uniform(size=(2, 28, 28, 1)).astype("float32")
    values = [m.compute_terms(batch, training=False)["loss"] for m in (model, copy)]
    assert float(values[0]) == pytest.approx(float(values[1]), rel=1e-6)


def test_same_seed_same_weights():
    models = [tfgen.create_model("vae_mnist_5k", filters=4, seed=s) for s in (1, 1, 2)]
    one, two, three = (model.encoder.get_weights()[0] for model in models)
    assert (one == two).all()
    assert (one != three).any()


# ---- Choices and ranges --------------------------------------------------------------


# They say which other arguments count, or may be.
ALONE = ("network", "architecture", "divergence")


def choices():
    """Of one preset of each family, rows of choices that are not its defaults.

    The n-th row has the n-th of each argument: each choice is in a row.
    """
    rows, seen = {}, set()
    for name in tfgen.list_presets():
        preset = get_preset(name)
        for argument in preset.arguments.values():
            if not isinstance(argument.allowed, tuple):
                continue
            others = [x for x in argument.allowed if x != argument.default]
            keys = [(preset.build.__module__, argument.name, x) for x in others]
            new = [key for key in keys if key not in seen]
            seen.update(new)
            for number, (*_, choice) in enumerate(new):
                kind = argument.name if argument.name in ALONE else "together"
                row = rows.setdefault((name, kind, number), {})
                row[argument.name] = choice
    return [(name, chosen) for (name, *_), chosen in rows.items()]


def test_every_choice_of_every_family_is_in_a_row():
    listed = {
        (get_preset(name).build.__module__, key, choice)
        for name, chosen in choices()
        for key, choice in chosen.items()
    }
    for name in tfgen.list_presets():
        preset = get_preset(name)
        for argument in preset.arguments.values():
            if isinstance(argument.allowed, tuple):
                family = preset.build.__module__, argument.name
                missing = {x for x in argument.allowed if (*family, x) not in listed}
                assert missing <= {argument.default}, family


@pytest.mark.parametrize(("name", "chosen"), choices())
def test_every_choice_is_one_of_the_model(name, chosen):
    preset = get_preset(name)
    values = {"image_size": 32, **small(preset), **chosen}
    if "gradient_penalty" in preset.arguments:  # batch normalisation mixes images
        if "gradient_penalty" in chosen:
            values.setdefault("normalization", None)
        else:
            values["gradient_penalty"] = None
    if chosen.get("auxiliary") == "classes":
        values["num_classes"] = 3
    assert tfgen.create_model(name, **values).compiled


def test_parts_of_vaes_are_the_rows_of_their_tables():
    for name in ("LIKELIHOODS", "POSTERIORS", "PRIORS", "DIVERGENCES"):
        rows = tuple(getattr(tfgen.distributions, name))
        assert getattr(tfgen.presets.vae, name) == rows


VAE, GAN = "vae_mnist_5k", "dcgan_mnist_5k"
PERCEPTUAL = {"likelihood": "perceptual"}


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("vae_mnist5k", {}, "no preset.*did you mean vae_mnist_5k"),
        (VAE, {"latent_dims": 3}, "did you mean latent_dim"),
        (VAE, {"image_size": 30}, r"divisible by 4.*nearest size is 32x32"),
        (VAE, {"image_size": "9x"}, "`image_size` must be.*HEIGHTxWIDTH"),
        (GAN, {"image_size": (50, 64)}, r"The nearest size is 48x64\.$"),
        ("vqvae_openmoji_64", {"image_size": "98x64"}, "nearest size is 96x64"),
        ("pix2pix_256", {"image_size": (66, 100)}, "nearest size is 68x100"),
        ("pix2pix_256", {"image_size": (20, 100)}, "nearest size is 24x100; or"),
        ("cyclegan_256", {"image_size": 33}, "nearest size is 32x32"),
        (VAE, {"learning_rate": 0.0}, "`learning_rate` must be a number above 0"),
        (VAE, {"learning_rate": float("nan")}, "above 0. Received: nan"),
        (VAE, {"learning_rate": float("inf")}, "above 0. Received: inf"),
        (VAE, {"learning_rate": "fast"}, "above 0. Received: 'fast'"),
        (VAE, {"beta": -1}, "`beta` must be a number of at least 0. Received: -1"),
        (VAE, {"latent_dim": 2.5}, "an integer of at least 1. Received: 2.5"),
        (VAE, {"latent_dim": True}, "an integer of at least 1. Received: True"),
        (VAE, {"latent_dim": None}, "an integer of at least 1. Received: None"),
        (VAE, {"num_classes": 0}, "at least 1, or none. Received: 0"),
        (VAE, {"likelihood": "bernouli"}, r"one of.*\(did you mean bernoulli\?\)"),
        (VAE, {"distance_weight": 2.0}, "goes with likelihood='ms_ssim'"),
        (VAE, PERCEPTUAL | {"perceptual_network": "absent.keras"}, "`perceptual_netw"),
        (VAE, {"seed": 2**31}, r"`seed` must be.*in \[0, 2147483647\]"),
        (VAE, {"seed": -1}, r"`seed` must be.*Received: -1"),
        (GAN, {"beta_1": 1.0}, r"`beta_1` must be a number in \[0, 1\)"),
        (GAN, {"ema_decay": 1}, r"in \[0, 1\), or none. Received: 1"),
        (GAN, {"normalization": "none"}, "batch, layer, spectral, or none"),
        (GAN, {"auxiliary": "classes"}, "needs `num_classes`"),
        (GAN, {"auxiliary": "codes", "latent_dim": 9}, "the 12 numbers of the codes"),
        (GAN, {"penalty_weight": -0.1}, "at least 0, or none. Received: -0.1"),
    ],
)
def test_mistakes_are_one_line(name, overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        tfgen.create_model(name, **overrides)
    assert "\n" not in str(caught.value)


def test_plain_numbers_are_made_of_those_of_numpy():
    values = get_preset(VAE).resolve({"beta": np.float32(2), "latent_dim": np.int64(3)})
    assert (type(values["beta"]), type(values["latent_dim"])) == (float, int)
    json.dumps(values)


def test_an_object_in_place_of_a_choice_is_left_to_the_model():
    def own_loss():
        return "own"

    assert get_preset(GAN).resolve({"loss": own_loss})["loss"] is own_loss


def test_words_of_the_command_line():
    arguments = get_preset("pix2pix_256").arguments
    assert arguments["normalization"].parse("none") is None
    assert arguments["normalization"].parse("batch") == "batch"
    assert arguments["num_steps"].parse("none") is None
    assert arguments["learning_rate"].parse("1e-3") == 1e-3
    assert arguments["dropout_at_inference"].parse("True") is True
    assert arguments["dropout_at_inference"].parse("false") is False
    with pytest.raises(UserError, match=r"true or false\. Received: 'yes'"):
        arguments["dropout_at_inference"].parse("yes")
    with pytest.raises(UserError, match=r"an integer of at least 1\. Received: 'none'"):
        arguments["filters"].parse("none")
    assert Argument("name", str, "", "free text").parse("none") == "none"


def test_a_value_is_refused_before_anything_is_read(tmp_path, capsys):
    out = tmp_path / "run"
    flags = ("--data", tmp_path / "absent", "--out", out, "--learning-rate", "-1")
    assert command_line("train", VAE, *map(str, flags)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == [
        "tfgen: error: `learning_rate` must be a number above 0. Received: -1.0"
    ]
    assert not out.exists()


def test_a_preset_of_ones_own():
    from typing import Annotated

    def build(width: Annotated[int, "of it"] = 3, seed: Annotated[int | None, ""] = 0):
        return width

    preset = Preset("own", "", build, None, 1, 1, "", defaults={"width": 4})
    assert preset.build(**preset.resolve({})) == 4


# ---- The list ------------------------------------------------------------------------


def test_the_list_fits_80_columns(capsys):
    assert command_line("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 80
    text = "\n".join(lines)
    for name in tfgen.list_presets():
        assert name in text
        assert get_preset(name).summary in text


def test_the_list_as_json_has_every_argument(capsys):
    assert command_line("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == tfgen.list_presets()
    assert rows["vae_sprites"]["arguments"]["beta"]["default"] == 4.0
    assert rows["pix2pix_256"]["data"] is None


def test_the_list_needs_no_tensorflow():
    code = (
        "import sys\nfrom tfgen.cli import main\n"
        "try:\n    main(['list', '--json'])\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- Loading -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vae_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vae") / "vae.keras"
    tfgen.create_model("vae_mnist_5k", filters=2, latent_dim=2).save(path)
    return path


def test_home_is_expanded(vae_file, monkeypatch):
    monkeypatch.setenv("HOME", str(vae_file.parent))
    assert isinstance(tfgen.load("~/vae.keras"), tfgen.VAE)
    assert isinstance(tfgen.load(pathlib.Path("~") / "vae.keras"), tfgen.VAE)


def make_unreadable(kind, folder, vae_file):
    """Returns what to load, and a pattern of the message."""
    path = folder / "model.keras"
    if kind == "absent":
        return folder / "absent", r"no run directory, \.keras file or preset"
    if kind == "a preset":
        return (
            "cyclegan_256",
            r"without trained weights.*create_model\('cyclegan_256'\)",
        )
    if kind == "empty folder":
        return folder, "it has no model.keras"
    if kind == "a picture":
        (folder / "picture.png").write_bytes(b"png")
        return folder / "picture.png", "is not a .keras file"
    if kind == "no path":
        return None, "takes the path.*Received: None"
    content = vae_file.read_bytes()
    if kind == "empty file":
        content = b""
    elif kind == "cut":
        content = content[: len(content) // 2]
    elif kind == "no archive":
        content = b"not a model"
    path.write_bytes(content)
    if kind == "other archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "[]")
    if kind == "unknown class":
        with zipfile.ZipFile(vae_file) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                text = old.read(name)
                if name == "config.json":
                    text = text.replace(b"tfgen>VAE", b"own>VAE")
                new.writestr(name, text)
        return path, "cannot load .*: Could not locate class 'VAE'"
    return folder, "cannot load .*model.keras: "


@pytest.mark.parametrize(
    "kind",
    [
        *("absent", "a preset", "empty folder", "a picture", "no path"),
        *("empty file", "cut", "no archive", "other archive", "unknown class"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(kind, tmp_path, vae_file):
    path, message = make_unreadable(kind, tmp_path, vae_file)
    with pytest.raises(UserError, match=message) as caught:
        tfgen.load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.large
def test_keras_loads_what_tfgen_saved_after_import_tfgen(vae_file, tmp_path):
    """No model is imported before it is needed; every class is found."""
    images = tmp_path / "images.npy"
    code = (
        "import sys, tfgen, keras, numpy\n"
        "loaded = {'tfgen.models', 'tensorflow_probability'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "print(*keras.saving.get_custom_objects())\n"
        f"model = keras.saving.load_model({str(vae_file)!r})\n"
        "assert type(model) is tfgen.VAE\n"
        "assert type(model.optimizer) is tfgen.optimizers.FusedAdam\n"
        f"numpy.save({str(images)!r}, model.sample(3, seed=1))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    samples = tfgen.load(vae_file).sample(3, seed=1)
    np.testing.assert_allclose(np.load(images), samples, atol=1e-6)
    registered = {name for name in done.stdout.split() if name.startswith("tfgen>")}
    import_everything()
    known = keras.saving.get_custom_objects()
    assert registered == {name for name in known if name.startswith("tfgen>")}
    assert all(isinstance(known[name], type) for name in registered)


def import_everything():
    names = ("callbacks", "distributions", "layers", "models")
    packages = [getattr(tfgen, name) for name in names]
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in (
        "augmentation",
        "auxiliary",
        "losses",
        "optimizers",
        "networks",
        "penalties",
    ):
        getattr(tfgen, name)
