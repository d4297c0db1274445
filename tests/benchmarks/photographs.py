"""What photographs of 256 pixels take: python tests/benchmarks/photographs.py [NAME …]

For `pix2pix_256` and `cyclegan_256`, by default, on noise, as the presets are, with
`--recompute`, and with gradients of four batches accumulated (`--accumulate 4`), each
in a process of its own:

- `first step`: seconds from the start of the process to the end of the first step;
- `step`: milliseconds, the median of the steps after it;
- `peak`: resident memory in MB at the end, and what the steps added to it;
- `export`: seconds that a SavedModel and a .tflite file took, both checked;
- and the latency of each endpoint at batch 1: of both and of Keras's `predict`, in
  turn; `--seconds 0` leaves it out, and `--steps 0` the training.

Reads /proc, so it needs Linux.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from rounds import resident

PRESETS = ("pix2pix_256", "cyclegan_256")
VARIANTS = {
    "as it is": {},
    "recompute": {"recompute": True},
    "accumulate 4": {"accumulate": 4},
}
KEYS = ("endpoint", "runtime", "quantization", "threads", "median_ms")


def work(name, options):
    """Prints the figures of one variant as JSON; runs in a process of its own."""
    import keras
    import numpy as np
    import tensorflow as tf

    import tfgen
    from tfgen.training.fitting import accumulate

    figures, times = {}, [options["start"]]
    overrides = dict(options["overrides"])
    batches = overrides.pop("accumulate", 1)
    model = tfgen.create_model(name, seed=0, num_steps=1000, **overrides)
    if batches > 1:
        accumulate(model, batches)
    before = resident(peak=True)
    size = overrides.get("image_size", 256)
    shape = (options["steps"] + 1, size, size, 3)
    parts = tuple(np.random.default_rng(i).random(shape, "f4") for i in range(2))
    data = tf.data.Dataset.from_tensor_slices(parts).batch(1)
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.time())
    )
    if options["steps"]:
        model.fit(data, verbose=0, shuffle=False, callbacks=[note])
        steps = [b - a for a, b in itertools.pairwise(times[1:])]
        figures["first step"] = times[1] - times[0]
        figures["step"] = 1e3 * statistics.median(steps)
        figures["peak"] = resident(peak=True)
        figures["added"] = figures["peak"] - before
        print(json.dumps(figures), flush=True)
    if not options["variant"]:
        print(json.dumps(ship(model, name, options["seconds"])), flush=True)


def ship(model, name, seconds):
    """Returns what an export takes, and the latency of what it wrote.

    Without the file of Keras's own exporter, which takes seconds a call.
    """
    import export
    from export.formats.endpoint_model import EndpointModel
    from export.verify import golden, latency

    with tempfile.TemporaryDirectory() as folder:
        folder, start = Path(folder), time.time()
        report = export.export_model(model, folder, name, latency_seconds=0.0)
        figures = {"export": time.time() - start, "latency": []}
        saved, edge = (folder / file["path"] for file in report["files"])
        contents = {"float32": edge.read_bytes()}
        for endpoint, example in golden.read(edge).items() if seconds else ():
            row = golden.split_rows(example.inputs)[0]
            keras_model = EndpointModel(None, model.signatures()[endpoint])
            variants = latency.keras_variants(endpoint, row, keras_model)[:1]
            variants += latency.exported_variants(endpoint, row, saved, contents)
            rows = latency.run(variants, seconds)
            figures["latency"] += [[getattr(x, key) for key in KEYS] for x in rows]
    return figures


def measure(name, variant, options):
    """Yields the figures of one variant, each as soon as it is there."""
    overrides = {**options["overrides"], **VARIANTS[variant]}
    values = {**options, "overrides": overrides, "variant": VARIANTS[variant]}
    command = [sys.executable, __file__, name, "--worker"]
    command.append(json.dumps(values | {"start": time.time()}))
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as worker:
            for line in worker.stdout:
                if line.startswith("{"):
                    yield json.loads(line)
        if worker.returncode:
            errors.seek(0)
            sys.exit(errors.read())


def show(name, variant, figures):
    """Prints a row of training, or what an export took."""
    if "step" in figures:
        cells = [figures[key] for key in ("first step", "step", "peak", "added")]
        numbers = "{:14.1f}{:10.0f}{:10.0f}{:8.0f}".format(*cells)
        print(f"{name:14}{variant:14}{numbers}", flush=True)
        return
    print(f"{name}: exported and checked in {figures['export']:.1f} s", flush=True)
    for endpoint, runtime, kind, threads, median in figures["latency"]:
        label = f"{endpoint}: {runtime} {kind}, {threads} thread(s)"
        print(f"{label:60}{median:10.1f} ms", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=PRESETS, metavar="PRESET")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each endpoint")
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--overrides", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.presets[0], arguments.worker)
        return
    options = {key: getattr(arguments, key) for key in ("steps", "seconds")}
    options["overrides"] = arguments.overrides
    print(
        f"{'':14}{'':14}{'first step s':>14}{'step ms':>10}{'peak MB':>10}{'added':>8}"
    )
    for name in arguments.presets:
        for variant in arguments.variants:
            for figures in measure(name, variant, options):
                show(name, variant, figures)


if __name__ == "__main__":
    main()
