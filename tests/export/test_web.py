"""The page that runs an export, driven in a headless Chromium."""

import base64
import functools
import http.server
import importlib
import json
import re
import shutil
import threading
import time
import urllib.request

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import export
from export.formats import web
from export.verify import golden
from export.verify.chromium import find_chromium, open_page
from export.web import runtimes
from export.web.runtimes import find_runtimes
from export.web.server import HOST, _Handler, serving
from tests.made_once import made_once

from .small import IMAGES, LABELS, LATENTS

REDS = tf.TensorSpec((None, 8, 8, 3), tf.float32, name="images")
# A GPU in software, and a webcam that films a test pattern.
GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
GPU += ("--enable-unsafe-swiftshader",)
WEBCAM = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


class Everything(keras.Model):
    """Translates in two ways, generates images of a class, and edits them."""

    num_classes = 2

    def __init__(self):
        super().__init__()
        conv = keras.layers.Conv2D
        self.ab = conv(3, 3, padding="same", activation="sigmoid")
        self.ba = conv(1, 1, activation="sigmoid")  # whatever the tile
        self.ba(self.ab(keras.Input((8, 8, 1))))
        self.dense = keras.layers.Dense(64, activation="sigmoid")
        self.dense(keras.Input((4,)))
        self.built = True

    def signatures(self):
        images_a = tf.TensorSpec(IMAGES.shape, tf.float32, name="images_a")

        @tf.function(input_signature=[images_a])  # as of a CycleGAN
        def translate_ab(images_a):
            return {"images": self.ab(images_a)}

        @tf.function(input_signature=[REDS])
        def translate_ba(images):
            return {"images": self.ba(images)}

        @tf.function(input_signature=[LATENTS, LABELS])
        def generate(latents, labels):
            shift = tf.cast(labels, tf.float32)[:, tf.newaxis]
            return {"images": tf.reshape(self.dense(latents + shift), (-1, 8, 8, 1))}

        endpoints = (translate_ab, translate_ba, generate)
        return dict(
            zip(("translate_ab", "translate_ba", "generate"), endpoints, strict=True)
        )


class Inverse(keras.Model):
    """Reconstructs, and nothing else."""

    def __init__(self):
        super().__init__()
        self.conv = keras.layers.Conv2D(1, 1, activation="sigmoid")
        self.conv(keras.Input((8, 8, 1)))
        self.built = True

    def signatures(self):
        @tf.function(input_signature=[IMAGES])
        def reconstruct(images):
            return {"images": self.conv(images)}

        return {"reconstruct": reconstruct}


PAGE = {
    "classes": ["<img src=x onerror=alert(1)>", "one"],
    "directions": [{"label": "up", "vector": [1.0, 0, 0, 0], "span": 2}],
}


@pytest.fixture(scope="module")
def packages():
    """A folder of npm packages; skips without one, and without a browser."""
    if find_chromium() is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    with find_runtimes(None, True, lambda step: None) as found:
        if found.packages is None:
            pytest.skip("no npm package @litertjs/core: npm install @litertjs/core")
        yield found.packages


