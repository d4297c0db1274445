"""What photographs of 256 pixels take: python tests/benchmarks/photographs.py [NAME …]

For `pix2pix_256` and `cyclegan_256`, by default, on noise, as the presets are, with
`--recompute`, and with gradients of four batches accumulated (`--accumulate 4`), each
in a process of its own:

- `first step`: seconds from the start of the process to the end of the first step;
- `step`: milliseconds, the median of the steps after it;
- `peak`: resident memory in MB at the end, and what the steps added to it;
- `export`: seconds that a SavedModel and a .tflite file took, both checked;
- and the latency of each endpoint at batch 1, of both.

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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from rounds import resident

PRESETS = ("pix2pix_256", "cyclegan_256")
VARIANTS = {
    "as it is": {},
    "recompute": {"recompute": True},
    "accumulate 4": {"accumulate": 4},
}


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
    model.fit(data, verbose=0, shuffle=False, callbacks=[note])
    steps = [b - a for a, b in itertools.pairwise(times[1:])]
    figures["first step"] = times[1] - times[0]
    figures["step"] = 1e3 * statistics.median(steps)
    figures["peak"] = resident(peak=True)
    figures["added"] = figures["peak"] - before
    if options["seconds"] and not options["variant"]:
        figures |= ship(model, name, options["seconds"])
    print(json.dumps(figures), flush=True)


def ship(model, name, seconds):
    """Returns what an export takes, and the latency of what it wrote."""
    import export

    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        export.export_model(model, f"{folder}/plain", name, latency_seconds=0.0)
        taken = time.time() - start
        report = export.export_model(
            model, f"{folder}/timed", name, latency_seconds=seconds
        )
    rows = [row for row in report["latency"] if not row.get("problem")]
    keys = ("endpoint", "runtime", "quantization", "threads", "median_ms")
    return {"export": taken, "latency": [[row[key] for key in keys] for row in rows]}


def measure(name, variant, options):
    command = [sys.executable, __file__, name, "--worker"]
    overrides = {**options["overrides"], **VARIANTS[variant]}
    values = {**options, "overrides": overrides, "variant": VARIANTS[variant]}
    command.append(json.dumps(values | {"start": time.time()}))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=PRESETS, metavar="PRESET")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each endpoint")
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
        shipped = {}
        for variant in VARIANTS:
            figures = measure(name, variant, options)
            cells = [figures[key] for key in ("first step", "step", "peak", "added")]
            numbers = "{:14.1f}{:10.0f}{:10.0f}{:8.0f}".format(*cells)
            print(f"{name:14}{variant:14}{numbers}", flush=True)
            shipped |= {k: figures[k] for k in ("export", "latency") if k in figures}
        if shipped:
            print(f"{name}: exported and checked in {shipped['export']:.1f} s")
        for endpoint, runtime, kind, threads, median in shipped.get("latency", ()):
            label = f"{endpoint}: {runtime} {kind}, {threads} thread(s)"
            print(f"{label:60}{median:10.1f} ms", flush=True)


if __name__ == "__main__":
    main()
