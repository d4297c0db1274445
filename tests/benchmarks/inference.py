"""Throughput of a trained model: the commands compared with other ways to run it.

    python tests/benchmarks/inference.py [MODEL ...] [--rounds 3] [--seconds 4] [--cpu]

Images per second, from NumPy arrays to NumPy arrays, of the models of workloads.py:
`sample` draws 1,000 images from the prior, `reconstruct` encodes 1,000 and decodes
them; both in batches of 256, of which the last is smaller.

- `tfgen`: the served endpoint, as in `tfgen sample`, `reconstruct` and `evaluate`; each
  image has its own seed;
- `tf.function`: the networks in one function, latents drawn per batch;
- `predict`: `keras.Model.predict` on all images, or on all latents, drawn by NumPy;
- `predict in a loop`: the same, called for every batch.

Each measurement is a process of its own; rounds are interleaved in random order. The
table gives the median and range of the images per second, and the median and range of
the ratio of tfgen to the variant within a round.
"""

import argparse
import os
import statistics

from rounds import EpochClock, add_cpu_flag, run_round
from workloads import WORKLOADS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # for all variants

MODELS = ("mlp_vae", "conv_vae", "dcgan_64")
TASKS = {"vae": ("sample", "reconstruct"), "gan": ("sample",)}
WAYS = ("tfgen", "tf.function", "predict", "predict in a loop")
NUM_IMAGES, BATCH_SIZE = 1000, 256


def make_networks(model, task):
    """Returns a Keras model of the task, from latents or from images to images."""
    import keras
    from keras import ops

    if task == "sample" and hasattr(model, "generator"):
        return model.generator
    if task == "sample":
        outputs = ops.sigmoid(model.decoder.output)
        return keras.Model(model.decoder.input, outputs)
    images = model.encoder.input
    mean, _ = ops.split(model.encoder(images), 2, axis=-1)
    return keras.Model(images, ops.sigmoid(model.decoder(mean)))


def starts():
    return range(0, NUM_IMAGES, BATCH_SIZE)


def make_pass(model_name, task, way):
    """Returns a function that runs the task on all images once."""
    import numpy as np
    import tensorflow as tf
    from workloads import build_model

    from tfgen.inference import Endpoints

    model = build_model(model_name)
    images = np.random.default_rng(0).random((NUM_IMAGES, *model.image_shape), "f4")
    if way == "tfgen":
        endpoints = Endpoints(model)
        if task == "sample":
            return lambda: endpoints.sample(NUM_IMAGES, seed=0)
        return lambda: endpoints.run(task, images)["images"]
    network = make_networks(model, task)
    shape = network.input_shape[1:]
    if way == "tf.function":

        @tf.function(reduce_retracing=True)
        def run(batch):
            if task == "sample":
                batch = tf.random.normal((tf.shape(batch)[0], *shape))
            return network(batch, training=False)

        return lambda: np.concatenate(
            [run(images[i : i + BATCH_SIZE]).numpy() for i in starts()]
        )

    def run():
        inputs = images
        if task == "sample":
            inputs = np.random.default_rng(0).normal(size=(NUM_IMAGES, *shape))
        if way == "predict":
            return network.predict(inputs, batch_size=BATCH_SIZE, verbose=0)
        batches = (inputs[i : i + BATCH_SIZE] for i in starts())
        return np.concatenate([network.predict(batch, verbose=0) for batch in batches])

    return run


def measure(model_name, variant, seconds, cpu):
    """Prints the images per second of the passes after the first."""
    task, way = variant.split(": ")
    run = make_pass(model_name, task, way)
    run()  # traces, also the last batch
    clock = EpochClock(seconds, cpu)
    while not clock():
        assert len(run()) == NUM_IMAGES
    print(clock.rate(NUM_IMAGES))


def print_table(model_name, task, rounds):
    print(f"{model_name}, {task}: {len(rounds)} rounds")
    for way in WAYS:
        rates = [figures[f"{task}: {way}"] for figures in rounds]
        ratios = [
            figures[f"{task}: tfgen"] / figures[f"{task}: {way}"] for figures in rounds
        ]
        print(
            f"  {way:18} {statistics.median(rates):8.0f} images/s "
            f"({min(rates):.0f} to {max(rates):.0f})   tfgen is "
            f"{statistics.median(ratios):.2f} times as fast "
            f"({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    add_cpu_flag(parser)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        measure(options.models[0], options.worker, options.seconds, options.cpu)
        return
    more = ["--cpu"] * options.cpu
    for name in options.models:
        tasks = TASKS[WORKLOADS[name].kind]
        variants = [f"{task}: {way}" for task in tasks for way in WAYS]
        rounds = [
            run_round(__file__, name, variants, options.seconds, more)
            for _ in range(options.rounds)
        ]
        for task in tasks:
            print_table(name, task, rounds)


if __name__ == "__main__":
    main()
