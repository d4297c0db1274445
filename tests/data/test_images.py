"""Pixels: channels, sizes, ranges, orientation, depth."""

import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.data.conftest import save_image
from tfgen.data import load_array, load_images
from tfgen.data.images import Fit, read_image, read_shape
from tfgen.errors import UserError


def _save(folder, pixels, name="0.png", **kwargs):
    Image.fromarray(np.asarray(pixels)).save(folder / name, **kwargs)


def _only(folder, **kwargs):
    """Returns the one image of a folder, on the scale of bytes."""
    kwargs = {"value_range": (0, 255), **kwargs}
    images = load_array(folder, **kwargs)
    assert len(images) == 1
    assert images.dtype == np.float32
    return images[0]


@pytest.mark.parametrize(
    ("mode", "channels", "expected"),
    [
        ("L", None, [200]),
        ("L", 3, [200, 200, 200]),
        ("L", 4, [200, 200, 200, 255]),
        ("RGB", None, [200, 0, 0]),
        ("RGB", 1, [60]),  # 0.299 * 200
        ("RGB", 4, [200, 0, 0, 255]),
        ("RGBA", None, [200, 0, 0, 0]),
        ("RGBA", 3, [255, 255, 255]),  # clear, so white shows
        ("RGBA", 1, [255]),
    ],
)
def test_channels(tmp_path, mode, channels, expected):
    save_image(tmp_path / "0.png", 200, mode=mode)
    image = _only(tmp_path, channels=channels)
    assert image.shape == (8, 6, len(expected))
    np.testing.assert_allclose(image, np.broadcast_to(expected, image.shape), atol=0.6)


def test_half_clear_pixels_mix_with_white(tmp_path):
    _save(tmp_path, np.full((4, 4, 4), [200, 0, 100, 128], np.uint8))
    np.testing.assert_allclose(_only(tmp_path, channels=3)[0, 0], [227, 127, 177], 0.01)


def test_palettes_are_resolved(tmp_path):
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2] = [10, 20, 30]
    Image.fromarray(pixels).quantize(4).save(tmp_path / "0.png")
    np.testing.assert_array_equal(_only(tmp_path), pixels)


def test_a_palette_with_a_clear_colour_has_alpha(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "0.png", transparency=0)
    assert _only(tmp_path)[0, 0].tolist() == [10, 20, 30, 0]
    assert _only(tmp_path, channels=3)[0, 0].tolist() == [255] * 3


def _transparent(mode):
    """Returns an image whose left half has one colour, and that colour as a tRNS."""
    if mode == "RGB":
        values, clear = np.full((4, 6, 3), [250, 0, 0], np.uint8), (0, 0, 7)
        values[:, :3] = clear
    elif mode == "I;16":
        values, clear = np.full((4, 6), 51400, np.uint16), 300
        values[:, :3] = clear
    elif mode == "1":
        values, clear = np.arange(6)[None].repeat(4, 0) < 3, 1
    else:
        values, clear = np.full((4, 6), 200, np.uint8), 7
        values[:, :3] = clear
    return Image.fromarray(values), clear


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "1"])
def test_a_transparent_colour_is_white_or_alpha(tmp_path, mode):
    image, clear = _transparent(mode)
    assert image.mode == mode
    image.save(tmp_path / "0.png", transparency=clear)
    assert read_shape(tmp_path / "0.png") == (4, 6, 4)
    alpha = _only(tmp_path)[..., 3]
    assert (alpha[:, :3] == 0).all()
    assert (alpha[:, 3:] == 255).all()
    pixels = _only(tmp_path, channels=3)
    assert (pixels[:, :3] == 255).all()
    assert (pixels[:, 3:] < 255).any()


