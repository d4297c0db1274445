import html.parser
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import export
from export.report import entry, report, wording

IMAGES = {"dtype": "float32", "shape": [None, 8, 8, 1], "range": "[0, 1]"}
LATENTS = {"dtype": "float32", "shape": [None, 4]}
DECODE = {"inputs": {"latents": LATENTS}, "outputs": {"images": IMAGES}}
NASTY = "<script>alert(\"1\")</script> & 'x'"


def make_row(endpoint="decode", **figures):
    unknown = ("tolerance", "psnr", "ssim", "floor_db", "partitions", "operations")
    row = {"endpoint": endpoint, "difference": 2e-7, **dict.fromkeys(unknown)}
    more = {"outside": {}, "agreement": {}, "ok": True, "problem": ""}
    return row | more | figures


def make_file(path="serving/vae/1", quantization="float32", **more):
    file_format = "tflite" if path.endswith(".tflite") else "saved_model"
    return {
        "path": path,
        "format": file_format,
        "quantization": quantization,
        "size_bytes": 1234567,
        "sha256": {},
        "kept_float": [],
        "rows": [make_row()],
    } | more


def make_export(name="vae", version=1, **more):
    return {
        "name": name,
        "version": version,
        "created": "2026-01-02T03:04:05+00:00",
        "description": "Digits.",
        "licence": "MIT",
        "machine": {"processor": "EPYC", "cores": 2, "system": "Linux"},
        "packages": {"python": "3.11.7", "tensorflow": "2.21.0"},
        "endpoints": {"decode": DECODE},
        "files": [make_file()],
        "latency": [],
        "pictures": [],
    } | more  # fmt: skip


def make_latency(runtime, quantization, median, threads=2, **more):
    return {
        "endpoint": "decode",
        "runtime": runtime,
        "quantization": quantization,
        "threads": threads,
        "median_ms": median,
        "p95_ms": median and 1.5 * median,
        "runs": 50,
    } | more


def make_report(*exports):
    return {"format": 1, "exports": list(exports)}


EDGE = make_file(
    "edge/vae-v1-int8.tflite",
    "int8",
    size_bytes=345678,
    rows=[
        make_row(difference=0.04, psnr=38.2, ssim=0.98141, floor_db=35.0, partitions=2,
                 operations=57, outside={"MEAN": 3, "ADD": 1},
                 agreement={"reference": 1.5e-6, "compiled_model": None}),
        make_row("encode", difference=0.07, psnr=36.1, floor_db=35.0, partitions=1,
                 operations=9),
    ],
)  # fmt: skip
LATENCY = [
    make_latency("SavedModel", "float32", 12.0),
    make_latency("SavedModel", "float32", 20.0, threads=1),
    make_latency("LiteRT", "int8", 3.0),
    make_latency("Keras predict", "float32", 60.0),
    make_latency("Keras litert export", "float32", None, problem="needs Flex"),
]


# ---- report.json ---------------------------------------------------------------------


def test_a_folder_without_a_report_has_an_empty_one(tmp_path):
    assert report.read(tmp_path) == {"format": 1, "exports": []}


def test_what_is_written_is_read(tmp_path):
    written = make_report(make_export(name="vaé", files=[make_file(), EDGE]))
    report.write(tmp_path / "new", written)
    report.write(tmp_path / "new", written)
    assert report.read(tmp_path / "new") == written
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"report.json", "report.html"}


def test_merging_sorts_replaces_and_changes_no_argument():
    before = make_report(make_export("vae", 10), make_export("vae", 2))
    kept = json.dumps(before)
    merged = report.merge(before, make_export("gan", 3))
    merged = report.merge(merged, make_export("vae", 2, description="again"))
    keys = [(e["name"], e["version"], e["description"]) for e in merged["exports"]]
    assert keys == [("gan", 3, "Digits."), ("vae", 2, "again"), ("vae", 10, "Digits.")]
    assert json.dumps(before) == kept


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b'{"format": 1, "exports": [', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "needs 'format'"),
        (b'{"format": 1}', "needs 'exports', a list"),
        (b'{"format": 1, "exports": [{"name": "vae"}]}', "an export needs 'version'"),
        (b'{"format": 1, "exports": [], "x": NaN}', "NaN is not JSON"),
        (b'{"format": 2, "files": {}}', "is of format 2, and this `export` reads 1"),
    ],
)
def test_damaged_report_is_one_clear_line(tmp_path, content, message):
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(export.ExportError, match=message) as caught:
        report.read(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "report.json") in str(caught.value)


