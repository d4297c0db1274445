import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

import export
from export.formats import saved_model
from export.serving import twins
from tfgen.data.decode import read_image
from tfgen.data.pixels import Fit

from .small import LATENTS, Endpoints

SHAPE = (24, 20, 3)
IMAGES = tf.TensorSpec((None, *SHAPE), tf.float32, name="images")
INVALID = tf.errors.InvalidArgumentError


def make(function, *specs):
    return tf.function(function, input_signature=specs)


def identity(*shape):
    """An endpoint that answers with its images."""
    spec = tf.TensorSpec((None, *shape), tf.float32, name="images")
    return {"same": make(lambda images: {"images": images}, spec)}


def make_endpoints():
    guide = tf.TensorSpec((None, 8, 8, 1), tf.float32, name="guide_images")

    def paint(latents):
        colour = tf.reshape(latents, (-1, 1, 1, 4))
        return {"x_images": tf.tile(colour, (1, 5, 7, 1)), "sum": colour[:, 0, 0, 0]}

    def guided(guide_images, images, latents):
        weight = tf.reduce_mean(guide_images, (1, 2), keepdims=True)
        return {"images": weight * images, "latents": latents}

    return {
        "invert": make(lambda images: {"images": 0.87 - images / 2}, IMAGES),
        "paint": make(paint, LATENTS),
        "measure": make(lambda images: {"mean": tf.reduce_mean(images, 1)}, IMAGES),
        "plain": make(lambda latents: {"y": latents}, LATENTS),
        "guided": make(guided, guide, IMAGES, LATENTS),
    }


