"""The data set `binary_mnist`."""

from tfgen.data.builders.binary_mnist.binary_mnist_dataset_builder import BinaryMnist

__all__ = ["BinaryMnist"]
