"""A prepared set of many files: read interleaved, streamed if too large for memory."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tests.data.conftest import HEIGHT, WIDTH, joined, passes
from tests.data.tiny_sets import TinySingle
from tfgen.data import load_images, loading
from tfgen.data.builders import records
from tfgen.data.pixels import Fit

NUM_SHARDS, NUM_IMAGES = 5, 200
BLOCK = 16  # TFDS reads so many of a file in turn
IMAGE_BYTES = HEIGHT * WIDTH * 3


class TinyShards(TinySingle):
    name = "tiny_shards"

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, NUM_IMAGES),
                "test": self._generate_examples(200, 5)}  # fmt: skip


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    builder = TinyShards(data_dir=tmp_path_factory.mktemp("shards"))
    config = tfds.download.DownloadConfig(num_shards=NUM_SHARDS)
    builder.download_and_prepare(download_config=config)
    return builder


@pytest.fixture
def load(builder, monkeypatch):
    """Loads the set, streamed, through a shuffle buffer of so many images."""

    def load(buffer, **kwargs):
        monkeypatch.setattr(records, "SHUFFLE_BYTES", buffer * IMAGE_BYTES)
        monkeypatch.setattr(loading, "IN_MEMORY_BYTES", NUM_IMAGES * IMAGE_BYTES - 1)
        return load_images(
            "tiny_shards", data_dir=builder.data_dir_root, value_range=(0, 255),
            batch_size=32, **kwargs
        )  # fmt: skip

    return load


def numbers(dataset, count):
    """Returns the numbers of the images of each pass, in order."""
    found = passes(dataset.map(lambda images: (images,)), count)
    return [joined(batches)[0][:, 0, 0, 0].tolist() for batches in found]


def shard_of(builder):
    """Returns the file that each image is in: number of the image -> of the file."""
    files = builder.info.splits["train"].filepaths
    assert len(files) == NUM_SHARDS
    decode = builder.info.features.deserialize_example
    return {
        int(decode(record)["image"][0, 0, 0]): shard
        for shard, file in enumerate(files)
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    }


def runs(values):
    """Returns `[value, length]` of each run of equal values."""
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found


@pytest.mark.parametrize("shuffle", [False, True])
def test_files_are_read_in_turn(load, builder, shuffle):
    """Without a buffer, a run of images is a block of one file."""
    shards = shard_of(builder)
    orders = numbers(load(1, shuffle=shuffle), 3)
    turns = [runs(shards[number] for number in order) for order in orders]
    for turn in turns:
        first = turn[:NUM_SHARDS]
        assert sorted(shard for shard, _ in first) == list(range(NUM_SHARDS))
        assert {length for _, length in first} == {BLOCK}
    file_orders = {tuple(shard for shard, _ in turn[:NUM_SHARDS]) for turn in turns}
    assert (len(file_orders) > 1) == shuffle


def test_several_files_are_read_at_a_time(builder, load):
    source = records.Records(
        builder, "train", ("image",), None, Fit(), (HEIGHT, WIDTH, 3)
    )
    stream = tf.data.experimental.to_variant(source.stream(None))
    graph = tf.raw_ops.DatasetToGraphV2(input_dataset=stream).numpy()
    assert b"ParallelInterleaveDataset" in graph


@pytest.mark.parametrize("buffer", [1, 20, NUM_IMAGES])
def test_every_image_comes_once_in_the_order_of_seed_and_epoch(load, buffer):
    orders = numbers(load(buffer, seed=3), 4)
    for order in orders:
        assert sorted(order) == list(range(NUM_IMAGES))
    assert len({tuple(order) for order in orders}) == 4
    assert numbers(load(buffer, seed=3), 4) == orders
    assert numbers(load(buffer, seed=3, initial_epoch=2), 2) == orders[2:]
    assert numbers(load(buffer, seed=4), 1) != orders[:1]


def test_the_buffer_mixes_what_the_files_hold(load, builder):
    """With a buffer of a tenth of the set, no file comes in blocks any more."""
    shards = shard_of(builder)
    (order,) = numbers(load(NUM_IMAGES // 10), 1)
    lengths = [length for _, length in runs(shards[number] for number in order)]
    assert max(lengths) < BLOCK
    assert np.mean(lengths) < BLOCK / 4


@pytest.mark.parametrize("spare", [-1, 0])
def test_only_what_fits_is_read_whole(builder, monkeypatch, spare):
    def read(self):
        raise MemoryError

    monkeypatch.setattr(records.Records, "read", read)
    monkeypatch.setattr(loading, "IN_MEMORY_BYTES", NUM_IMAGES * IMAGE_BYTES + spare)
    options = {"data_dir": builder.data_dir_root, "batch_size": 32}
    if spare >= 0:
        with pytest.raises(MemoryError):
            load_images("tiny_shards", **options)
        return
    assert sum(len(batch) for batch in load_images("tiny_shards", **options)) == 200
