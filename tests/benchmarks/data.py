"""Images per second of `tfgen.data.load_images`: python tests/benchmarks/data.py

Measures the input pipeline alone, as medians over several passes: from memory, from a
folder, and streamed. `--data-dir` is a TFDS directory; data sets that it lacks are
prepared there, or skipped without a network.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rich.console
import rich.table
from PIL import Image

from tfgen.data import load_array, load_images, loading
from tfgen.errors import UserError

NAMES = ("mnist_5k", "fashion_mnist")


def measure(source, data_dir, passes, batch_size):
    """Returns images, seconds to load, and the median images/s of a pass."""
    start = time.perf_counter()
    dataset = load_images(source, batch_size=batch_size, data_dir=data_dir)
    load_seconds = time.perf_counter() - start
    rates = []
    for _ in range(passes + 1):
        start = time.perf_counter()
        count = sum(len(batch) for batch in dataset)
        rates.append(count / (time.perf_counter() - start))
    return count, load_seconds, statistics.median(rates[1:])  # the first one traces


@contextmanager
def streaming():
    """Streams whatever its size."""
    limit, loading.IN_MEMORY_BYTES = loading.IN_MEMORY_BYTES, 0
    try:
        yield
    finally:
        loading.IN_MEMORY_BYTES = limit


def write_folder(folder, data_dir, count=2000):
    """Saves digits as 64 x 64 RGB files, and returns the folder."""
    pixels = load_array("mnist_5k", "train", count, image_size=64, channels=3,
                        value_range=(0, 255), data_dir=data_dir)  # fmt: skip
    for split, part in (("train", pixels), ("test", pixels[:10])):
        Path(folder, split).mkdir()
        for i, image in enumerate(part.astype(np.uint8)):
            Image.fromarray(image).save(Path(folder, split, f"{i:05}.png"))
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="TFDS directory; TFDS's own by default")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    args = parser.parse_args()
    table = rich.table.Table("source", "storage", "images", "load s", "images/s")

    def add(label, source, storage):
        count, load_seconds, rate = measure(
            source, args.data_dir, args.passes, args.batch_size
        )
        table.add_row(label, storage, f"{count}", f"{load_seconds:.2f}", f"{rate:,.0f}")

    with tempfile.TemporaryDirectory() as scratch:
        folder = write_folder(scratch, args.data_dir)
        sources = {**{name: name for name in NAMES}, "folder 64x64x3": folder}
        for label, source in sources.items():
            try:
                add(label, source, "memory")
                with streaming():
                    add(label, source, "stream")
            except UserError as error:
                table.add_row(label, f"left out: {error}")
    rich.console.Console().print(table)


if __name__ == "__main__":
    main()
