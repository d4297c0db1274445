"""One split of a prepared TFDS data set: read as arrays or streamed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfgen.data import pipeline, pixels
from tfgen.data.loading import Source

LABEL = "label"  # the feature that numbers classes
SHUFFLE_BYTES = 2**28  # of decoded images in the shuffle buffer of a stream
_READ_BATCH = 512
_GROUP = "group"  # the feature that names examples too much alike to be parted
_ID = "tfds_id"  # what TFDS calls an example: its file and its position in it
# Halves openmoji about equally (1,964 and 1,959), whose flags are one group of 330.
_HASH_KEY = (0, 9)


@dataclass(frozen=True)
class Records:
    """Reads one split.

    Attributes:
        builder: A prepared builder.
        split: Name of a split, or a slice.
        image_keys: Names of the image features of an example.
        label_key: Name of the label's feature; None where none is asked for.
        fit: What every image is made to be.
        shape: `(height, width, channels)` that every image will have.
        half: 0 or 1 leaves out the other half of the examples: by a hash of the feature
            `group`, if there is one, or else by the parity of their position.
        classes: Numbers of the classes that are kept, by the feature `label`; None for
            all.
    """

    builder: tfds.core.DatasetBuilder
    split: str
    image_keys: tuple[str, ...]
    label_key: str | None
    fit: pixels.Fit
    shape: tuple[int, int, int]
    half: int | None = None
    classes: tuple[int, ...] | None = None

    def as_source(self) -> Source:
        """Returns the examples as a source."""
        name, num_images = self.builder.info.full_name, len(self.image_keys)
        size = self.num_examples
        return Source(name, size, self.shape, self.read, self.stream, num_images)

    @cached_property
    def num_examples(self) -> int:
        """The examples, of which TFDS knows the number, but not that of a part."""
        if self.half is None and self.classes is None:
            return self.builder.info.splits[self.split].num_examples
        skip = dict.fromkeys(self.image_keys, tfds.decode.SkipDecoding())
        examples = self._examples(self._read_config(), decoders=skip)
        return int(examples.reduce(np.int64(0), lambda count, _: count + 1))

    @tf.autograph.experimental.do_not_convert  # slow, and nothing here needs it
    def read(self) -> tuple[np.ndarray, ...]:
        """Returns all examples as arrays, in the fixed order."""
        batches = self.stream(None).batch(_READ_BATCH)
        batches = batches.with_options(pipeline.dataset_options())
        arrays = tuple(
            self._empty_array(spec.dtype, spec.shape[1:])
            for spec in batches.element_spec
        )
        start = 0
        for batch in batches.as_numpy_iterator():
            for array, part in zip(arrays, batch, strict=True):
                array[start : start + len(part)] = part
            start += len(batch[0])
        return arrays

    def _empty_array(self, dtype: tf.DType, shape: tf.TensorShape) -> np.ndarray:
        shape = (self.num_examples, *shape)
        if dtype == tf.uint8:
            return pipeline.empty_images(shape)
        return np.empty(shape, dtype.as_numpy_dtype)

    def stream(self, seed: tf.Tensor | None) -> tf.data.Dataset:
        """Returns single examples in the order of a seed, or in the fixed order."""
        if seed is None:
            examples = self._examples(self._read_config())
            return self._unpack_all(examples)
        # `Dataset.shuffle` mixes the global seed in. This sets it for the function
        # that is being traced alone, so that the order depends on `seed` only.
        tf.random.set_seed(1)
        seeds = tf.random.stateless_uniform([2], seed, None, None, tf.int64)
        # Preparing shuffled the examples already; the files are shuffled too, so that
        # the buffer need not hold the whole set.
        examples = self._examples(self._read_config(seeds[0]), shuffle_files=True)
        buffer = max(1, SHUFFLE_BYTES // int(np.prod(self.shape)))
        buffer = max(1, buffer // len(self.image_keys))
        buffer = min(buffer, self.num_examples)
        examples = self._unpack_all(examples)
        return examples.shuffle(buffer, seeds[1], reshuffle_each_iteration=False)

    def _read_config(self, seed: tf.Tensor | None = None) -> tfds.ReadConfig:
        return tfds.ReadConfig(
            options=pipeline.dataset_options(),
            try_autocache=False,
            skip_prefetch=True,
            shuffle_seed=seed,
            shuffle_reshuffle_each_iteration=None if seed is None else False,
            enable_ordering_guard=False,  # a seeded order is what is asked for
            num_parallel_calls_for_decode=pipeline.PARALLEL_CALLS,
            num_parallel_calls_for_interleave_files=pipeline.PARALLEL_CALLS,
            add_tfds_id=self._half_key == _ID,
        )

    def _examples(
        self,
        config: tfds.ReadConfig,
        shuffle_files: bool = False,
        decoders: dict | None = None,
    ) -> tf.data.Dataset:
        """Returns the examples of the half and the classes as TFDS gives them."""
        features = self.builder.info.features
        keys = {*self.image_keys, self.label_key, self._half_key} & set(features)
        if self.classes is not None:
            keys.add(LABEL)
        # What is not asked for is not decoded (a lone label costs nothing).
        if decoders or set(features) - {*keys, LABEL}:
            decoders = tfds.decode.PartialDecoding(dict.fromkeys(keys, True), decoders)
        examples = self.builder.as_dataset(
            split=self.split,
            shuffle_files=shuffle_files,
            read_config=config,
            decoders=decoders,
        )
        if self.half is not None:
            examples = examples.filter(self._is_in_half)
        if self.classes is not None:
            examples = examples.filter(self._is_in_classes)
        return examples

    @property
    def _half_key(self) -> str | None:
        if self.half is None:
            return None
        return _GROUP if _GROUP in self.builder.info.features else _ID

    def _is_in_half(self, example: dict[str, tf.Tensor]) -> tf.Tensor:
        value = example[self._half_key]
        if self._half_key == _GROUP:
            return tf.strings.to_hash_bucket_strong(value, 2, _HASH_KEY) == self.half
        position = tf.strings.regex_replace(value, ".*__", "")
        return tf.strings.to_number(position, tf.int64) % 2 == self.half

    def _is_in_classes(self, example: dict[str, tf.Tensor]) -> tf.Tensor:
        classes = tf.constant(self.classes, tf.int64)
        return tf.reduce_any(tf.cast(example[LABEL], tf.int64) == classes)

    def _unpack_all(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        return examples.map(self._unpack, num_parallel_calls=pipeline.PARALLEL_CALLS)

    def _unpack(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        images = tuple(self._fit_image(example[key]) for key in self.image_keys)
        if self.label_key is None:
            return images
        return (*images, tf.cast(example[self.label_key], tf.int32))

    def _fit_image(self, image: tf.Tensor) -> tf.Tensor:
        if image.shape == self.shape:  # an unknown length differs from any
            return image
        image = tf.numpy_function(self._fit_array, [image], tf.uint8)
        return tf.ensure_shape(image, self.shape)

    def _fit_array(self, array: np.ndarray) -> np.ndarray:
        return pixels.fit_array(array, self.fit)