@pytest.fixture(scope="module")
def site(bundle, packages, tmp_path_factory):
    """One page with three models; the browser has seen the last one when exported."""

    def make(folder):
        keras.utils.set_random_seed(0)
        options = {"latency_seconds": 0, "web_runtime": packages, "licence": "CC0"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("export.formats.web.find_chromium", lambda: None)
            export.add_to_page(bundle, folder, packages)
            model, kinds = Everything(), ["float32", "dynamic_int8", "int8"]
            data = {
                name: {
                    spec.name: np.ones((2, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
                    for spec in function.input_signature
                }
                for name, function in model.signatures().items()
            }
            options |= {"quantizations": kinds, "representative_data": data}
            export.export_model(
                model, folder, "all", formats=["web"], page=PAGE, **options
            )
        options = {"latency_seconds": 0, "web_runtime": packages, "page": {"depth": 16}}
        export.export_model(
            Inverse(), folder, "inverse", formats=["web", "onnx"], **options
        )

    return made_once(tmp_path_factory, "site", make)


@pytest.fixture(scope="module")
def browser(site):
    with serving(site) as address, open_page("--disable-gpu", *WEBCAM) as page:
        page.address = address
        yield page


def show(browser, model, width=1280):
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=width < 500,
    )
    browser.call("Page.navigate", url="about:blank")
    browser.open(f"{browser.address}index.html#{model}")


def picture(browser, selector="#output"):
    script = f"document.querySelector({json.dumps(selector)}).toDataURL()"
    return browser.evaluate(script)


def text(browser, selector="body"):
    return browser.evaluate(f"document.querySelector('{selector}').innerText")


def wait_for(condition, seconds=60):  # a busy machine is slow, not wrong
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)
    return value


def changes(browser, act, selector="#output"):
    before = settled(browser, selector)
    act()
    wait_for(lambda: picture(browser, selector) != before)


def settled(browser, selector):
    wait_for(lambda: picture(browser, selector) == picture(browser, selector))
    time.sleep(0.2)
    return picture(browser, selector)


def box(browser, selector):
    script = f"document.querySelector({json.dumps(selector)})"
    browser.evaluate(f"{script}.scrollIntoView({{block: 'center'}})")
    keys = "({x, y, width, height}) => [x, y, width, height]"
    return browser.evaluate(f"({keys})({script}.getBoundingClientRect())")


def drag(browser, selector, path):
    """Draws through points, as parts of the element's width and height."""
    x, y, width, height = box(browser, selector)
    points = [(x + width * across, y + height * down) for across, down in path]
    for kind, (px, py) in zip(
        ["mousePressed", *["mouseMoved"] * (len(points) - 1)], points, strict=True
    ):
        browser.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=px,
            y=py,
            button="left",
            buttons=1,
            clickCount=1,
        )
    px, py = points[-1]
    browser.call(
        "Input.dispatchMouseEvent", type="mouseReleased", x=px, y=py, button="left"
    )


def press(browser, selector, key):
    browser.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
    for kind in ("keyDown", "keyUp"):
        code = {"ArrowRight": 39, "End": 35}.get(key, 0)
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code
        )


def click(browser, label):
    browser.evaluate(
        "[...document.querySelectorAll('button')]"
        f".find((b) => b.textContent === {json.dumps(label)}).click()"
    )


def open_file(browser, file, number=0):
    document = browser.call("DOM.getDocument")["root"]["nodeId"]
    selector = "input[type=file]"
    nodes = browser.call("DOM.querySelectorAll", nodeId=document, selector=selector)
    node = nodes["nodeIds"][number]
    browser.call("DOM.setFileInputFiles", files=[str(file)], nodeId=node)


def choose(browser, label, option):
    """Chooses the first option that starts with a text, as a user does."""
    browser.evaluate(
        "(() => { const list = [...document.querySelectorAll('label')]"
        f".find((l) => l.textContent.startsWith({json.dumps(label)}))"
        ".querySelector('select'); list.value = [...list.options]"
        f".find((o) => o.textContent.startsWith({json.dumps(option)})).value;"
        "list.dispatchEvent(new Event('change')); })()"
    )


# ---- The page ------------------------------------------------------------------------


def test_latent_variables_are_moved_by_key_mouse_and_button(browser):
    show(browser, "digits")
    changes(browser, lambda: press(browser, "label.slider input", "ArrowRight"))
    changes(browser, lambda: drag(browser, ".map", [(0.5, 0.5), (0.9, 0.1)]))
    changes(browser, lambda: press(browser, ".map", "ArrowRight"))
    changes(browser, lambda: click(browser, "Another sample"))


