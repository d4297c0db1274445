"""Seconds from the start of a process to the end of its first step, and memory.

    python tests/benchmarks/first_step.py [NAME ...] [--rounds 3] [--cpu]

For the models of workloads.py, on noise in memory, by `fit`:

- `tfgen`: as the presets compile it;
- `tutorial`: the step of the Keras examples (tutorials.py) without XLA;
- `tutorial, XLA`: the same with Keras's default.

For presets, such as vae_mnist_5k: the command `tfgen train`, up to the same moment.

`tensorflow` among the names is Python with `import tensorflow`, and no more.

The time is split: `TensorFlow` is the start of Python and the import of TensorFlow and
Keras; `imports` the imports of tfgen (and, in the command, all remaining time); `data`
and `model` load the data and build the model; `first step` traces and runs the first
execution, of `steps_per_execution` steps. `peak` is the resident memory at the end of
the third execution. Each measurement is a process of its own; rounds are interleaved in
random order; the table gives medians, and the range of the total.

Reads /proc, so it needs Linux.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

from rounds import add_cpu_flag, resident
from train import tutorial_model
from workloads import WORKLOADS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # for all variants

MODELS = ("mlp_vae", "conv_vae", "dcgan_64", "pix2pix_128", "cyclegan_128")
PRESETS = ("vae_mnist_5k", "dcgan_mnist_5k")
VARIANTS = ("tfgen", "tutorial", "tutorial, XLA")
STAGES = ("TensorFlow", "imports", "data", "model", "first step")
CLASSES = {"vae": "VAE", "gan": "GAN", "pix2pix": "Pix2Pix", "cyclegan": "CycleGAN"}
NUM_EXECUTIONS = 3


class Clock:
    """What each stage took since the process was started.

    Args:
        start: Wall clock at the start; None for CPU time of all threads.
    """

    def __init__(self, start):
        self.now = time.process_time if start is None else time.time
        self.last = start or 0.0
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def mark(self, stage):
        now = self.now()
        self.seconds[stage] += now - self.last
        self.last = now

    def timed(self, stage, function):
        """Returns the function, whose time is the stage's."""

        def wrapper(*args, **kwargs):
            self.mark("imports")
            result = function(*args, **kwargs)
            self.mark(stage)
            return result

        return wrapper


def end(clock):
    """Prints what was measured, and ends the process: what comes after is not."""
    clock.seconds["peak"] = resident(peak=True)
    print(json.dumps(clock.seconds), flush=True)
    os._exit(0)


def work_on_import(clock):
    import tensorflow  # noqa: F401

    clock.mark("TensorFlow")
    end(clock)


def make_callback(clock):
    """Notes the first execution, and ends the process with the last one."""
    import keras

    class Steps(keras.callbacks.Callback):
        count = 0

        def on_train_batch_begin(self, batch, logs=None):
            if not self.count:
                clock.mark("imports")

        def on_train_batch_end(self, batch, logs=None):
            self.count += 1
            if self.count == 1:
                clock.mark("first step")
            if self.count == NUM_EXECUTIONS:
                end(clock)

    return Steps()


def work_on_model(name, variant, clock):
    import keras  # noqa: F401
    import numpy as np
    import tensorflow as tf

    clock.mark("TensorFlow")
    work = WORKLOADS[name]
    import tfgen.networks

    if variant == "tfgen":
        getattr(tfgen, CLASSES[work.kind])
    else:
        import tutorials  # noqa: F401
    from workloads import build_model

    clock.mark("imports")
    count = work.batch_size * work.steps_per_execution * NUM_EXECUTIONS
    shape = (count, *work.image_shape)
    parts = [np.random.default_rng(i).random(shape, "f4") for i in range(2)]
    data = parts if work.is_translation else parts[:1]
    options = {"batch_size": work.batch_size}
    if variant == "tfgen":
        data = tuple(data) if work.is_translation else data[0]
        batches = tf.data.Dataset.from_tensor_slices(data).batch(work.batch_size)
        data, options = [batches.prefetch(4)], {"shuffle": False}
    clock.mark("data")
    if variant == "tfgen":
        model = build_model(name)
    else:
        model = tutorial_model(name)
        model.prepare(jit_compile="auto" if "XLA" in variant else False)
    clock.mark("model")
    model.fit(*data, epochs=9, verbose=0, callbacks=[make_callback(clock)], **options)


def work_on_command(preset, clock):
    from tfgen.cli import main, quiet, train
    from tfgen.training import fitting
    from tfgen.training.run import Run

    clock.mark("imports")
    train.import_tensorflow = clock.timed("TensorFlow", quiet.import_tensorflow)
    Run.batches = clock.timed("data", Run.batches)
    fitting._create_model = clock.timed("model", fitting._create_model)
    make = fitting.make_callbacks
    fitting.make_callbacks = lambda *args: [*make(*args), make_callback(clock)]
    with tempfile.TemporaryDirectory() as folder:
        main(["train", preset, "--out", f"{folder}/run"])


def measure(name, variant, cpu):
    """Returns the stages and the peak of a process of its own."""
    command = [sys.executable, __file__, name, "--worker", variant]
    command += [] if cpu else ["--start", str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def print_row(name, variant, figures):
    totals = [sum(f[stage] for stage in STAGES) for f in figures]
    stages = [statistics.median(f[stage] for f in figures) for stage in STAGES]
    peak = statistics.median(f["peak"] for f in figures)
    print(
        f"{name:16} {variant:14}"
        + "".join(f"{seconds:12.2f}" for seconds in stages)
        + f"{statistics.median(totals):8.1f} ({min(totals):.1f} to {max(totals):.1f})"
        + f"{peak:8.0f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ("tensorflow", *MODELS, *PRESETS)
    parser.add_argument("names", nargs="*", default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variants", help="only these, separated by semicolons")
    add_cpu_flag(parser)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        clock = Clock(options.start)
        if options.worker == "import":
            work_on_import(clock)
        elif options.worker == "command":
            work_on_command(options.names[0], clock)
        else:
            work_on_model(options.names[0], options.worker, clock)
    header = "".join(f"{stage:>12}" for stage in STAGES)
    print(f"{'seconds':31}{header}   total (range)    peak MB")
    table = {}
    for name in options.names:
        variants = VARIANTS if name in WORKLOADS else ("command",)
        if name == "tensorflow":
            variants = ("import",)
        if options.variants and name in WORKLOADS:
            variants = options.variants.split(";")
        table |= {(name, variant): [] for variant in variants}
    for _ in range(options.rounds):
        for row in random.sample([*table], len(table)):
            table[row].append(measure(*row, options.cpu))
    for row, figures in table.items():
        print_row(*row, figures)


if __name__ == "__main__":
    main()
