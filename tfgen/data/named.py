"""A data set of TFDS as a source."""

import os
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfgen.data import images, pipeline
from tfgen.data.preparing import make_builder, prepare, resolve_split
from tfgen.data.sources import Source
from tfgen.errors import UserError

_SHUFFLE_BYTES = 2**28  # of decoded images in the shuffle buffer of a stream
_READ_BATCH = 512


def open_named(
    name: str,
    split: str,
    fit: images.Fit,
    labels: bool,
    data_dir: str | os.PathLike | None,
) -> Source:
    """Returns one split of a data set by its TFDS name, preparing it if need be.

    Raises:
        UserError: No such data set, configuration or split; it cannot be prepared; it
            has no images or no labels; or its images differ in size or channels where
            `fit` does not settle it.
    """
    builder = make_builder(name, data_dir, fit.size)
    image_key, label_key = _find_image(builder), _find_label(builder)
    if labels and label_key is None:
        raise UserError(f"{name} has no labels: leave out labels=True")
    shape = _fitted_shape(name, builder.info.features[image_key].shape, fit)
    prepare(builder)
    split = resolve_split(builder, split)
    size = builder.info.splits[split].num_examples
    if not size:
        raise UserError(f"The split {split!r} of {name} is empty: choose another")
    label_key = label_key if labels else None
    reader = _Reader(builder, split, size, image_key, label_key, fit, shape)
    return Source(name, size, shape, labels, reader.read, reader.stream)


def describe_named(name: str, data_dir: str | os.PathLike | None) -> tuple:
    """Returns the fields of `loading.Description`; prepares nothing."""
    builder = make_builder(name, data_dir)
    info = builder.info
    counts = [None, None]
    if info.splits:
        splits = [resolve_split(builder, split) for split in ("train", "test")]
        counts = [info.splits[split].num_examples for split in splits]
    shape = info.features[_find_image(builder)].shape
    label_key = _find_label(builder)
    num_classes = info.features[label_key].num_classes if label_key else None
    attribution = info.redistribution_info.license or None
    return (info.full_name, *counts, shape, num_classes, attribution)


@dataclass(frozen=True)
class _Reader:
    """Reads one split; `label_key` is None where no labels are asked for."""

    builder: tfds.core.DatasetBuilder
    split: str
    num_examples: int
    image_key: str
    label_key: str | None
    fit: images.Fit
    shape: tuple[int, int, int]

    def read(self) -> tuple[np.ndarray, ...]:
        batches = self.stream(None).batch(_READ_BATCH)
        batches = batches.with_options(pipeline.dataset_options())
        arrays = tuple(
            np.empty((self.num_examples, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
            for spec in batches.element_spec
        )
        start = 0
        for batch in batches.as_numpy_iterator():
            for array, part in zip(arrays, batch, strict=True):
                array[start : start + len(part)] = part
            start += len(batch[0])
        return arrays

    def stream(self, seed: tf.Tensor | None) -> tf.data.Dataset:
        if seed is None:
            return self._examples(_read_config())
        # `Dataset.shuffle` mixes the global seed in. This sets it for the function
        # that is being traced alone, so that the order depends on `seed` only.
        tf.random.set_seed(1)
        seeds = tf.random.stateless_uniform([2], seed, None, None, tf.int64)
        # Preparing shuffled the examples already; the files are shuffled too, so that
        # the buffer need not hold the whole set.
        examples = self._examples(_read_config(seeds[0]), shuffle_files=True)
        buffer = max(1, _SHUFFLE_BYTES // int(np.prod(self.shape)))
        buffer = min(buffer, self.num_examples)
        return examples.shuffle(buffer, seeds[1], reshuffle_each_iteration=False)

    def _examples(
        self, config: tfds.ReadConfig, shuffle_files: bool = False
    ) -> tf.data.Dataset:
        keys = {key: True for key in (self.image_key, self.label_key) if key}
        others = set(self.builder.info.features) - {self.image_key, "label"}
        examples = self.builder.as_dataset(
            split=self.split,
            shuffle_files=shuffle_files,
            read_config=config,
            # What is not asked for is not decoded (a lone label costs nothing).
            decoders=tfds.decode.PartialDecoding(keys) if others else None,
        )
        return examples.map(self._unpack, num_parallel_calls=pipeline.PARALLEL_CALLS)

    def _unpack(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        image = example[self.image_key]
        if image.shape != self.shape:  # an unknown length differs from any
            image = tf.numpy_function(self._fit_array, [image], tf.uint8)
            image = tf.ensure_shape(image, self.shape)
        if self.label_key is None:
            return (image,)
        return image, tf.cast(example[self.label_key], tf.int32)

    def _fit_array(self, array: np.ndarray) -> np.ndarray:
        return images.fit_array(array, self.fit)


def _read_config(seed: tf.Tensor | None = None) -> tfds.ReadConfig:
    return tfds.ReadConfig(
        options=pipeline.dataset_options(),
        try_autocache=False,
        skip_prefetch=True,
        shuffle_seed=seed,
        shuffle_reshuffle_each_iteration=None if seed is None else False,
        enable_ordering_guard=False,  # a seeded order is what is asked for
        num_parallel_calls_for_decode=pipeline.PARALLEL_CALLS,
        num_parallel_calls_for_interleave_files=pipeline.PARALLEL_CALLS,
    )


def _find_image(builder: tfds.core.DatasetBuilder) -> str:
    name, features = builder.info.full_name, builder.info.features
    entries = features if isinstance(features, tfds.features.FeaturesDict) else {}
    found = [k for k, v in entries.items() if isinstance(v, tfds.features.Image)]
    if not found:
        raise UserError(f"{name} has no images: choose a data set of images")
    key = "image" if "image" in found else min(found)
    if entries[key].np_dtype != np.uint8:
        raise UserError(
            f"The images of {name} are {entries[key].np_dtype}, not uint8: choose "
            "another configuration, or save them as files and pass the folder"
        )
    return key


def _find_label(builder: tfds.core.DatasetBuilder) -> str | None:
    feature = dict(builder.info.features.items()).get("label")
    return "label" if isinstance(feature, tfds.features.ClassLabel) else None


def _fitted_shape(
    name: str, shape: tuple[int | None, ...], fit: images.Fit
) -> tuple[int, int, int]:
    fitted = fit.shape_of(*shape)
    if None in fitted[:2]:
        raise UserError(
            f"The images of {name} differ in size: pass image_size to crop and resize "
            "them"
        )
    if fitted[2] is None:
        raise UserError(
            f"The images of {name} differ in channels: pass channels=1, 3 or 4 to "
            "convert them"
        )
    return fitted
