"""A causal transformer over codes: `p(codes) = prod_t p(code_t | codes before t)`.

    h = embedding(code_{t-1}) + position_t       (of the label, or a start, for t = 0)
    h <- h + attention(norm(h)),   h <- h + mlp(norm(h)),      logits = head(norm(h))

Training sees all places at once, behind a mask. Sampling goes from place to place and
keeps the keys and values of those before: unrolled, so that all shapes are static, and
of operations that phones have on their fast path.

References:
- [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), sec. 3.
- [Radford et al., 2019](https://openai.com/index/better-language-models/): norms first.
"""

import math
from typing import Any

import keras
import tensorflow as tf

_SHARP = 1e30  # a slope that makes a step of a ramp


@keras.saving.register_keras_serializable(package="tfgen")
class CausalTransformer(keras.layers.Layer):
    """A prior over codes, of a fixed number of places.

    Args:
        width: Integer, size of a token; a multiple of `num_heads`.
        num_blocks: Integer.
        num_heads: Integer.
    """

    def __init__(
        self, width: int = 128, num_blocks: int = 3, num_heads: int = 4, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if width % num_heads:
            raise ValueError(
                f"`width` must be a multiple of num_heads={num_heads}. Received: "
                f"{width}"
            )
        self.width, self.num_blocks, self.num_heads = width, num_blocks, num_heads

    def build_for(
        self, num_codes: int, num_places: int, num_classes: int | None = None
    ) -> None:
        """Makes the weights: the model that it is the prior of calls it once.

        Args:
            num_codes: Integer, values of a code.
            num_places: Integer, codes of an image.
            num_classes: Integer of a conditional prior.
        """
        self.num_codes, self.num_places = num_codes, num_places
        self.num_classes = num_classes
        width = self.width
        self.embedding = self._dense(num_codes, width, use_bias=False)
        self.start = self._dense(num_classes or 1, width, use_bias=False)
        self.head = self._dense(width, num_codes)
        self.norm = self._norm()
        small = keras.initializers.RandomNormal(stddev=0.02)
        self.positions = self.add_weight(
            name="positions", shape=(num_places, width), initializer=small
        )
        self.blocks = [
            {
                "norm_1": self._norm(),
                # A bias of keys moves all logits of a row alike: it learns from noise.
                "qkv": self._dense(width, 3 * width, use_bias=False),
                "out": self._dense(width, width),
                "norm_2": self._norm(),
                "grow": self._dense(width, 4 * width, activation="relu"),
                "shrink": self._dense(4 * width, width),
            }
            for _ in range(self.num_blocks)
        ]
        self.built = True

    def _dense(self, num_inputs: int, units: int, **kwargs: Any) -> Any:
        layer = keras.layers.Dense(units, dtype=self.dtype_policy, **kwargs)
        layer.build((None, num_inputs))
        return layer

    def _norm(self) -> Any:
        layer = keras.layers.LayerNormalization(epsilon=1e-5, dtype=self.dtype_policy)
        layer.build((None, self.width))
        return layer

    def call(self, codes: Any, labels: Any = None) -> Any:
        """Returns logits float32 `(batch, num_places, num_codes)` of int32 codes."""
        codes = tf.reshape(codes, (-1, self.num_places))
        tokens = self.embedding(tf.one_hot(codes[:, :-1], self.num_codes))
        ones = tf.ones((tf.shape(codes)[0], 1))
        start = self._start(labels, ones)[:, tf.newaxis]
        features = tf.concat([start, tokens], axis=1) + self.positions
        for block in self.blocks:
            attended = self._attend_all(block["qkv"](block["norm_1"](features)))
            features = self._add(block, features, attended)
        return tf.cast(self.head(self.norm(features)), tf.float32)

    def sample(self, noise: Any, labels: Any = None) -> Any:
        """Returns codes float32 `(batch, num_places, num_codes)`, one-hot.

        Args:
            noise: Uniform draws in (0, 1), `(batch, num_places)`: the codes are the
                inverse of the distribution function there.
            labels: int32 `(batch,)` of a conditional prior.
        """
        # Not tf.ones: its shape would have to be computed.
        ones = 0.0 * noise[:, :1] + 1.0
        features, codes = self._start(labels, ones), None
        caches = [None] * self.num_blocks
        for place in range(self.num_places):
            logits, caches = self._step(features, place, caches)
            one_hot = _inverse(logits, noise[:, place : place + 1])
            features = self.embedding(one_hot)
            new = tf.reshape(one_hot, (-1, 1, self.num_codes))
            codes = new if codes is None else tf.concat([codes, new], axis=1)
        return codes

    def _step(self, features: Any, place: int, caches: list[Any]) -> Any:
        """Returns the logits of one place, and keys and values up to it."""
        features = features + tf.cast(self.positions[place], features.dtype)
        kept = []
        for block, cache in zip(self.blocks, caches, strict=True):
            queries, *new = self._heads(block["qkv"](block["norm_1"](features)), 1)
            if cache is not None:
                pairs = zip(cache, new, strict=True)
                new = [tf.concat(pair, axis=2) for pair in pairs]
            kept.append(new)
            weights = self._weights(queries, new[0])
            attended = tf.reshape(tf.matmul(weights, new[1]), (-1, self.width))
            features = self._add(block, features, attended)
        return tf.cast(self.head(self.norm(features)), tf.float32), kept

    def _start(self, labels: Any, ones: Any) -> Any:
        if self.num_classes is None:
            return self.start(ones)
        return self.start(tf.one_hot(labels, self.num_classes))

    def _attend_all(self, qkv: Any) -> Any:
        queries, keys, values = self._heads(qkv, self.num_places)
        mask = tf.linalg.band_part(tf.ones([self.num_places] * 2), -1, 0)
        attended = tf.matmul(self._weights(queries, keys, (mask - 1.0) * 1e9), values)
        attended = tf.transpose(attended, (0, 2, 1, 3))
        return tf.reshape(attended, (-1, self.num_places, self.width))

    def _heads(self, qkv: Any, num_places: int) -> list[Any]:
        """Returns queries, keys and values `(batch, heads, places, size)`."""
        size = self.width // self.num_heads
        if num_places == 1:  # no transpose is needed: it is exported
            parts = tf.split(qkv, 3, axis=-1)
            return [tf.reshape(x, (-1, self.num_heads, 1, size)) for x in parts]
        qkv = tf.reshape(qkv, (-1, num_places, 3, self.num_heads, size))
        return tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))

    def _weights(self, queries: Any, keys: Any, bias: Any = 0.0) -> Any:
        scale = 1.0 / math.sqrt(self.width // self.num_heads)
        scores = tf.matmul(queries * scale, keys, transpose_b=True)
        weights = tf.nn.softmax(tf.cast(scores, tf.float32) + bias)
        return tf.cast(weights, keys.dtype)

    def _add(self, block: dict[str, Any], features: Any, attended: Any) -> Any:
        features = features + block["out"](attended)
        return features + block["shrink"](block["grow"](block["norm_2"](features)))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = ("width", "num_blocks", "num_heads")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _inverse(logits: Any, noise: Any) -> Any:
    """Returns one-hot codes: the inverse of the distribution function at the noise.

    Not `argmax` or `cumsum`: sums by a matrix and ramps run on the fast path of phones.
    """
    count = logits.shape[-1]
    sums = tf.linalg.band_part(tf.ones((count, count)), 0, -1)[:, : count - 1]
    upper = tf.matmul(tf.nn.softmax(logits), sums)
    # 1 up to the step below the noise, then 0.
    passed = tf.clip_by_value((noise - upper) * _SHARP, 0.0, 1.0)
    zeros = 0.0 * noise
    return tf.concat([zeros + 1.0, passed], axis=1) - tf.concat([passed, zeros], axis=1)
