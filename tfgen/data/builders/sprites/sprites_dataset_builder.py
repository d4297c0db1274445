"""`sprites`: shapes drawn from known, independent factors, without any source file.

In the spirit of dSprites (L. Matthey, I. Higgins, D. Hassabis and A. Lerchner, 2017),
with shapes, sizes and code of its own: what disentanglement is measured on. The images
are nobody's: there is no licence to name.
"""

import re
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from tfgen.data.builders.sprites.drawing import (
    FACTORS,
    NUM_SPRITES,
    SHAPES,
    choose_factors,
    draw_sprites,
)

_SIZES = (64, 32)
_NUM_TRAIN, _NUM_TEST = 20_000, 5_000
_CONFIG = re.compile(rf"({'|'.join(map(str, _SIZES))})_([1-9]\d*)")
_CHUNK = 1_000

_CITATION = """
@misc{dsprites17,
  author={Loic Matthey and Irina Higgins and Demis Hassabis and Alexander Lerchner},
  title={dSprites: Disentanglement testing Sprites dataset},
  howpublished={https://github.com/deepmind/dsprites-dataset/},
  year={2017}
}
"""


def _make_config(size: int, num_train: int, name: str) -> tfds.core.BuilderConfig:
    config = tfds.core.BuilderConfig(
        name=name, description=f"{size} x {size} pixels, {num_train:,} to train."
    )
    config.size, config.num_train = size, num_train
    return config


class Sprites(tfds.core.GeneratorBasedBuilder):
    """663,552 possible sprites, of which a configuration has as many as one likes.

    `sprites` (or `sprites/64`) and `sprites/32` have 20,000 to train and 5,000 to test,
    of 64 or 32 pixels a side; `sprites/64_100000` has 100,000 to train, up to all that
    are not for testing (658,552). All sprites differ, the test split is the same in all
    configurations, and the smaller training splits are part of the larger ones.

    The factors are the features `label_shape`, `label_scale`, `label_rotation`,
    `label_x` and `label_y`: independent, each value as likely as the others. `label`,
    the shape once more, is what conditional models take.
    """

    name = "sprites"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 (as TFDS declares it)
    BUILDER_CONFIGS = [  # noqa: RUF012 (as TFDS declares it)
        _make_config(size, _NUM_TRAIN, str(size)) for size in _SIZES
    ]

    @classmethod
    def get_builder_config(
        cls, name: str, version: tfds.core.Version | str | None = None
    ) -> tfds.core.BuilderConfig | None:
        """Returns a configuration by its name, also `<size>_<number to train>`."""
        match = _CONFIG.fullmatch(name)
        if match and int(match[2]) <= NUM_SPRITES - _NUM_TEST:
            return _make_config(int(match[1]), int(match[2]), name)
        return super().get_builder_config(name, version)

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.size
        shape = tfds.features.ClassLabel(names=list(SHAPES))
        factors = {
            f"label_{name}": tfds.features.ClassLabel(num_classes=count)
            for name, count in FACTORS.items()
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "White shapes on black, drawn from independent factors: shape, scale, "
                "rotation, x and y. No download."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(size, size, 1)),
                    **factors,
                    "label_shape": shape,
                    "label": shape,
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://github.com/deepmind/dsprites-dataset",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        num_train = self.builder_config.num_train
        return {
            "train": self._generate_examples(_NUM_TEST, _NUM_TEST + num_train),
            "test": self._generate_examples(0, _NUM_TEST),
        }

    def _generate_examples(self, start: int, stop: int) -> Iterator[tuple[int, dict]]:
        factors = choose_factors(start, stop)
        for first in range(0, len(factors), _CHUNK):
            part = factors[first : first + _CHUNK]
            images = draw_sprites(part, self.builder_config.size)
            for i, (image, values) in enumerate(zip(images, part, strict=True)):
                yield start + first + i, _make_example(image, values)


def _make_example(image: np.ndarray, values: np.ndarray) -> dict:
    labels = {
        f"label_{name}": int(value) for name, value in zip(FACTORS, values, strict=True)
    }
    return {"image": image, **labels, "label": labels["label_shape"]}