def test_a_transparent_grey_of_few_bits(tmp_path):
    values = np.uint8([[0, 85, 170, 255]])
    image = Image.fromarray(values // 85).convert("P")
    image.putpalette([x for grey in values[0] for x in [grey] * 3])
    image.save(tmp_path / "0.png", bits=2)
    # As a grey image of two bits, which Pillow does not write: the type is a byte.
    content = bytearray((tmp_path / "0.png").read_bytes())
    content[25] = 0
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    start, end = content.index(b"PLTE") - 4, content.index(b"IDAT") - 4
    clear = b"tRNS" + (2).to_bytes(2, "big")
    content[start:end] = b"\0\0\0\2" + clear + zlib.crc32(clear).to_bytes(4, "big")
    (tmp_path / "0.png").write_bytes(bytes(content))
    np.testing.assert_array_equal(_only(tmp_path)[0, :, 0], values[0])
    assert _only(tmp_path)[0, :, 3].tolist() == [255, 255, 0, 255]


@pytest.mark.filterwarnings("ignore:The 16-bit images")
@pytest.mark.parametrize("ending", [".png", ".tif", ".pgm"])
def test_sixteen_bits_become_eight(tmp_path, ending):
    pixels = np.array([[0, 257, 128 * 257], [65535, 1000, 30000]], np.uint16)
    _save(tmp_path, pixels, "0" + ending)
    np.testing.assert_array_equal(_only(tmp_path)[..., 0], np.round(pixels / 257.0))


@pytest.mark.parametrize(
    ("dtype", "words"),
    [("int32", "32-bit or signed integer"), ("float32", "floating-point")],
)
def test_values_without_a_known_range_need_one(tmp_path, dtype, words):
    _save(tmp_path, np.array([[-1000, 0, 1000, 3000]], dtype), "0.tif")
    match = rf"0\.tif has {words} pixels.*source_range=.*--value-range LOW,HIGH"
    with pytest.raises(UserError, match=match):
        read_image(tmp_path / "0.tif", Fit())
    with pytest.raises(UserError, match=match):
        _only(tmp_path)
    image = _only(tmp_path, source_range=(-1000, 1000))
    assert image[0, :, 0].tolist() == [0, 128, 255, 255]


def test_a_range_maps_eight_bits_but_not_alpha(tmp_path):
    _save(tmp_path, np.uint8([[[0, 1, 2, 3], [3, 3, 3, 9]]]))
    image = _only(tmp_path, source_range=(0, 3))
    assert image.tolist() == [[[0, 85, 170, 3], [255, 255, 255, 9]]]


@pytest.mark.parametrize("source_range", [(1, 0), 3, (0, float("nan"))])
def test_a_range_is_two_numbers(tmp_path, source_range):
    with pytest.raises(UserError, match="source_range must be two numbers"):
        load_array(tmp_path, source_range=source_range)


def test_scans_of_12_bits_are_noticed_where_all_are_dim(tmp_path):
    scan = np.linspace(0, 4095, 16).astype(np.uint16).reshape(4, 4)
    for i in range(40):
        _save(tmp_path, scan // (1 + i % 2), f"{i}.tif")
    with pytest.warns(UserWarning, match=r"above 4095.*source_range=\(0, 4095"):
        load_images(tmp_path)
    with pytest.warns(UserWarning, match="16-bit images"):
        read_image(tmp_path / "0.tif", Fit())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = load_array(tmp_path, source_range=(0, 4095))
        assert images.max() == 1.0
        _save(tmp_path, scan * 16, "0.tif")
        _save(tmp_path, scan * 16, "9.tif")
        images = [load_images(tmp_path, split) for split in ("train",)]
        read_image(tmp_path / "0.tif", Fit())


@pytest.mark.parametrize("ending", [".jpg", ".tif", ".png", ".webp"])
def test_orientation_tag_is_applied(tmp_path, ending):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 16:] = 255  # white on the right; turned clockwise, at the bottom
    tags = Image.Exif()
    tags[0x0112] = 6
    _save(tmp_path, pixels, f"0{ending}", exif=tags, quality=95)
    image = _only(tmp_path)
    assert image.shape == read_shape(tmp_path / f"0{ending}") == (32, 16, 3)
    assert image[:12].max() < 20
    assert image[20:].min() > 235


def test_cielab_becomes_srgb(tmp_path):
    lab = np.full((4, 4, 3), [136, 80, 67], np.uint8)  # L* 53, a* 80, b* 67: red
    Image.fromarray(lab, "LAB").save(tmp_path / "0.tif")
    assert read_shape(tmp_path / "0.tif") == (4, 4, 3)
    np.testing.assert_allclose(_only(tmp_path)[0, 0], [255, 0, 0], atol=16)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_colours_with_a_profile_become_srgb(tmp_path, mode):
    """As photographs of telephones in Display P3: here red and green are swapped."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"....").replace(b"gXYZ", b"rXYZ")
    swapped = swapped.replace(b"....", b"gXYZ")
    image = Image.new("RGBA", (6, 4), (200, 30, 60, 77)).convert(mode)
    stored = np.reshape(np.asarray(image), (4, 6, -1))
    expected = stored if mode == "L" else stored[..., [1, 0, 2, 3][: len(mode)]]
    for profile, values in ((srgb, stored), (swapped, expected), (b"?", stored)):
        image.save(tmp_path / "0.png", icc_profile=profile)
        np.testing.assert_allclose(_only(tmp_path), values, atol=1)


def test_photographs_of_several_parts_are_images(tmp_path):
    """MPO, as cameras and telephones write with the ending .jpg."""
    image = Image.new("RGB", (16, 16), (90, 90, 90))
    parts = {"format": "MPO", "save_all": True, "append_images": [image]}
    image.save(tmp_path / "0.jpg", **parts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the others are no pages
        np.testing.assert_allclose(_only(tmp_path), 90, atol=2)


def test_cmyk_is_converted(tmp_path):
    """Four channels are not RGB and alpha."""
    Image.new("RGB", (8, 8), (200, 40, 40)).convert("CMYK").save(tmp_path / "0.jpg")
    assert read_shape(tmp_path / "0.jpg") == (8, 8, 3)
    np.testing.assert_allclose(_only(tmp_path)[4, 4], [200, 40, 40], atol=6)


def test_resizing_crops_the_centre_first(tmp_path):
    pixels = np.zeros((8, 24), np.uint8)
    pixels[:, 8:16] = 255
    _save(tmp_path, pixels)
    np.testing.assert_array_equal(
        _only(tmp_path, image_size=8), np.full((8, 8, 1), 255)
    )
    assert _only(tmp_path, image_size=(4, 12)).shape == (4, 12, 1)


def test_other_ways_of_resizing_keep_the_whole(tmp_path):
    """A white bar on grey, twice as wide as high, into squares of the same width."""
    pixels = np.full((8, 16), 128, np.uint8)
    pixels[:, 4:12] = 255
    _save(tmp_path, pixels)
    padded = _only(tmp_path, image_size=16, resize="pad")[..., 0]
    np.testing.assert_array_equal(padded[4:12], pixels)
    assert not padded[:4].any()
    assert not padded[12:].any()
    stretched = _only(tmp_path, image_size=16, resize="stretch")[..., 0]
    np.testing.assert_allclose(stretched, np.repeat(pixels, 2, axis=0), atol=1)
    tall = _only(tmp_path, image_size="9x4", resize="pad")[..., 0]
    assert [bool(row.any()) for row in tall] == 3 * [False] + 2 * [True] + 4 * [False]


def test_padding_is_clear_where_there_is_alpha(tmp_path):
    _save(tmp_path, np.full((4, 8, 4), 200, np.uint8))
    image = _only(tmp_path, image_size=8, resize="pad")
    assert not image[[0, 1, 6, 7]].any()
    np.testing.assert_array_equal(image[2:6], np.full((4, 8, 4), 200))


def test_resizing_does_not_alias(tmp_path):
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, ::2] = 255  # without antialiasing: all black or all white
    _save(tmp_path, pixels)
    image = _only(tmp_path, image_size=16)
    assert np.abs(image[:, 2:-2] - 127.5).max() < 6


def test_named_images_are_fitted_too(data_dir):
    kwargs = {"data_dir": data_dir, "num_images": 5}
    plain = load_array("mnist_5k", **kwargs)
    fitted = load_array("mnist_5k", image_size=(14, 14), channels=3, **kwargs)
    assert fitted.shape == (5, 14, 14, 3)
    np.testing.assert_array_equal(fitted[..., 0], fitted[..., 2])
    np.testing.assert_allclose(fitted.mean((1, 2, 3)), plain.mean((1, 2, 3)), atol=0.02)


@pytest.mark.parametrize(
    "value_range", [(0.0, 1.0), (-1.0, 1.0), (0, 255), (-0.3, 0.7)]
)
def test_value_range_is_met_exactly_or_nearly(tmp_path, value_range):
    _save(tmp_path, np.array([[0, 255, 51]], np.uint8))
    low, high = value_range
    image = _only(tmp_path, value_range=value_range)[0, :, 0]
    expected = [low, high, low + (high - low) / 5]
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-6 * (high - low))
    if value_range in ((0.0, 1.0), (-1.0, 1.0)):
        assert image[:2].tolist() == [low, high]


def test_load_array_is_the_fixed_order(folder):
    images, labels = load_array(folder, "train", labels=True)
    batches = load_images(folder, shuffle=False, batch_size=7)
    np.testing.assert_array_equal(images, np.concatenate(list(batches)))
    assert labels.tolist() == [0] * 12 + [1] * 12
    few, _ = load_array(folder, "train", num_images=5, labels=True)
    np.testing.assert_array_equal(few, images[:5])
