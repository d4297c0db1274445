"""A picture of another aspect is in the page what it was in training, and served."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

import export
from export.verify.chromium import open_page
from export.web.server import serving
from tests.made_once import made_once
from tfgen.data.pixels import Fit, fit_array

from .test_web import open_file, packages, show, wait_for

__all__ = ["packages"]

SIZE = (16, 24)
SHAPES = [(60, 40), (40, 150), (230, 130), (64, 96)]


class Blur(keras.Model):
    """Translates images that are not square."""

    def __init__(self):
        super().__init__()
        self.conv = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid")
        self.conv(keras.Input((*SIZE, 3)))
        self.built = True

    def signatures(self):
        spec = tf.TensorSpec((None, *SIZE, 3), tf.float32, name="images")

        @tf.function(input_signature=[spec])
        def translate(images):
            return {"images": self.conv(images)}

        return {"translate": translate}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return Blur()


@pytest.fixture(scope="module")
def pages(model, packages, tmp_path_factory):
    """One browser, and for each way to resize the address of a page."""

    def make(folder):
        options = {"latency_seconds": 0, "web_runtime": packages, "formats": ["web"]}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("export.formats.web.find_chromium", lambda: None)
            page = {"resize": "crop", "tiled": False}
            export.export_model(model, folder, "blur", page=page, **options)

    site = made_once(tmp_path_factory, "resized_site", make)
    folder = shutil.copytree(site, tmp_path_factory.mktemp("resized") / "site")
    with serving(folder) as address, open_page("--disable-gpu") as page:
        page.address, page.models = address, folder / "web" / "models.json"
        yield page


def draw(height, width):
    """A gradient and two discs: every part of it lies elsewhere if it is moved."""
    rows, columns = np.mgrid[:height, :width]
    colours = np.stack([255 * rows / height, 255 * columns / width, 120 + 0 * rows], -1)
    picture = Image.fromarray(colours.astype("uint8"))
    pen, r = ImageDraw.Draw(picture), min(height, width) / 4
    for x, colour in ((0.3, "white"), (0.8, "navy")):
        box = [x * width - r, height / 2 - r, x * width + r, height / 2 + r]
        pen.ellipse(box, fill=colour)
    return np.asarray(picture)


def psnr(one, other):
    return -10 * np.log10(np.mean((one - other) ** 2))


def read_pixels(browser, selector):
    canvas = f"document.querySelector({json.dumps(selector)})"
    area = f"0, 0, {SIZE[1]}, {SIZE[0]}"
    script = f"[...{canvas}.getContext('2d').getImageData({area}).data]"
    return np.reshape(browser.evaluate(script), (*SIZE, 4))[..., :3] / 255


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_a_picture_of_another_aspect_is_what_python_makes_of_it(
    pages, model, resize, tmp_path
):
    """But for the browser's own filter; a pixel beside its place gives 20 dB."""
    described = json.loads(pages.models.read_text())
    described["models"][0]["page"]["resize"] = resize
    pages.models.write_text(json.dumps(described))
    show(pages, "blur")
    shown, translated = "canvas[aria-label='input picture']", "#output-translate"
    for height, width in SHAPES:
        picture = draw(height, width)
        file = tmp_path / f"{height}.png"  # the same name again would be no change
        Image.fromarray(picture).save(file)
        before = read_pixels(pages, shown)
        open_file(pages, file)
        wait_for(lambda old=before: (read_pixels(pages, shown) != old).any())
        wanted = fit_array(picture, Fit(SIZE, resize=resize)) / 255
        assert psnr(read_pixels(pages, shown), wanted) > 30
        output = model.conv(wanted[np.newaxis].astype("float32"))[0].numpy()
        wait_for(lambda to=output: psnr(read_pixels(pages, translated), to) > 40)
