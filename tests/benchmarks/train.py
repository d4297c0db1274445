"""Training throughput of tfgen beside the Keras examples' step and PyTorch.

    python tests/benchmarks/train.py [MODEL ...] [--rounds 5] [--seconds 8]
                                     [--variants "tfgen;tutorial loop"] [--json FILE]
                                     [--gpu]

The same networks, optimizer and batch size (workloads.py), in float32:

- `tfgen`: `model.fit` on the pipeline of `tfgen.data`, as the presets compile it;
- `tutorial fit`: the step of the Keras examples (tutorials.py), `fit` on NumPy arrays,
  `compile` with Keras's defaults, which are XLA;
- `tutorial fit, no XLA`: the same with `jit_compile=False`;
- `tutorial loop`: the same step in a `tf.function`, called over a tf.data pipeline;
- `PyTorch`: eager, channels last (in_torch.py), where `torch` is installed.

And what tfgen's means are worth, by undoing them one by one:

- `Keras's Adam`: in place of the fused one;
- `one step a call`: `steps_per_execution=1`;
- `two generator passes`: new images for the generator's step;
- `two discriminator calls`: real and fake images apart.

Half precision, `mixed_bfloat16` and `mixed_float16`, is measured where it is asked for
or the processor computes in bfloat16 (AVX512_BF16, AMX, a GPU).

`--gpu` makes epochs and executions as long as a GPU needs them, and adds `no XLA`, of
tfgen; PyTorch is left out.

Each measurement is a process of its own; rounds are interleaved in random order. The
table gives the median images per second, and the median and range of the ratio of
tfgen to the variant within a round. Of tfgen's and the tutorial's step also the
floating-point operations of their convolutions and matrix products, and the rate at
which they are done, as a share of the rate of the heaviest of them alone, measured in
the same rounds. `--json` keeps all rates of all rounds.
"""

import argparse
import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from rounds import (
    EpochClock,
    add_cpu_flag,
    describe_machine,
    has_bfloat16,
    run_round,
)
from workloads import DISCRIMINATOR_STEPS, WORKLOADS, enlarge_for_gpu

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # for all variants

TUTORIALS = ("tutorial fit", "tutorial fit, no XLA", "tutorial loop")
SAVINGS = ("Keras's Adam", "one step a call")
POLICIES = ("mixed_bfloat16", "mixed_float16")
GAN_SAVINGS = ("two generator passes", "two discriminator calls")
NO_XLA = "no XLA"
CEILING, COUNTS = "ceiling", "counts"


def variants_of(model_name, gpu):
    """Returns all variants, and those of them that are measured if none is named."""
    work = WORKLOADS[model_name]
    variants = ["tfgen", *TUTORIALS]
    if gpu:
        variants.append(NO_XLA)
    elif importlib.util.find_spec("torch"):
        variants.append("PyTorch")
    variants += [v for v in SAVINGS if v != SAVINGS[1] or work.steps_per_execution > 1]
    if work.kind in ("gan", "wgan_gp"):
        variants += GAN_SAVINGS
    halves = POLICIES[:1] if gpu or has_bfloat16() else ()
    return [*variants, *POLICIES], [*variants, *halves]


def plainer_gan(variant):
    """Returns the GAN class with one saving undone."""
    import tfgen

    class TwoGeneratorPasses(tfgen.GAN):
        def generator_terms(self, batch, fake, training):
            # The same objective; nothing of `fake`'s forward pass is used.
            fake = self._fake(batch, training)
            return super().generator_terms(batch, fake, training)

    class TwoDiscriminatorCalls(tfgen.GAN):
        def _run_both(self, network, one, other, labels=None, *, training):
            run = functools.partial(self._run, network, training=training)
            return [run(images, labels) for images in (one, other)]

    classes = (TwoGeneratorPasses, TwoDiscriminatorCalls)
    return dict(zip(GAN_SAVINGS, classes, strict=True))[variant]


def tfgen_model(model_name, variant):
    import keras
    from workloads import build_model

    if variant in POLICIES:
        keras.config.set_dtype_policy(variant)
    if variant in GAN_SAVINGS:
        return build_model(model_name, plainer_gan(variant))
    if variant == "Keras's Adam":
        return build_model(model_name, adam=keras.optimizers.Adam)
    model = build_model(model_name)
    if variant == "one step a call":
        model.steps_per_execution = 1
    if variant == NO_XLA:
        model.jit_compile = False
    return model


def tutorial_model(model_name):
    import tutorials
    from workloads import build_networks

    kind = WORKLOADS[model_name].kind
    networks = build_networks(model_name)
    if kind == "wgan_gp":
        return tutorials.wgan_gp(*networks, DISCRIMINATOR_STEPS)
    return getattr(tutorials, kind)(*networks)


