"""Peak signal-to-noise ratio and SSIM against closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from export.check import _row
from export.verify import fidelity, golden
from export.verify.examples import Examples

IMAGES = np.random.default_rng(0).uniform(0.2, 0.8, (4, 16, 16, 1)).astype("float32")


def test_psnr_of_images_has_peak_one():
    assert golden.psnr("images", IMAGES, IMAGES + 0.1) == pytest.approx(20, abs=1e-3)
    assert golden.psnr("real_images", IMAGES, IMAGES + 0.01) == pytest.approx(
        40, abs=0.01
    )
    assert golden.psnr("images", IMAGES, IMAGES) == 150.0
    assert golden.psnr("images", IMAGES, IMAGES * np.nan) == 0.0


def test_psnr_of_other_tensors_has_the_peak_of_their_range():
    values = np.array([[-3.0, 1.0], [0.0, 1.0]])
    assert golden.psnr("mean", values, values + 0.4) == pytest.approx(20)
    # Nearly constant: measured against its size, not its ripple.
    scale = np.array([[1.0], [1.0 + 1e-6]])
    assert golden.psnr("stddev", scale, scale + 1e-3) == pytest.approx(60, abs=0.01)
    # Of rank 4, but named otherwise.
    assert golden.psnr("features", 10 * IMAGES, 10 * IMAGES + 1.0) < 20


def test_the_worst_output_and_the_golden_rows_count():
    expected = {"images": IMAGES, "mean": np.ones((4, 2), "float32")}
    found = {"images": IMAGES.copy(), "mean": expected["mean"] + np.float32(0.1)}
    assert fidelity.compare(expected, found).psnr == pytest.approx(20, abs=0.01)
    found["mean"] = expected["mean"]
    found["images"][0] += 0.1  # one of three golden rows, and of four in all
    worst = -10 * np.log10(0.1**2 / 3)
    assert fidelity.compare(expected, found).psnr == pytest.approx(worst, abs=0.01)


def test_ssim_is_of_images_only():
    same = fidelity.compare({"images": IMAGES}, {"images": IMAGES})
    assert same.ssim == pytest.approx(1.0)
    noise = np.random.default_rng(1).normal(0, 0.2, IMAGES.shape).astype("float32")
    noisy = fidelity.compare({"images": IMAGES}, {"images": IMAGES + noise}).ssim
    direct = tf.image.ssim(IMAGES, IMAGES + noise, max_val=1.0)
    assert noisy == pytest.approx(float(tf.reduce_mean(direct)), abs=1e-6)
    assert noisy < 0.9
    assert fidelity.compare({"y": IMAGES}, {"y": IMAGES}).ssim is None
    small = IMAGES[:, :7, :7]  # smaller than the window
    assert fidelity.compare({"images": small}, {"images": small}).ssim > 0.999


# ---- Runtimes that disagree ----------------------------------------------------------


@pytest.mark.parametrize(
    ("quantization", "difference", "psnr", "problem"),
    [
        ("float32", 2e-4, 90.0, "reference differs from the default runtime by 0.0002"),
        ("float32", 5e-5, 20.0, ""),
        ("float32", np.nan, 0.0, "reference differs from the default runtime by nan"),
        ("int8", 0.1, 29.0, "reference is 29.0 dB from the default runtime"),
        ("int8", 0.1, 31.0, ""),
    ],
)
def test_runtimes_must_agree(tflite_copy, quantization, difference, psnr, problem):
    runtimes = {
        "compiled_model": {"difference": 0.0, "psnr": 150.0},
        "reference": {"difference": difference, "psnr": psnr},
    }
    finding = {"difference": 0.0, "psnr": 150.0, "runtimes": runtimes}
    row = _row(tflite_copy, quantization, "decode", None, **finding)
    assert row.problem == problem
    assert row.ok == (not problem)


@pytest.mark.parametrize(("num_labels", "rows"), [(3, 16), (20, 20), (100, 64)])
def test_every_label_is_among_the_examples(num_labels, rows):
    spec = tf.TensorSpec((1,), tf.int32, name="labels")
    function = tf.function(lambda **x: {"y": x["labels"]}).get_concrete_function(
        labels=spec
    )
    labels = np.arange(200, dtype=np.int32) % num_labels
    first = golden.Golden({"labels": labels[:3]}, {"y": labels[:3]})
    examples = Examples({"f": {"labels": labels}})
    references = fidelity.make_references({"f": function}, {"f": first}, examples)
    assert references["f"].inputs["labels"].tolist() == labels[:rows].tolist()