@pytest.mark.parametrize("lost", ["path", "sha256", "rows"])
def test_damaged_file_of_an_export_is_found(tmp_path, lost):
    file = {key: value for key, value in make_file().items() if key != lost}
    damaged = make_report(make_export(files=[file]))
    (tmp_path / "report.json").write_text(json.dumps(damaged))
    with pytest.raises(export.ExportError, match=f"a file needs '{lost}'"):
        report.read(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(1)])
def test_what_is_no_json_is_refused_and_the_older_files_stay(tmp_path, value):
    report.write(tmp_path, make_report(make_export()))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    bad = make_export(files=[make_file(rows=[make_row(difference=value)])])
    with pytest.raises(export.ExportError, match="report cannot be written"):
        report.write(tmp_path, make_report(bad))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_failure_midway_leaves_the_older_files(tmp_path, monkeypatch):
    report.write(tmp_path, make_report(make_export()))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    write_text = pathlib.Path.write_text

    def fail_on_the_page(self, *args, **kwargs):
        if self.suffix == ".html":
            raise OSError("disk full")
        return write_text(self, *args, **kwargs)

    monkeypatch.setattr(pathlib.Path, "write_text", fail_on_the_page)
    with pytest.raises(OSError, match="disk full"):
        report.write(tmp_path, make_report(make_export("gan")))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_import_is_light(pytestconfig):
    code = (
        "import sys; from export.report import guide, report; "
        "assert not {'tensorflow', 'keras', 'tfgen', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=pytestconfig.rootpath, check=True)


# ---- figures in words ----------------------------------------------------------------


def test_what_matters_of_a_file_stands_beside_its_floor():
    assert wording.sentence(make_file()) == "2.0e-07 from Keras at most (decode)."
    row = make_row("b", difference=3e-6, tolerance=1e-5)
    assert wording.sentence(make_file(rows=[make_row(), row])) == (
        "3.0e-06 from Keras at most (b), where 1.0e-05 is allowed."
    )
    rows = [EDGE["rows"][0] | {"psnr": 36.06}, EDGE["rows"][1] | {"psnr": 40.0}]
    assert wording.sentence(EDGE | {"rows": rows}) == (
        "36.1 dB PSNR against Keras at worst (decode), where 35.0 dB is the floor; "
        "SSIM 0.9814."
    )
    failed = make_file(rows=[make_row(), make_row("b", ok=False, problem="NaN")])
    assert wording.sentence(failed) == "fails: b: NaN."
    assert wording.sentence(make_file(rows=[])) == "was not compared with Keras."
    nothing = make_file(rows=[make_row(difference=None)])
    assert wording.sentence(nothing) == "agrees with Keras."
    equal = make_file(rows=[make_row(difference=0.0)])
    assert wording.sentence(equal) == "the same numbers as Keras."


def test_times_have_the_speed_relative_to_the_saved_model():
    assert list(wording.times(EDGE, LATENCY)) == ["decode 3.00 ms (4.00x)"]
    assert list(wording.times(make_file(), LATENCY)) == ["decode 12.0 ms"]
    assert list(wording.times(make_file("onnx/a.onnx", format="onnx"), LATENCY)) == []


def test_runtimes_that_take_every_core_are_compared_with_what_is_nearest():
    latency = [
        make_latency("SavedModel", "float32", 8.0, threads=16),
        make_latency("LiteRT", "int8", 6.0, threads=1),
        make_latency("LiteRT", "int8", 4.0),
    ]
    assert list(wording.times(EDGE, latency)) == ["decode 4.00 ms (2.00x)"]
    assert wording.speed(latency[1], latency) == "1.33x"


def test_titles_tell_files_apart():
    onnx = make_file("onnx/vae-v1-encode.onnx", format="onnx")
    titles = [wording.title(file) for file in (make_file(), EDGE, onnx)]
    assert titles == ["SavedModel", ".tflite int8", "vae-v1-encode.onnx"]


# ---- the page ------------------------------------------------------------------------

VOID = {"meta", "img"}


class Page(html.parser.HTMLParser):
    """Parses strictly: tags balance, ids are unique, links lead somewhere."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes_of = dict(attributes)
        assert len(attributes_of) == len(attributes), f"an attribute twice: {tag}"
        self.tags.append((tag, attributes_of))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def find(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def make_page(directory, *exports):
    report.write(directory, make_report(*exports))
    text = (directory / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n<html")
    return Page(text)


def _picture(directory, name, width=8, height=8):
    (directory / "pictures").mkdir(exist_ok=True)
    pixels = np.zeros((height, width, 3), "uint8")
    Image.fromarray(pixels).save(directory / "pictures" / name)
    return f"pictures/{name}"


def test_page_tells_all_with_units(tmp_path):
    pictures = [
        {"endpoint": "decode", "label": label, "path": _picture(tmp_path, f"{i}.png")}
        for i, label in enumerate(["input", "Keras", "int8"])
    ]
    kept = EDGE | {"kept_float": ["conv_1", "conv_2"]}
    files = [make_file(sha256={"serving/vae/1/saved_model.pb": "ab" * 32}), kept]
    page = make_page(
        tmp_path, make_export(files=files, latency=LATENCY, pictures=pictures)
    )
    for words in (
        "✓ All agree with Keras: 2 files, 3 checks passed.",
        "serving/vae/1 · saved_model · float32 · 1.23 MB",
        "0.04",
        "38.2 dB (≥ 35.0 dB)",
        "0.9814",
        "2 (57 operations)",
        "1 ADD, 3 MEAN",
        "reference 1.5e-06",
        "2 layers kept in higher precision conv_1, conv_2",
        "LiteRT int8, 2 threads 3.00 ms 4.50 ms 4.00x 50",
        "SavedModel float32, 1 thread 20.0 ms 30.0 ms 1.00x 50",
        "needs Flex",
        "SavedModel , 1.23 MB: 2.0e-07 from Keras at most (decode). "
        "Median latency: decode 12.0 ms.",
        ".tflite int8 , 346 kB: 36.1 dB PSNR against Keras at worst (encode), where "
        "35.0 dB is the floor. Median latency: decode 3.00 ms (4.00x).",
        "latents : float32 (batch, 4)",
        "images : float32 (batch, 8, 8, 1) in [0, 1]",
        "2026-01-02T03:04:05+00:00 · EPYC · 2 cores · Linux",
        "python 3.11.7 · tensorflow 2.21.0",
        "Data: MIT",
        "ab" * 32,
    ):
        assert words in page.text.replace("\u00a0", " "), words
    assert [image["alt"] for image in page.find("img")] == [
        "decode: input",
        "decode: Keras",
        "decode: int8",
    ]


def test_page_leads_with_the_picture_that_shows_most(tmp_path):
    pictures = [
        {"endpoint": endpoint, "label": label, "path": _picture(tmp_path, "p.png")}
        for endpoint, label in (("decode", "Keras"), ("paint", "input"))
    ]
    page = make_page(tmp_path, make_export(pictures=pictures, latency=LATENCY))
    order = ["paint", "In short", "More pictures", "Files and endpoints"]
    places = [page.text.index(words) for words in order]
    assert places == sorted(places)
    assert [image["alt"] for image in page.find("img")] == [
        "paint: input",
        "decode: Keras",
    ]


def test_page_is_self_contained_and_fits_phones_and_the_dark(tmp_path):
    path = _picture(tmp_path, "strip.png", width=64, height=16)
    picture = {"endpoint": "decode", "label": "Keras", "path": path}
    page = make_page(tmp_path, make_export(pictures=[picture]))
    text = (tmp_path / "report.html").read_text()
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "form"}
    assert "http" not in text
    (image,) = page.find("img")
    assert image["src"].startswith("data:image/png;base64,iVBOR")
    assert (image["width"], image["height"]) == ("448", "112")
    assert "prefers-color-scheme: dark" in text
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in (
        page.find("meta")
    )
    assert all(cell.get("data-label") for cell in page.find("td"))


def test_failures_are_told_in_words(tmp_path):
    rows = [
        make_row(),
        make_row("encode", ok=False, difference=0.5, tolerance=1e-5),
        make_row("", ok=False, difference=None, problem="cannot be run: boom"),
    ]
    text = make_page(tmp_path, make_export(files=[make_file(rows=rows)])).text
    assert "✗ Not all agree with Keras: 2 of 3 checks failed." in text
    assert "serving/vae/1, encode: differs from Keras" in text
    assert "serving/vae/1, the whole file: cannot be run: boom" in text
    assert "✓ agrees" in text
    assert text.count("✗ fails") == 2
    unchecked = make_page(tmp_path, make_export(files=[make_file(rows=[])])).text
    assert "Nothing was compared with Keras" in unchecked
    assert "All agree" not in unchecked


def test_no_text_becomes_markup(tmp_path):
    def spoil(value):
        if isinstance(value, dict):
            return {
                (key + NASTY if key in spoiled_keys else key): spoil(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [spoil(item) for item in value]
        return value + NASTY if isinstance(value, str) else value

    spoiled_keys = {"decode", "latents", "images", "python", "MEAN", "reference", "a"}
    _picture(tmp_path, "0.png")
    nasty = make_export(
        files=[EDGE | {"sha256": {"a": "0"}, "kept_float": ["conv"]}],
        latency=LATENCY,
        pictures=[{"endpoint": "decode", "label": "input", "path": "pictures/0.png"}],
    )
    clean, dirty = (make_page(tmp_path, e) for e in (nasty, spoil(nasty)))
    count = {tag for tag, _ in dirty.tags} - {tag for tag, _ in clean.tags}
    assert count <= {"p"}  # in place of the picture, whose path is spoiled
    assert dirty.text.count(NASTY) > 30
    safe = {key for _, a in clean.tags for key in a}
    assert {key for _, a in dirty.tags for key in a} <= safe


def test_label_of_a_picture_cannot_leave_its_attribute(tmp_path):
    path = _picture(tmp_path, "0.png")
    picture = {"endpoint": "decode", "label": '" onload="x', "path": path}
    (image,) = make_page(tmp_path, make_export(pictures=[picture])).find("img")
    assert image["alt"] == 'decode: " onload="x'
    assert "onload" not in image


def test_pictures_are_taken_from_the_folder_only(tmp_path):
    inside = tmp_path / "dir"
    inside.mkdir()
    _picture(tmp_path, "secret.png")
    (inside / "text.png").write_text("no PNG")
    paths = ["../pictures/secret.png", "gone.png", "text.png", "."]
    pictures = [{"endpoint": "decode", "label": p, "path": p} for p in paths]
    page = make_page(inside, make_export(pictures=pictures))
    assert page.find("img") == []
    assert page.text.count("is not a PNG file of this folder") == len(paths)


def test_bars_are_proportional_or_logarithmic(tmp_path):
    def widths(latency):
        page = make_page(tmp_path, make_export(latency=latency))
        bars = [a["style"] for a in page.find("div") if a.get("class") == "bar"]
        return [float(bar.removeprefix("width:")[:-1]) for bar in bars], page.text

    near, text = widths(
        [make_latency("SavedModel", "float32", 20.0), make_latency("LiteRT", "int8", 5)]
    )
    assert near == [pytest.approx(100 / 1.5, abs=0.1), pytest.approx(25 / 1.5, abs=0.1)]
    assert "0 to 30.0 ms" in text
    far, text = widths(
        [make_latency("SavedModel", "float32", 50), make_latency("LiteRT", "int8", 0.1)]
    )
    assert "0.01 to 100 ms, logarithmic" in text
    assert far == [pytest.approx(92.5, abs=0.1), pytest.approx(25.0, abs=0.1)]


def test_several_exports_have_a_table_of_contents(tmp_path):
    page = make_page(tmp_path, make_export("gan", 2), make_export("vae", 1))
    links = [a["href"] for a in page.find("a")]
    assert links == [f"#{section['id']}" for section in page.find("section")]
    assert len(set(links)) == 2
    assert "Nothing was exported yet." in make_page(tmp_path).text


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_pictures_show_the_first_three_channels_of_many(tmp_path, channels):
    images = np.random.default_rng(0).uniform(size=(2, 96, 8, channels))
    entry.save_strip(tmp_path / "strips" / "strip.png", images)
    with Image.open(tmp_path / "strips" / "strip.png") as picture:
        pixels = np.asarray(picture).reshape(96, 16, -1)
    shown = min(channels, 4 if channels == 4 else 3)
    expected = np.round(255 * np.concatenate(list(images), axis=1)[..., :shown])
    np.testing.assert_array_equal(pixels[..., :shown], expected)