def training_function(model_name, variant):
    """Returns a function that trains until its argument says so, asked every epoch."""
    from workloads import make_arrays, make_batches

    work = WORKLOADS[model_name]
    if variant == "PyTorch":
        from in_torch import training_loop

        return training_loop(model_name, make_arrays(model_name))

    import tensorflow as tf

    if variant not in TUTORIALS:
        model, data = tfgen_model(model_name, variant), make_batches(model_name)
        return lambda stop: fit(model, stop, data, shuffle=False)
    model = tutorial_model(model_name)
    model.prepare(jit_compile="auto" if variant == "tutorial fit" else False)
    arrays = make_arrays(model_name)
    if variant != "tutorial loop":
        return lambda stop: fit(model, stop, *arrays, batch_size=work.batch_size)
    step = tf.function(model.train_step)
    parts = arrays if work.is_translation else arrays[0]
    data = tf.data.Dataset.from_tensor_slices(parts).shuffle(len(arrays[0]))
    data = data.batch(work.batch_size).prefetch(tf.data.AUTOTUNE)

    def loop(stop):
        while not stop():
            for batch in data:
                step(batch)

    return loop


def fit(model, stop, *data, **kwargs):
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = stop()

    # The epoch that is told to stop is still trained, after the clock has.
    model.fit(*data, epochs=10**6, verbose=0, callbacks=[Stop()], **kwargs)


def count_operations(model_name):
    """Returns the operations of tfgen's and the tutorial's step, and the heaviest."""
    import tensorflow as tf
    from products import find_products
    from workloads import build_model

    work = WORKLOADS[model_name]
    spec = tf.TensorSpec((work.batch_size, *work.image_shape), tf.float32)
    data = (spec, spec) if work.is_translation else spec
    tutorial = tutorial_model(model_name)
    tutorial.prepare(jit_compile=False)
    counts = []
    for model in (build_model(model_name), tutorial):
        step = tf.function(model.train_step).get_concrete_function(data)
        products = find_products(step.graph)
        counts.append(sum(product.flops for product in products))
    return {"counts": counts, "heaviest": max(products, key=lambda p: p.flops)}


def work_on(model_name, variant, seconds, heaviest, cpu):
    """What a process of its own does: it prints a figure last."""
    if variant == COUNTS:
        print(json.dumps(count_operations(model_name)))
    elif variant == CEILING:
        from products import Product, measure_ceiling

        print(measure_ceiling(Product(*json.loads(heaviest)), seconds))
    else:
        clock = EpochClock(seconds, cpu)
        training_function(model_name, variant)(clock)
        print(clock.rate(WORKLOADS[model_name].num_images))


def print_table(model_name, rounds, counts):
    work = WORKLOADS[model_name]
    ceiling = statistics.median(rates[CEILING] for rates in rounds)
    print(
        f"{model_name}, batch {work.batch_size}: {len(rounds)} rounds; "
        f"the heaviest product alone: {ceiling / 1e9:.0f} GFLOP/s"
    )
    operations = dict(zip(("tfgen", "tutorial fit, no XLA"), counts, strict=True))
    for variant in rounds[0]:
        if variant == CEILING:
            continue
        rate = statistics.median(rates[variant] for rates in rounds)
        line = f"  {variant:24} {rate:9.1f} images/s"
        if variant in POLICIES:
            line += f"   {ratio(rounds, variant, 'tfgen')} times float32"
            if TUTORIALS[0] in rounds[0]:
                line += f", {ratio(rounds, variant, TUTORIALS[0])} times tutorial fit"
        elif variant != "tfgen":
            line += f"   tfgen is {ratio(rounds, 'tfgen', variant)} times as fast"
        if variant in operations:
            flops = operations[variant]
            share = statistics.median(
                r[variant] / work.batch_size * flops / r[CEILING] for r in rounds
            )
            line += f"   {flops / 1e9:.2f} GFLOP a step, at {share:.0%} of that rate"
        print(line, flush=True)


def ratio(rounds, one, other):
    """Returns the median and the range of the ratio within a round, as text."""
    ratios = [rates[one] / rates[other] for rates in rounds]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(WORKLOADS), metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--variants", help="only these, separated by semicolons")
    parser.add_argument("--json", help="file for all rates")
    parser.add_argument("--gpu", action="store_true", help="longer epochs")
    add_cpu_flag(parser)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--heaviest", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.gpu:
        enlarge_for_gpu()
    if options.worker:
        name = options.models[0]
        heaviest, cpu = options.heaviest, options.cpu
        work_on(name, options.worker, options.seconds, heaviest, cpu)
        return
    print(*describe_machine(), sep="\n", flush=True)
    kept = {}
    for name in options.models:
        known, variants = variants_of(name, options.gpu)
        if options.variants:
            chosen = options.variants.split(";")
            variants = [v for v in known if v in chosen]
        command = [sys.executable, __file__, name, "--worker", COUNTS]
        products = json.loads(subprocess.check_output(command))
        more = ["--heaviest", json.dumps(products["heaviest"])]
        more += ["--gpu"] * options.gpu + ["--cpu"] * options.cpu
        variants.append(CEILING)
        rounds = []
        kept[name] = {"counts": products["counts"], "rounds": rounds}
        for _ in range(options.rounds):
            rounds.append(run_round(__file__, name, variants, options.seconds, more))
            if options.json:
                Path(options.json).write_text(json.dumps(kept))
        print_table(name, rounds, products["counts"])


if __name__ == "__main__":
    main()
