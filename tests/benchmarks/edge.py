"""Latency of exported generators: python tests/benchmarks/edge.py [MODEL …]

Times a generator at batch 1 in every form that a user could deploy, interleaved in one
run: Keras's `predict`, the SavedModel, the files of `export`, and a baseline: the same
network of stock layers (`GroupNormalization`, `tf.pad`), exported by
`model.export(format="litert")` with dynamic-range quantisation. Weights are random, so
the PSNR floors of `export` do not apply; latency does not depend on weights.

MODEL is `resnet` (CycleGAN's generator, nine blocks, 128x128) or `dcgan` (64x64).
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import argparse
import pathlib
import tempfile

import keras
import numpy as np
import rich.console
import rich.table
import tensorflow as tf

import export
from export.formats import quantize, tflite
from export.formats.endpoint_model import EndpointModel
from export.verify import latency, litert
from tfgen.layers import InstanceNormalization, ReflectionPadding2D
from tfgen.networks import build_dcgan_generator, build_resnet_generator

NETWORKS = {
    "resnet": (lambda: build_resnet_generator((128, 128, 3)), (128, 128, 3)),
    "dcgan": (lambda: build_dcgan_generator(100, (64, 64, 3)), (100,)),
}
QUANTIZATIONS = ("float32", "dynamic_int8", "int8")


class MirrorPadding(keras.layers.Layer):
    """Reflection padding as tutorials write it."""

    def __init__(self, padding):
        super().__init__()
        self.padding = padding

    def call(self, images):
        sides = [[self.padding] * 2] * 2
        return tf.pad(images, [[0, 0], *sides, [0, 0]], "REFLECT")


class Served(keras.Model):
    """One network as one endpoint."""

    def __init__(self, network, input_shape):
        super().__init__()
        self.network = network
        self.spec = tf.TensorSpec((None, *input_shape), name="x")
        self(keras.Input(input_shape))

    def call(self, x):
        return self.network(x, training=False)

    def signatures(self):
        @tf.function(input_signature=[self.spec])
        def run(x):
            return {"y": self(x)}

        return {"run": run}


def with_stock_layers(network):
    """Returns the same network, weights included, of Keras's own layers."""

    def replace(layer):
        if isinstance(layer, InstanceNormalization):
            return keras.layers.GroupNormalization(groups=-1, epsilon=layer.epsilon)
        if isinstance(layer, ReflectionPadding2D):
            return MirrorPadding(layer.padding)
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=replace)
    copy.set_weights(network.get_weights())
    return copy


def measure(name, seconds):
    build, input_shape = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model = Served(build(), input_shape)
    naive = Served(with_stock_layers(model.network), input_shape)
    rng = np.random.default_rng(0)
    row = {"x": rng.normal(size=(1, *input_shape)).astype("float32")}
    np.testing.assert_allclose(model(row["x"]), naive(row["x"]), atol=1e-4)
    with tempfile.TemporaryDirectory() as folder:
        version = export.export_saved_model(model, pathlib.Path(folder) / name)
        conversion = tflite.convert(version)
        data = {"run": {"x": rng.normal(size=(8, *input_shape)).astype("float32")}}
        contents = {
            quantization: conversion.content
            if quantization == "float32"
            else quantize.Quantizer(conversion.content, quantization, data).quantize()
            for quantization in QUANTIZATIONS
        }
        stock = EndpointModel(naive, naive.signatures()["run"])
        variants = latency.keras_variants("run", row, stock)
        variants += latency.exported_variants("run", row, version, contents)
        figures = latency.run(variants, seconds)
        contents["Keras litert export"] = latency.export_with_keras(stock)
        graphs = {k: litert.count_operations(v) for k, v in contents.items()}
    return figures, graphs


def show(name, figures, graphs):
    columns = ("runtime", "threads", "median ms", "95 % ms", "times SavedModel's speed")
    table = rich.table.Table(*columns, "partitions", "outside", title=name)
    (saved,) = (f.median_ms for f in figures if f.runtime == "SavedModel")
    for figure in figures:
        key = figure.quantization if figure.runtime == "LiteRT" else figure.runtime
        (graph,) = graphs.get(key, {"": {}}).values()
        times = ("-", "-", figure.problem)
        if not figure.problem:
            ratio = f"{saved / figure.median_ms:.2f}"
            times = (f"{figure.median_ms:.1f}", f"{figure.p95_ms:.1f}", ratio)
        partitions = str(graph.get("partitions", ""))
        outside = str(sum(graph["outside"].values())) if graph else ""
        label = f"{figure.runtime} {figure.quantization}"
        table.add_row(label, str(figure.threads), *times, partitions, outside)
    rich.console.Console(width=110).print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(NETWORKS))
    parser.add_argument("--seconds", type=float, default=60.0, help="for each model")
    arguments = parser.parse_args()
    if unknown := set(arguments.models) - set(NETWORKS):
        parser.error(f"no such model: {', '.join(unknown)}; there are {list(NETWORKS)}")
    for name in arguments.models:
        show(name, *measure(name, arguments.seconds))


if __name__ == "__main__":
    main()