def test_what_is_drawn_opened_dropped_or_filmed_is_reconstructed(browser, tmp_path):
    show(browser, "digits")
    rebuilt = "canvas[aria-label=reconstruction]"
    line = [(0.2, 0.2), (0.8, 0.4), (0.3, 0.9)]
    changes(browser, lambda: drag(browser, "canvas.pad", line), rebuilt)
    picture_file = tmp_path / "photo.png"
    Image.fromarray(np.full((30, 40, 3), 200, "uint8")).save(picture_file)
    changes(browser, lambda: open_file(browser, picture_file), rebuilt)
    changes(browser, lambda: browser.evaluate(DROP), rebuilt)
    changes(browser, lambda: click(browser, "Webcam"), rebuilt)
    click(browser, "Webcam")
    changes(browser, lambda: press(browser, ".pair .slider input", "End"), rebuilt)
    (tmp_path / "notes.png").write_text("no picture")
    open_file(browser, tmp_path / "notes.png")
    wait_for(lambda: "notes.png is not a picture" in text(browser, "#agreement"))


# Drops a picture of one grey as a file.
DROP = """(async () => {
  const canvas = new OffscreenCanvas(9, 9);
  canvas.getContext("2d").fillRect(0, 0, 5, 9);
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([await canvas.convertToBlob()], "grey.png"));
  document.querySelector("canvas.pad")
    .dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
})()"""


def test_a_model_that_reconstructs_alone_has_that(browser):
    show(browser, "inverse")
    line = [(0.2, 0.2), (0.8, 0.4)]
    rebuilt = "#output-reconstruct"
    changes(browser, lambda: drag(browser, "canvas.pad", line), rebuilt)
    assert "It is read with 8 bits." in browser.evaluate("document.body.innerText")


def test_quantization_and_threads_change_under_the_same_picture(browser):
    show(browser, "all")
    assert "agrees with Keras" in text(browser, "#agreement")
    before = settled(browser, "#output")
    choose(browser, "File", "dynamic_int8")
    wait_for(lambda: "at least 35 dB" in text(browser, "#agreement"))
    choose(browser, "File", "int8")
    wait_for(lambda: "at least 30 dB" in text(browser, "#agreement"))
    assert "NOT" not in text(browser, "#agreement")
    choose(browser, "Threads", "2")
    wait_for(lambda: "2 threads" in text(browser, "#engine"))
    wait_for(lambda: "ms a frame" in text(browser, "#engine"))
    assert browser.evaluate("window.crossOriginIsolated")
    assert "CC0" in text(browser, "#licence")
    choose(browser, "File", "float32")
    wait_for(lambda: picture(browser) == before)


def test_samples_follow_seed_class_walk_and_direction(browser):
    show(browser, "all")
    tile = ".grid canvas"
    changes(browser, lambda: click(browser, "Next"), tile)
    changes(browser, lambda: choose(browser, "Class", "one"))
    changes(browser, lambda: click(browser, "Walk"))
    click(browser, "Walk")
    changes(browser, lambda: press(browser, ".columns .slider input", "ArrowRight"))
    assert "<img src=x" in text(browser)  # as text
    assert browser.evaluate("document.querySelector('main img')") is None


def test_both_directions_translate_and_large_pictures_in_tiles(browser, tmp_path):
    show(browser, "all")
    line = [(0.2, 0.2), (0.8, 0.4), (0.3, 0.9)]
    changes(browser, lambda: drag(browser, "canvas.pad", line), "#output-translate_ab")
    picture_file = tmp_path / "photo.png"
    ramp = np.broadcast_to(np.arange(21)[:, np.newaxis] * 12, (15, 21, 3))
    Image.fromarray(ramp.astype("uint8")).save(picture_file)
    open_file(browser, picture_file, 1)
    output = "document.querySelector('#output-translate_ba')"
    size = f"`${{{output}.width}} ${{{output}.height}}`"
    wait_for(lambda: browser.evaluate(size) == "21 15")
    pixels = f"[...{output}.getContext('2d').getImageData(0, 0, 21, 15).data]"

    def translated():
        values = np.reshape(browser.evaluate(pixels), (15, 21, 4))[..., 0]
        steps = np.sign(np.diff(values, axis=1))
        is_ramp = steps.all() and np.ptp(steps) == 0  # where it was, tile after tile
        return is_ramp and np.ptp(values, axis=0).max() <= 1

    wait_for(translated)


