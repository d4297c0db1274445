"""`tfgen edit --region`: codes that are swapped, and codes that are drawn."""

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from tests.cli.conftest import tfgen
from tests.runs import _train
from tfgen.latent import read_region, swap_region, vary_region

SIZE, GRID = 16, 2
NETWORK = ("--image-size", SIZE, "--channels", 1, "--filters", 2, "--grid", GRID)
PRIOR = ("--prior-width", 4, "--epochs", 1, "--batch-size", 16)


@pytest.fixture(scope="module")
def codes_run(tmp_path_factory, folder):
    flags = ("--data", folder, *NETWORK, *PRIOR)
    return _train(tmp_path_factory, "codes_run", "vqvae_openmoji_64", *flags)


def cells_of(path, num_columns):
    """The cells of a picture of small images: `(rows, columns, SIZE, SIZE)`."""
    picture = np.asarray(Image.open(path)).astype(float)[..., 0] / 255
    scale = (picture.shape[1] - 16 + 2) // num_columns - 2
    step, factor = scale + 2, scale // SIZE
    count = (picture.shape[0] - 22) // step
    return np.array(
        [
            [
                picture[22 + r * step :, 8 + c * step :][:scale:factor, :scale:factor]
                for c in range(num_columns)
            ]
            for r in range(count)
        ]
    )


def test_a_region_is_swapped_for_a_donors(codes_run, tmp_path):
    out = tmp_path / "edit.png"
    flags = ("--region", "0:1,0:2", "--donor", 4, "--image", 2, "--image", 0)
    assert tfgen("edit", codes_run, *flags, "--out", out) == 0
    run = package.Run(codes_run)
    images, region = run.test_images(), read_region("0:1,0:2", (GRID, GRID))
    codes = run.model.encode(images).numpy()
    swapped = swap_region(codes[[2, 0]], codes[4], region)
    decoded = run.model.decode(np.concatenate([codes[[2, 0]], swapped])).numpy()
    cells = cells_of(out, 4)
    expected = [images[[2, 0]], decoded[:2], images[[4, 4]], decoded[2:]]
    expected = np.stack(expected, axis=1)[..., 0]
    np.testing.assert_allclose(cells[:2], expected, atol=0.004)


def test_a_region_is_drawn_from_the_prior(codes_run, tmp_path):
    out = tmp_path / "edit.png"
    flags = ("--region", "1:2,1:2", "--steps", 3, "--seed", 5, "--image", 1)
    assert tfgen("edit", codes_run, *flags, "--out", out) == 0
    run = package.Run(codes_run)
    image, region = run.test_images(2)[1:], read_region("1:2,1:2", (GRID, GRID))
    codes = run.model.encode(image).numpy()
    drawn = vary_region(run.model, codes[0], region, 3, 5)
    decoded = run.model.decode(np.concatenate([codes, drawn])).numpy()
    expected = np.concatenate([image, decoded])[..., 0]
    np.testing.assert_allclose(cells_of(out, 5)[0], expected, atol=0.004)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "pass --attribute, or --region of discrete codes"),
        (("--attribute", 0, "--region", "0:1,0:1"), "pass --attribute, or --region"),
        (("--region", "0:1,0:1", "--span", 2), "--span goes with --attribute"),
        (("--attribute", 0, "--donor", 2), "--donor goes with --region"),
        (("--region", "0:3,0:1"), "rows and columns of 2x2 codes, such as 0:1,0:2"),
        (("--region", "0:1,0:1", "--donor", 900), "image 900: the test split has"),
        (("--attribute", 0), "has discrete codes in place of latents"),
    ],
)
def test_mistakes_are_one_line(codes_run, flags, message, capsys, tmp_path):
    assert tfgen("edit", codes_run, *flags, "--out", tmp_path / "edit.png") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_latents_have_no_region(vae_run, capsys, tmp_path):
    flags = ("--region", "0:1,0:1", "--out", tmp_path / "edit.png")
    assert tfgen("edit", vae_run, *flags) == 2
    assert "VAE has no discrete codes" in capsys.readouterr().err
