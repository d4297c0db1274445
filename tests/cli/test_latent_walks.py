"""Commands that move latents, on a GAN, which has no encoder, and on image files."""

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from tests.cli.conftest import tfgen
from tfgen import latent
from tfgen.errors import UserError
from tfgen.figures import films, gallery, latent_walks
from tfgen.inference import decode
from tfgen.latent import finding, inversion


@pytest.fixture(scope="module", autouse=True)
def _few_steps():
    """Of what is not waited for."""
    with pytest.MonkeyPatch.context() as patch:
        for function in (inversion.invert, inversion.train_encoder):
            patch.setitem(function.__kwdefaults__, "num_steps", 2)
        yield


@pytest.fixture
def photos(folder):
    return sorted(folder.rglob("*.png"))[:2]


@pytest.mark.parametrize("kind", ["sefa", "ganspace", "random", "latents"])
def test_directions_of_a_gan_are_ordered_unit_vectors(gan_run, kind):
    endpoints = package.Run(gan_run).endpoints
    directions, shares = finding.find_directions(endpoints, kind, 4)
    assert directions.shape == (4, 5)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, rtol=1e-5)
    assert (np.diff(shares) <= 0).all()
    assert (shares > 0).all()


def test_pictures_of_a_gan(gan_run, tmp_path, photos, capsys):
    start, end = photos
    for name, *flags in (
        ("traverse", "--rows", 2, "--seed", -1),
        ("traverse", "--rows", 2, "--image", 1, "--directions", "ganspace"),
        ("interpolate", "--from", start, "--to", end),
        ("reconstruct", "--num", 4, "--encoder"),
    ):
        out = tmp_path / f"{name}.png"
        assert tfgen(name, gan_run, *flags, "--out", out) == 0, name
        with Image.open(out) as picture:
            assert picture.size[0] > 100
    assert tfgen("latents", gan_run, "--num-images", 4, "--out", tmp_path / "l") == 0
    assert np.load(tmp_path / "l" / "latents.npz")["latents"].shape == (4, 5)
    capsys.readouterr()
    assert tfgen("edit", gan_run, "--attribute", 0, "--out", tmp_path / "e.png") == 2
    assert "the class is an input of this model" in capsys.readouterr().err
    assert tfgen("interpolate", gan_run, "--from", start) == 2
    assert "--from and --to go together" in capsys.readouterr().err


def test_photographs_are_moved_by_a_model_that_encodes(vae_run, tmp_path, photos):
    run = package.Run(vae_run)
    images = run.read_files(photos)
    means = run.endpoints.run("encode", images)["mean"]
    np.testing.assert_array_equal(latent_walks.points_of(run, photos=photos), means)
    start, label, words = latent_walks.start_of(run, None, None, str(photos[0]))
    np.testing.assert_allclose(start, means[0], atol=1e-5)
    assert (label, words) == (None, photos[0].name)
    flags = ("--photo", photos[0], "--out", tmp_path / "p.png")
    assert tfgen("edit", vae_run, "--attribute", "class_2", *flags) == 0
    assert tfgen("traverse", vae_run, *flags, "--directions", "sefa") == 0


def test_films(vae_run, gan_run, tmp_path):
    flags = ("--seconds", 0.5, "--fps", 10, "--rows", 2)
    for name, run, ending in (
        ("traverse", gan_run, "gif"),
        ("interpolate", gan_run, "webp"),
        ("traverse", vae_run, "webp"),
        ("interpolate", vae_run, "gif"),
    ):
        out = tmp_path / f"{name}.{ending}"
        assert tfgen(name, run, "--film", out, *flags) == 0
        with Image.open(out) as film:
            assert 1 <= film.n_frames <= 5  # equal frames are one, shown longer


def test_frames_are_what_is_decoded(vae_run):
    run = package.Run(vae_run)
    frames = gallery.interpolation_film(run, 6, rows=3)
    points = latent_walks.points_of(run, 3)
    images = decode(run.endpoints, latent.loop(points, 6))
    expected = np.round(255.0 * images[..., 0]).repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(np.stack(frames)[..., 0], expected)


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_grey_levels_and_times_are_kept(tmp_path, ending):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    frames = [np.repeat(np.roll(levels, i), 3, axis=-1) for i in range(3)]
    path = films.save_film(frames, tmp_path / f"film.{ending}", fps=10)
    with Image.open(path) as film:
        assert film.info["loop"] == 0
        for index, frame in enumerate(frames):
            film.seek(index)
            pixels = np.int16(film.convert("RGB"))
            assert film.info["duration"] == 100
            # WebP loses some.
            assert np.abs(pixels - frame).mean() <= (0 if ending == "gif" else 12)


def test_mp4(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    frames = [np.full((31, 48, 3), 20 * i, np.uint8) for i in range(10)]
    path = films.save_film(frames, tmp_path / "film.mp4", fps=10)
    count, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert (count, seconds) == (10, pytest.approx(1.0, abs=0.11))


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a film ends with \.gif, \.webp, \.mp4"):
        films.save_film([np.zeros((4, 4, 3), np.uint8)], tmp_path / "film.avi")


def test_draws_of_a_gan_have_the_classes_that_they_look_like(gan_run, monkeypatch):
    """Of training images, in place of draws, they are the images' own."""
    run = package.Run(gan_run)
    images, labels = run.arrays("train", labels=True)
    monkeypatch.setattr(type(run.endpoints), "takes_labels", False)
    monkeypatch.setattr(finding, "decode", lambda endpoints, z: images[: len(z)])
    found = finding.encode_draws(run, len(images))
    assert found.latents.shape == (len(images), 5)
    assert np.mean(found.classes == labels) > 0.5
