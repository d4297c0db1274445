"""TFDS builders that need no network, a folder each. Importing this registers them."""

from tfgen.data.builders.mnist_5k import Mnist5k
from tfgen.data.builders.openmoji import Openmoji
from tfgen.data.builders.sprites import Sprites

__all__ = ["Mnist5k", "Openmoji", "Sprites"]
