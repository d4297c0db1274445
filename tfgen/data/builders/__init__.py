"""TFDS builders that need no network, a folder each. Importing this registers them."""

from tfgen.data.builders.mnist_5k import Mnist5k

__all__ = ["Mnist5k"]