def save(endpoints, folder):
    """Saves and loads endpoints and their twins, as `export_saved_model` does."""
    endpoints = twins.add_twins(endpoints)
    for function in endpoints.values():
        function.get_concrete_function()
    saved_model.write(Endpoints(), endpoints, folder)
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return save(make_endpoints(), tmp_path_factory.mktemp("twins") / "1")


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def draw(height=24, width=20, seed=0):
    """A drawing with clear ground, half clear edges and some grain."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGBA", (4 * width, 4 * height), (255, 255, 255, 0))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.integers(4 * width), rng.integers(4 * height)
        r = rng.integers(8, 2 * height)
        colour = tuple(map(int, rng.integers(0, 256, 4)))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    pixels = np.asarray(image.resize((width, height))).astype(int)
    pixels += rng.integers(-8, 9, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def deep_png(pixels, colour_type):
    """A PNG of 16 bits, which Pillow does not write in colour."""
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, chunks, chunks.values()))


def claim(png, width, height):
    """The PNG with another size in its header, and the checksum that goes with it."""
    header = struct.pack(">II", width, height) + png[24:29]
    return png[:8] + chunk(b"IHDR", header) + png[33:]


def files(height, width):
    """Every kind of picture that is read, by name."""
    image = draw(height, width)
    deep = np.asarray(image).astype(int) * 256 + np.arange(width)[:, np.newaxis]
    colour = image.convert("RGB")
    palette, clear = colour.quantize(20), bytes(range(0, 240, 12))
    exif, intel = Image.Exif(), b"II" + struct.pack("<HIHHHIHHI", 42, 8, *TAG, 0)
    exif[0x010F], exif[0x0112] = "a maker", 6
    return {
        "rgb": encode(colour),
        "rgba": encode(image),
        "grey": encode(colour.convert("L")),
        "grey alpha": encode(image.convert("LA")),
        "1 bit": encode(colour.convert("1")),
        "palette": encode(palette),
        "2-bit palette": encode(colour.quantize(4), bits=2),
        "clear palette": encode(palette, transparency=clear),
        "16-bit grey": deep_png(deep[..., :1], 0),
        "16-bit rgb": deep_png(deep[..., :3], 2),
        "16-bit grey alpha": deep_png(deep[..., [0, 3]], 4),
        "16-bit rgba": deep_png(deep, 6),
        "jpeg": encode(colour, "JPEG"),
        "progressive jpeg": encode(colour, "JPEG", progressive=True, comment=b"hi"),
        "grey jpeg": encode(colour.convert("L"), "JPEG"),
        "cmyk jpeg": encode(colour.convert("CMYK"), "JPEG"),
        "turned jpeg": encode(colour, "JPEG", exif=exif),
        "intel jpeg": encode(colour, "JPEG", exif=b"Exif\0\0" + intel),
    }


TAG = (1, 0x0112, 3, 1, 8, 0)  # one entry: orientation, a SHORT, 8
TURNED = ("turned jpeg", "intel jpeg")
PNG = encode(draw().convert("RGB"))
JPEG = encode(draw().convert("RGB"), "JPEG")
SIZED = JPEG.index(b"\xff\xc0") + 5  # where a JPEG keeps its height and width


def decode_with(endpoints, name="same_bytes", **options):
    twin = twins.add_twins(endpoints, **options)[name]

    def decode(*data):
        answer = twin(tf.constant(list(data)))["image_bytes"].numpy()
        return [np.asarray(Image.open(io.BytesIO(file))) for file in answer]

    return decode


def decode_deep_with(endpoints, **options):
    twin = twins.add_twins(endpoints, depth=16, **options)["same_bytes"]

    def decode(*data):
        answer = twin(tf.constant(list(data)))["image_bytes"].numpy()
        return [tf.io.decode_png(file, dtype=tf.uint16).numpy() for file in answer]

    return decode


def differences(path, shape, sizes, resize="crop", depth=8):
    """Yields, for each file, how far the twin is from `tfgen.data`, in levels."""
    work = decode_deep_with if depth == 16 else decode_with
    decode = work(identity(*shape), resize=resize)
    for size in sizes:
        pictures = files(*size)
        answers = decode(*pictures.values())
        for (kind, data), found in zip(pictures.items(), answers, strict=True):
            path.write_bytes(data)
            (expected,) = read_image(
                path, Fit(shape[:2], shape[2], None, resize, depth)
            )
            difference = np.abs(found.reshape(shape).astype(int) - expected)
            if shape[2] == 4:  # the colour of what is clear does not show
                difference[..., :3] *= expected[..., 3:] > 0
            yield kind, size, difference


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_the_right_size_are_what_tfgen_reads_to_the_bit(tmp_path, channels):
    for kind, _, difference in differences(
        tmp_path / "x", (24, 24, channels), [(24, 24)]
    ):
        assert not difference.any(), kind


@pytest.mark.parametrize("channels", [1, 3])
def test_other_sizes_are_what_tfgen_reads(tmp_path, channels):
    # Shrunk, enlarged, cropped at the sides: one step of rounding in 255.
    sizes = [(48, 40), (12, 10), (60, 200), (17, 30)]
    for kind, size, difference in differences(
        tmp_path / "x", (24, 20, channels), sizes
    ):
        if kind not in TURNED:
            assert difference.max() <= 1, (kind, size)


@pytest.mark.parametrize(
    ("resize", "channels"), [("crop", 3), ("pad", 4), ("stretch", 1)]
)
def test_16_bits_are_those_of_tfgen(tmp_path, resize, channels):
    """At the right size, and of another: to a level of 8 bits where edges are steep."""
    shape, sizes = (24, 20, channels), [(24, 20), (50, 41)]
    for kind, size, difference in differences(
        tmp_path / "x.png", shape, sizes, resize, depth=16
    ):
        limit = 1 if size == shape[:2] else 257
        assert difference.max() <= limit, (kind, size, difference.max())
        assert difference.mean() <= limit / 10, (kind, size, difference.mean())


@pytest.mark.parametrize(("resize", "channels"), [("pad", 4), ("stretch", 3)])
def test_other_ways_of_resizing_are_those_of_tfgen(tmp_path, resize, channels):
    sizes = [(48, 40), (30, 200), (17, 30)]
    for kind, size, difference in differences(
        tmp_path / "x", (24, 20, channels), sizes, resize
    ):
        if kind not in TURNED and kind != "1 bit":
            assert np.quantile(difference, 0.99) <= 2, (kind, size)
            if channels < 4:  # the colour of what is almost clear is any
                assert difference.max() <= 2, (kind, size)


@pytest.mark.parametrize("channels", [1, 3])
def test_tall_pictures_are_near_what_tfgen_reads(tmp_path, channels):
    # Pillow 13 takes rows first for some, others columns: edges overshoot otherwise.
    sizes = [(61, 30), (90, 21)]
    for kind, size, difference in differences(
        tmp_path / "x", (24, 20, channels), sizes
    ):
        dithered = kind == "1 bit"  # all edges
        assert difference.mean() < (4 if dithered else 0.6), (kind, size)
        assert difference.max() <= (48 if dithered else 24), (kind, size)


def test_clear_pixels_do_not_colour_their_neighbours(tmp_path):
    for kind, size, difference in differences(
        tmp_path / "x", (24, 20, 4), [(48, 40), (60, 200)]
    ):
        if kind not in TURNED:
            assert np.quantile(difference, 0.99) <= 2, (kind, size)


def test_photos_are_shown_upright(tmp_path):
    decode = decode_with(identity(24, 24, 3))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "x.jpg"
        path.write_bytes(encode(draw(24, 24).convert("RGB"), "JPEG", exif=exif))
        (expected,) = read_image(path, Fit(None, 3))
        np.testing.assert_array_equal(decode(path.read_bytes())[0], expected)


def test_broken_exif_is_no_orientation():
    image = draw().convert("RGB")
    tags = (b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff")
    data = [encode(image, "JPEG", exif=b"Exif\0\0" + exif) for exif in tags]
    late = Image.Exif()
    late[0x0112] = 3
    turned = encode(image, "JPEG", exif=late)
    data.append(turned[:2] + b"\xff\xe0\0\x02" * 1000 + turned[2:])  # given up
    plain, *found = decode_with(identity(*SHAPE))(JPEG, *data)
    for pixels in found:
        np.testing.assert_array_equal(pixels, plain)


def test_pixels_are_divided_to_the_bit(tmp_path):
    endpoints = {"a": make(lambda images: {"y": images}, IMAGES)}
    loaded = save(endpoints, tmp_path / "1")
    found = loaded.signatures["a_bytes"](image_bytes=tf.constant([PNG]))["y"][0]
    pixels = np.asarray(draw().convert("RGB"))
    np.testing.assert_array_equal(found, pixels.astype("float32") / np.float32(255))


def test_twin_answers_as_the_endpoint(loaded):
    pictures = [draw(seed=seed).convert("RGB") for seed in range(3)]
    images = np.stack(pictures).astype("float32") / 255
    data = tf.constant([encode(picture) for picture in pictures])
    run = loaded.signatures
    for rows in (slice(0, 1), slice(0, 3)):
        expected = run["measure"](images=tf.constant(images[rows]))["mean"]
        found = run["measure_bytes"](image_bytes=data[rows])["mean"]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    floats = run["invert"](images=tf.constant(images))["images"].numpy()
    answer = run["invert_bytes"](image_bytes=data)["image_bytes"].numpy()
    for file, image in zip(answer, floats, strict=True):
        found = Image.open(io.BytesIO(file))
        assert found.format == "PNG"
        np.testing.assert_array_equal(np.asarray(found), np.round(255 * image))


def test_other_inputs_and_outputs_pass(loaded):
    latents = tf.constant([[2.0, -1.0, 0.5, 1.0]])
    answer = loaded.signatures["paint_bytes"](latents=latents)
    assert answer["sum"].numpy() == [2.0]
    (file,) = answer["x_image_bytes"].numpy()
    painted = np.asarray(Image.open(io.BytesIO(file)))
    assert painted.shape == (5, 7, 4)
    assert painted[0, 0].tolist() == [255, 0, 128, 255]  # clipped, rounded
    grey = tf.constant([encode(Image.new("L", (8, 8), 255))])
    data = tf.constant([encode(draw().convert("RGB"))])
    answer = loaded.signatures["guided_bytes"](
        guide_image_bytes=grey, image_bytes=data, latents=latents
    )
    (file,) = answer["image_bytes"].numpy()
    np.testing.assert_array_equal(Image.open(io.BytesIO(file)), draw().convert("RGB"))
    np.testing.assert_array_equal(answer["latents"], latents)


def test_a_batch_may_have_no_rows(loaded):
    none = tf.zeros((0,), tf.string)
    answer = loaded.signatures["invert_bytes"](image_bytes=none)
    assert answer["image_bytes"].shape == (0,)


KIND = r"image_bytes\[1\] must be a PNG or JPEG"
BAD = {
    "empty": (b"", KIND),
    "text": (b"not an image, but long enough for a header", KIND),
    "gif": (encode(draw().convert("RGB"), "GIF"), KIND),
    "zeros before": (bytes(64) + PNG, KIND),
    "signature": (PNG[:8], KIND),
    "header": (PNG[:33], "Invalid PNG"),
    "half a png": (PNG[: len(PNG) // 2], "Invalid PNG"),
    "last byte of a png": (PNG[:-1], "Invalid PNG"),
    "zeros in a png": (PNG[:60] + bytes(len(PNG) - 60), "Invalid PNG"),
    "wrong checksum": (PNG[:29] + b"oops" + PNG[33:], "Invalid PNG"),
    "wrong size": (claim(PNG, 3000, 3000), "Invalid PNG"),
    "bomb": (claim(PNG, 100_000, 100_000), r"\[1\] is 100000 x 100000 pixels"),
    "product overflows": (claim(PNG, 2**32 - 1, 2**32 - 1), "pixels: it must have 1"),
    "product is 2**32": (claim(PNG, 2**16, 2**16), "65536 x 65536 pixels"),
    "no width": (claim(PNG, 0, 20), "0 x 20 pixels: it must have 1 to 16777216"),
    "no height": (claim(PNG, 20, 0), "20 x 0 pixels: it must have 1 to 16777216"),
    "jpeg signature": (JPEG[:3], "Invalid JPEG"),
    "half a jpeg": (JPEG[: len(JPEG) // 2], "Invalid JPEG"),
    "end of a jpeg": (JPEG[:-2], "Invalid JPEG"),
    "jpeg bomb": (
        JPEG[:SIZED] + b"\xff\xdc" * 2 + JPEG[SIZED + 4 :],
        r"\[1\] is 65500 x 65500 pixels",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_an_error_of_its_request(loaded, name):
    data, message = BAD[name]
    run = loaded.signatures["invert_bytes"]
    with pytest.raises(INVALID, match=message):
        run(image_bytes=tf.constant([PNG, data]))


def test_the_next_request_is_answered(loaded):
    run = loaded.signatures["invert_bytes"]
    with pytest.raises(INVALID):
        run(image_bytes=tf.constant([b""]))
    assert run(image_bytes=tf.constant([PNG]))["image_bytes"].shape == (1,)


def test_size_is_checked_before_pixels_are_decoded():
    twin = twins.add_twins(identity(*SHAPE), max_pixels=24 * 20)["same_bytes"]
    assert twin(tf.constant([PNG]))["image_bytes"].shape == (1,)
    for data in (claim(PNG, 20, 25)[:33], encode(Image.new("RGB", (20, 25)), "JPEG")):
        with pytest.raises(INVALID, match="is 20 x 25 pixels: it must have 1 to 480"):
            twin(tf.constant([data]))


def test_decoders_wait_for_both_checks(loaded):
    library = loaded.signatures["invert_bytes"].graph.as_graph_def().library
    bodies = [{node.name: node for node in f.node_def} for f in library.function]
    (body,) = [b for b in bodies if any(n.op == "StatelessCase" for n in b.values())]
    waiting = [name for name in body if body[name].op == "StatelessCase"]
    before = set()
    while waiting:
        name = waiting.pop()
        before.add(name)
        inputs = {i.lstrip("^").partition(":")[0] for i in body[name].input}
        waiting += inputs & set(body) - before  # the rest are arguments
    assert [body[name].op for name in before].count("Assert") == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_output_that_is_not_finite_is_an_error(loaded, value):
    with pytest.raises(INVALID, match="output 'x_images' is not finite"):
        loaded.signatures["paint_bytes"](latents=tf.constant([[0.0, 0, 0, value]]))


def test_names_and_order(loaded):
    before = make_endpoints()
    after = twins.add_twins(before)
    added = ["invert_bytes", "paint_bytes", "measure_bytes", "guided_bytes"]
    assert list(after) == [*before, *added]
    assert all(after[name] is before[name] for name in before)
    specs = after["guided_bytes"].input_signature
    assert specs[:2] == (
        tf.TensorSpec((None,), tf.string, name="guide_image_bytes"),
        tf.TensorSpec((None,), tf.string, name="image_bytes"),
    )
    assert specs[2] == LATENTS
    assert set(loaded.signatures) == {*after, "serving_default"}
    outputs = loaded.signatures["guided_bytes"].structured_outputs
    assert set(outputs) == {"image_bytes", "latents"}
    assert "images" in loaded.signatures["serving_default"].structured_outputs


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("images", (None, None, 20, 3), tf.float32),
        ("images", (None, 24, 20, None), tf.float32),
        ("images", (None, 24, 20, 2), tf.float32),
        ("images", (None, 480), tf.float32),
        ("images", (None, 24, 20, 3), tf.uint8),
        ("pictures", (None, 24, 20, 3), tf.float32),
    ],
)
def test_an_input_that_cannot_be_encoded_has_no_twin(name, shape, dtype):
    spec = tf.TensorSpec(shape, dtype, name=name)
    endpoints = {"a": make(lambda x: {"y": x}, spec)}
    assert list(twins.add_twins(endpoints)) == ["a"]


def test_an_output_may_be_of_any_size():
    spec = tf.TensorSpec((None, None, None, 1), tf.float32, name="pictures")
    twin = twins.add_twins({"a": make(lambda x: {"images": x}, spec)})["a_bytes"]
    (file,) = twin(tf.ones((1, 3, 5, 1)))["image_bytes"].numpy()
    assert Image.open(io.BytesIO(file)).size == (5, 3)


def test_taken_names_are_refused():
    same = identity(*SHAPE)["same"]
    label = tf.TensorSpec((None,), tf.string, name="image_bytes")
    both = make(lambda x, y: {"images": x, "label": y}, IMAGES, label)
    two = make(lambda x: {"images": x, "image_bytes": x}, IMAGES)
    for endpoints, message in (
        ({"a": same, "a_bytes": same}, "'a_bytes' takes the name of the twin of 'a'"),
        ({"a": both}, "'a_bytes' would have two inputs called 'image_bytes'"),
        ({"a": two}, "'a_bytes' would have two outputs called 'image_bytes'"),
        ({"a": make(lambda x: x, IMAGES)}, "'a' must return a dict"),
    ):
        with pytest.raises(export.ExportError, match=message) as error:
            twins.add_twins(endpoints)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("max_pixels", [0, -1, 2.0, True, "9"])
def test_max_pixels_must_be_a_positive_integer(max_pixels):
    with pytest.raises(export.ExportError, match="`max_pixels` must be"):
        twins.add_twins({}, max_pixels)


def test_only_operations_that_every_runtime_has(loaded):
    graph = loaded.signatures["invert_bytes"].graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    operations = {node.op for node in nodes}
    assert {"DecodePng", "DecodeJpeg", "EncodePng"} <= operations
    assert not [op for op in operations if "PyFunc" in op or "File" in op]


def test_graphics_processors_are_left_out(loaded):
    graph = loaded.signatures["invert_bytes"].graph.as_graph_def()
    nodes = [n for f in graph.library.function for n in f.node_def]
    decoders = [node for node in nodes if node.op in ("DecodePng", "ScaleAndTranslate")]
    assert decoders
    assert all(node.device.endswith("CPU:0") for node in decoders)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_example_bytes_are_the_rounded_images(channels):
    rng = np.random.default_rng(0)
    images = rng.uniform(-0.1, 1.1, size=(40, 5, 4, channels))
    data = twins.example_bytes(images)
    assert data.shape == (40,)
    assert data.dtype.kind == "S"
    expected = np.round(255 * images.clip(0, 1))
    for file, pixels in zip(data, expected, strict=True):
        found = np.asarray(Image.open(io.BytesIO(file))).reshape(5, 4, channels)
        np.testing.assert_array_equal(found, pixels)
    (found,) = decode_with(identity(5, 4, channels))(data[0])
    np.testing.assert_array_equal(found.reshape(5, 4, channels), expected[0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 5, 3)), r"Received: \(4, 5, 3\)"),
        (np.zeros((2, 4, 5, 2)), "1, 3 or 4 channels"),
        (np.zeros((0, 4, 5, 1)), r"Received: \(0, 4, 5, 1\)"),
        (np.full((1, 4, 5, 1), np.nan), "finite"),
    ],
)
def test_examples_that_are_no_images_are_refused(images, message):
    with pytest.raises(export.ExportError, match=message):
        twins.example_bytes(images)
