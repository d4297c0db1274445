"""`binary_mnist`: MNIST's 70,000 digits, each pixel drawn once as black or white.

A pixel is white with its grey value as probability, as in
[Salakhutdinov & Murray, 2008](https://doi.org/10.1145/1390156.1390266): the images on
which likelihoods of binary models are compared. TFDS's `binarized_mnist` is the draw
that Larochelle published, and a download; this one is made of TFDS's `mnist`, which is
read from the same `data_dir`, with NumPy's generator and a fixed seed.
"""

from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from tfgen.attributions import ATTRIBUTIONS
from tfgen.data.builders.preparing import prepare

_SEEDS = {"train": 0, "test": 1}


class BinaryMnist(tfds.core.GeneratorBasedBuilder):
    """MNIST, binarised once: 60,000 digits to train and 10,000 to test."""

    name = "binary_mnist"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 (as TFDS declares it)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="MNIST, each pixel drawn once as black or white.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="http://yann.lecun.com/exdb/mnist/",
            license=ATTRIBUTIONS["binary_mnist"],
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        mnist = tfds.builder("mnist", data_dir=self.data_dir_root)
        prepare(mnist)
        return {split: self._generate_examples(mnist, split) for split in _SEEDS}

    def _generate_examples(
        self, mnist: tfds.core.DatasetBuilder, split: str
    ) -> Iterator[tuple[int, dict]]:
        rng = np.random.default_rng(_SEEDS[split])
        for key, example in enumerate(tfds.as_numpy(mnist.as_dataset(split=split))):
            image = binarize(example["image"], rng)
            yield key, {"image": image, "label": int(example["label"])}


def binarize(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a uint8 image of 0 and 255 whose mean over draws is the given one."""
    return np.uint8(255 * (255.0 * rng.uniform(size=image.shape) < image))
