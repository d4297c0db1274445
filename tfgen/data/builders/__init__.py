"""TFDS builders of our own, a folder each. Importing this registers them."""

from tfgen.data.builders.binary_mnist import BinaryMnist
from tfgen.data.builders.mnist_5k import Mnist5k
from tfgen.data.builders.openmoji import Openmoji
from tfgen.data.builders.sprites import Sprites

__all__ = ["BinaryMnist", "Mnist5k", "Openmoji", "Sprites"]