def test_narrow_screens_and_dark_ones(browser):
    colours = set()
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.call("Emulation.setEmulatedMedia", features=features)
        for model in ("digits", "all", "inverse"):
            show(browser, model, width=390)
            assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        script = "getComputedStyle(document.body).backgroundColor"
        colours.add(browser.evaluate(script))
    assert len(colours) == 2
    shot = browser.call("Page.captureScreenshot", format="png")["data"]
    assert base64.b64decode(shot).startswith(b"\x89PNG")


def test_no_error_and_no_request_to_another_host(browser):
    """Of all that the tests above did."""
    show(browser, "digits")
    methods = [event["method"] for event in browser.events]
    assert "Runtime.exceptionThrown" not in methods
    requests = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    local = (browser.address, "blob:", "data:", "about:")
    assert len(requests) > 10
    assert [url for url in requests if not url.startswith(local)] == []
    errors = [
        event["params"]["entry"]["text"]
        for event in browser.events
        if event["method"] == "Log.entryAdded"
        and event["params"]["entry"]["level"] == "error"
    ]
    errors += [
        str(event["params"]["args"])
        for event in browser.events
        if event["method"] == "Runtime.consoleAPICalled"
        and event["params"]["type"] == "error"
    ]
    assert errors == []


# ---- The runtimes --------------------------------------------------------------------


def test_onnx_runtime_is_the_second_way_and_else_the_page_says_why(
    browser, site, tmp_path
):
    folder = shutil.copytree(site, tmp_path / "site")
    shutil.rmtree(folder / "web/runtime/litert/wasm")
    with serving(folder) as address:
        browser.open(f"{address}index.html#inverse")
        wait_for(lambda: "ONNX Runtime Web" in text(browser, "#engine"))
        assert "agrees with Keras" in text(browser, "#agreement")
        shutil.rmtree(folder / "web/runtime/onnx")
        browser.call("Page.navigate", url="about:blank")
        with pytest.raises(export.ExportError, match=r"LiteRT\.js.*ONNX"):
            browser.open(f"{address}index.html#inverse")
        assert "cannot be run here: LiteRT.js: " in text(browser, "#view")


def test_webgpu_runs_where_asked_and_never_in_software_by_itself(site):
    with serving(site) as address, open_page(*GPU) as page:
        page.open(f"{address}index.html#all")
        if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
            pytest.skip("this Chromium has no WebGPU adapter, not even in software")
        wait_for(lambda: "1 thread ·" in text(page, "#engine"))
        choose(page, "On", "GPU")
        wait_for(lambda: "WebGPU ·" in text(page, "#engine"))
        assert "agrees with Keras" in text(page, "#agreement")
        changes(page, lambda: click(page, "Another sample"))
        # Where it fails the page goes on, on the CPU.
        lost = (
            "GPUAdapter.prototype.requestDevice = () => Promise.reject(Error('lost'))"
        )
        page.call("Page.addScriptToEvaluateOnNewDocument", source=lost)
        page.open(f"{address}index.html?on=gpu#all")
        assert "agrees with Keras" in text(page, "#agreement")
        assert "on the CPU; WebGPU: " in text(page, "#agreement")


class _Cdn(_Handler):
    """Packages as a CDN has them: below their version, for pages of other hosts."""

    def translate_path(self, path):
        return super().translate_path(re.sub(r"@[\d.]+/", "/", path))

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()


def test_without_a_copy_the_cdn_is_held_to_its_hashes(
    browser, site, packages, tmp_path, monkeypatch
):
    folder = shutil.copytree(site, tmp_path / "site")
    shutil.rmtree(folder / "web/runtime")
    copy = shutil.copytree(packages / "@litertjs", tmp_path / "cdn/@litertjs")
    handler = functools.partial(_Cdn, directory=str(tmp_path / "cdn"))
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as cdn:
        threading.Thread(target=cdn.serve_forever, daemon=True).start()
        pinned = runtimes.read_cdn()
        base = f"http://{HOST}:{cdn.server_port}/"
        monkeypatch.setattr(runtimes, "read_cdn", lambda: {**pinned, "base": base})
        web.write(folder, json.loads((folder / "report.json").read_text()))
        with serving(folder) as address:
            browser.open(f"{address}index.html#inverse")
            assert "agrees with Keras" in text(browser, "#agreement")
            wasm = copy / "core/wasm/litert_wasm_threaded_internal.wasm"
            wasm.write_bytes(wasm.read_bytes() + b"\0")
            browser.call("Page.navigate", url="about:blank")
            with pytest.raises(export.ExportError, match="Failed to fetch"):
                browser.open(f"{address}index.html#inverse")
        cdn.shutdown()


