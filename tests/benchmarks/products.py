"""Floating-point operations of a training step, and a machine's peak rate."""

import math
import time
from typing import NamedTuple


class Product(NamedTuple):
    """A matrix product, or a convolution as the matrix product that it is.

    Attributes:
        rows, inner, columns: `(rows, inner) x (inner, columns)`.
        convolution: Input shape, kernel shape, strides and padding; None for a plain
            product.
    """

    rows: int
    inner: int
    columns: int
    convolution: tuple | None = None

    @property
    def flops(self):
        """A multiplication and an addition a term."""
        return 2 * self.rows * self.inner * self.columns


def find_products(graph):
    """Returns the `Product`s of a graph of static shapes, those of gradients too.

    All else that a step does (activations, normalisation, optimizers) is not counted,
    nor what lies in branches and loops.
    """
    products = []
    for operation in graph.get_operations():
        if operation.type in ("MatMul", "BatchMatMulV2"):
            products.append(_matrix_product(operation))
        elif operation.type == "Conv2D":
            products.append(
                _convolution(operation, *operation.inputs, operation.outputs[0])
            )
        elif operation.type == "Conv2DBackpropInput":
            _, kernel, outputs = operation.inputs
            products.append(
                _convolution(operation, operation.outputs[0], kernel, outputs)
            )
        elif operation.type == "Conv2DBackpropFilter":
            images, _, outputs = operation.inputs
            kernel = operation.outputs[0]
            products.append(_convolution(operation, images, kernel, outputs))
    return products


def _matrix_product(operation):
    one = operation.inputs[0].shape.as_list()
    if operation.get_attr("transpose_a"):
        one = one[:-2] + one[:-3:-1]
    rows, inner = math.prod(one[:-1]), one[-1]
    return Product(rows, inner, operation.outputs[0].shape[-1])


def _convolution(operation, images, kernel, outputs):
    images, kernel, outputs = (x.shape.as_list() for x in (images, kernel, outputs))
    strides = operation.get_attr("strides")[1]
    padding = operation.get_attr("padding").decode()
    rows, inner = math.prod(outputs[:-1]), math.prod(kernel[:-1])
    return Product(rows, inner, outputs[-1], (images, kernel, strides, padding))


def measure_ceiling(product, seconds):
    """Returns the floating-point operations a second of a product, alone.

    The better one of it as a convolution (where it is one) and as a matrix product.
    """
    import tensorflow as tf

    def normal(shape):
        return tf.random.stateless_normal(shape, (0, 0))

    one = normal((product.rows, product.inner))
    other = normal((product.inner, product.columns))
    candidates = [lambda: tf.matmul(one, other)]
    if product.convolution is not None:
        images, kernel, strides, padding = product.convolution
        images, kernel = normal(images), normal(kernel)
        candidates.append(lambda: tf.nn.conv2d(images, kernel, strides, padding))
    return max(product.flops / _time(run, seconds / 2) for run in candidates)


def _time(run, seconds):
    """Returns the median seconds of a call."""
    import tensorflow as tf

    wait = tf.test.experimental.sync_devices
    times = []
    run()
    wait()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]
