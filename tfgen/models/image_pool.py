"""A history of generated images: the discriminator sees older ones as well as new ones.

Until the pool is full, every image is stored and returned. From then on an image is
returned as it is with probability 1/2; else a random stored one is returned, and the
new one takes its place. Images are taken one after the other, also within a batch.

Reference: [Shrivastava et al., 2017](https://arxiv.org/abs/1612.07828), sec. 2.3; in
the form of [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), sec. 4.
"""

import keras
import tensorflow as tf

from tfgen import replicas


@keras.saving.register_keras_serializable(package="tfgen")
class ImagePool(keras.layers.Layer):
    """Exchanges images with a history of earlier ones.

    The history is part of the weights: it is saved and restored with the model. Under a
    strategy all replicas keep the same history, of all replicas' images.

    Args:
        pool_size: Integer, images that are kept; 0 keeps none.

    Call arguments:
        images: `(batch, height, width, channels)`.
        draws: Uniform draws in (0, 1), `(batch, 2)`: whether, and with which one, an
            image is exchanged.

    Returns:
        As many images, new or stored, float32.
    """

    def __init__(self, pool_size=50, **kwargs):
        super().__init__(**kwargs)
        if pool_size < 0:
            raise ValueError(f"`pool_size` must be at least 0. Received: {pool_size}")
        self.pool_size = pool_size

    def build(self, image_shape):
        if not self.pool_size:
            return
        options = {"trainable": False, "initializer": "zeros", "autocast": False}
        # Replicas write the same values.
        options["aggregation"] = "only_first_replica"
        shape = (self.pool_size, *image_shape[1:])
        self.images = self.add_weight(
            shape=shape, dtype="float32", name="images", **options
        )
        # Not int32: TensorFlow keeps such variables on the CPU, out of a GPU's reach
        # within XLA.
        self.count = self.add_weight(shape=(), dtype="int64", name="count", **options)

    def call(self, images, draws):
        images = tf.stop_gradient(tf.cast(images, tf.float32))
        if not self.pool_size:
            return images
        if replicas.num_replicas() == 1:
            return self._exchange(images, draws)
        size = tf.shape(images)[0]
        start, _ = replicas.global_rows(size)
        context = tf.distribute.get_replica_context()
        images, draws = context.all_gather([images, draws], axis=0)
        return self._exchange(images, draws)[start : start + size]

    def _exchange(self, images, draws):
        stored = tf.convert_to_tensor(self.images)
        count = tf.cast(self.count.value, tf.int32)
        order = tf.range(tf.shape(images)[0])
        places = count + order
        fills = places < self.pool_size
        chosen = tf.cast(draws[:, 1] * self.pool_size, tf.int32)
        chosen = tf.minimum(chosen, self.pool_size - 1)  # a product may round up
        places = tf.where(fills, places, chosen)
        swaps = tf.logical_not(fills) & (draws[:, 0] > 0.5)
        writes = fills | swaps

        # An image that is given back may have been stored earlier in this batch.
        earlier = (order[:, tf.newaxis] > order) & (places[:, tf.newaxis] == places)
        last = _last_writer(earlier & writes, order)
        history = _choose(last, images, tf.gather(stored, places))
        swaps = tf.reshape(swaps, (-1, 1, 1, 1))
        returned = tf.where(swaps, history, images)

        into = tf.range(self.pool_size)[:, tf.newaxis] == places
        self.images.assign(_choose(_last_writer(into & writes, order), images, stored))
        count = tf.minimum(count + tf.size(order), self.pool_size)
        self.count.assign(tf.cast(count, tf.int64))
        return returned

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size}


def _last_writer(writes, order):
    """Returns of each row of `writes` `(n, batch)` the last true column, or -1."""
    return tf.reduce_max(tf.where(writes, order, -1), axis=1)


def _choose(index, images, otherwise):
    """Returns `images[index]`, and where the index is -1 the row of `otherwise`."""
    chosen = tf.gather(images, tf.maximum(index, 0))
    return tf.where(tf.reshape(index >= 0, (-1, 1, 1, 1)), chosen, otherwise)