def test_the_server_sends_what_threads_and_wasm_need(site):
    with serving(site) as address:
        path = "web/runtime/litert/wasm/litert_wasm_internal.wasm"
        with urllib.request.urlopen(address + path) as answer:
            headers = answer.headers
    assert headers["Content-Type"] == "application/wasm"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert address.startswith("http://127.0.0.1:")


# ---- The check -----------------------------------------------------------------------


def skip_processes(monkeypatch):
    """Leaves out of `check` what is tested elsewhere, and takes long."""
    module = importlib.import_module("export.check")
    monkeypatch.setattr(module, "check_file", lambda *arguments: [])


def test_the_report_tells_of_the_browser(site):
    report = json.loads((site / "report.json").read_text())
    (described,) = [x for x in report["exports"] if x["name"] == "inverse"]
    (file,) = [file for file in described["files"] if file["format"] == "tflite"]
    assert 0 <= file["rows"][0]["agreement"]["browser"] <= file["rows"][0]["tolerance"]
    assert "browser" in (site / "report.html").read_text()


def test_check_runs_every_file_in_the_browser_and_finds_faults(
    site, tmp_path, monkeypatch
):
    from .small import largest_buffer

    folder = shutil.copytree(site, tmp_path / "site")
    flipped = folder / "edge/digits-v1-float32.tflite"
    start, length = largest_buffer(flipped)
    content = bytearray(flipped.read_bytes())
    middle, end = start + length // 2, start + length
    content[middle:end] = bytes(255 - value for value in content[middle:end])
    flipped.write_bytes(content)
    swapped = folder / "edge/digits-v1-float16.tflite"
    goldens = golden.read(swapped)
    goldens["reconstruct"], goldens["negative"] = (
        goldens["negative"],
        goldens["reconstruct"],
    )
    golden.write(golden.path_of(swapped), goldens, "float16")
    skip_processes(monkeypatch)
    monkeypatch.setattr("export.verify.browser._GPU", GPU)  # where there is one
    with pytest.raises(export.CheckError) as caught:
        export.check(folder, web=True, require_report=False)
    rows = caught.value.results
    assert {"browser"} <= {row.format for row in rows} <= {"browser", "browser-gpu"}
    failed = {(row.file.stem, row.endpoint) for row in rows if not row.ok}
    assert ("digits-v1-float16", "reconstruct") in failed
    assert ("digits-v1-float16", "negative") in failed
    assert "digits-v1-float32" in {stem for stem, _ in failed}
    passed = {(row.file.stem, row.endpoint) for row in rows if row.ok} - failed
    assert ("digits-v1-float16", "decode") in passed
    for kind in ("float32", "dynamic_int8", "int8"):
        for endpoint in ("translate_ab", "translate_ba", "generate"):
            assert (f"all-v1-{kind}", endpoint) in passed


def test_a_page_that_was_changed_is_named(site, tmp_path, monkeypatch):
    skip_processes(monkeypatch)
    folder = shutil.copytree(site, tmp_path / "site")
    (folder / "web/demo.js").write_text("alert(1)")
    (folder / "web/more.js").write_text("")
    with pytest.raises(export.CheckError) as caught:
        export.check(folder)
    assert "web/demo.js: has changed" in str(caught.value)
    assert "web/more.js: is not in SHA256SUMS" in str(caught.value)


def test_a_folder_without_a_page_is_named(bundle):
    with pytest.raises(export.ExportError, match="has no page: export with"):
        export.check(bundle, web=True)
