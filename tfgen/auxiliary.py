"""What a discriminator's second output is trained to tell, by both networks of a GAN.

A model takes the name of a row (`auxiliary="codes"`) or an object. The discriminator
then returns `[logits, outputs]`, with `outputs` of `num_outputs` numbers an image: its
builder's `num_outputs`. One's own is a subclass of `Auxiliary` that is registered with
`keras.saving.register_keras_serializable()`.

    classes  D: -E[log P(y|x)] - E[log P(y|G(z,y))]     G: -E[log P(y|G(z,y))]
    codes    D and G: -E[log Q(c|G(z,c))] = H(c) - L,   L <= I(c; G(z,c))

`classes` (ACGAN) are the labels, of real and of generated images. `codes` (InfoGAN) are
a part of the latents, whose mutual information with the images is bounded from below by
L: categories, one-hot, with logits each, and numbers of Uniform(-1, 1), with a Normal's
mean and standard deviation each.

References:
- [Odena et al., 2017](https://arxiv.org/abs/1610.09585), eqs. 2 and 3: classes.
- [Chen et al., 2016](https://arxiv.org/abs/1606.03657), eqs. 5 and 6: codes.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from typing_extensions import override

from tfgen import losses

tfd = tfp.distributions
Tensor = Any  # a tf.Tensor; NumPy arrays do too
Terms = dict[str, Tensor]

_registered = keras.saving.register_keras_serializable(package="tfgen")
_LEAST_STDDEV = 1e-3  # of a number's posterior, whose density is bounded by it


class Auxiliary(losses.Configured):
    """What the second output is trained on.

    `term_names` are what `fit` reports. `has_codes` says that latents hold codes,
    `takes_labels` that the generator is conditional, and the discriminator is not.
    """

    term_names: tuple[str, ...] = ()
    has_codes = False
    takes_labels = False

    def num_outputs(self, num_classes: int | None) -> int:
        """Returns how many numbers an image the second output has."""
        raise NotImplementedError

    def targets(self, batch: dict[str, Tensor]) -> Tensor:
        """Returns what is to be told of generated images, of a batch of a GAN."""
        raise NotImplementedError

    def discriminator(
        self, real: Tensor, fake: Tensor, targets: Tensor
    ) -> tuple[Tensor, Terms]:
        """Returns what the discriminator minimises beside its loss, and its terms.

        Args:
            real, fake: Second outputs `(batch, num_outputs)`.
            targets: As `targets` returns them.
        """
        raise NotImplementedError

    def generator(self, fake: Tensor, targets: Tensor) -> Tensor:
        """Returns what the generator minimises beside its loss."""
        raise NotImplementedError


@_registered
class Classes(Auxiliary):
    """The labels: ACGAN.

    Args:
        weight: Float, of both cross-entropies.
    """

    term_names = ("real_class_loss", "fake_class_loss")
    takes_labels = True

    def __init__(self, weight: float = 1.0):
        self.weight = weight

    @override
    def num_outputs(self, num_classes: int | None) -> int:
        if num_classes is None:
            raise ValueError('auxiliary="classes" needs `num_classes`.')
        return num_classes

    @override
    def targets(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["labels"]

    @override
    def discriminator(
        self, real: Tensor, fake: Tensor, targets: Tensor
    ) -> tuple[Tensor, Terms]:
        terms = [_cross_entropy(outputs, targets) for outputs in (real, fake)]
        loss = self.weight * (terms[0] + terms[1])
        return loss, dict(zip(self.term_names, terms, strict=True))

    @override
    def generator(self, fake: Tensor, targets: Tensor) -> Tensor:
        return self.weight * _cross_entropy(fake, targets)

    @override
    def get_config(self) -> dict[str, Any]:
        return {"weight": self.weight}


@_registered
class Codes(Auxiliary):
    """The first latents, as categories and numbers: InfoGAN.

    Args:
        categorical: Integers, how many values each categorical code has.
        num_continuous: Integer, codes of Uniform(-1, 1), after the categories.
        weight: Float, of the categories' cross-entropies.
        continuous_weight: Float, of the numbers' negative log-densities.
    """

    term_names = ("mutual_information",)
    has_codes = True

    def __init__(
        self,
        categorical: Sequence[int] = (10,),
        num_continuous: int = 2,
        weight: float = 1.0,
        continuous_weight: float = 0.1,
    ):
        self.categorical = tuple(categorical)
        self.num_continuous = num_continuous
        self.weight = weight
        self.continuous_weight = continuous_weight
        if any(count < 2 for count in self.categorical) or num_continuous < 0:
            raise ValueError(
                "A categorical code needs 2 values or more, and `num_continuous` must "
                f"be at least 0. Received: {self.categorical} and {num_continuous}"
            )
        self._num_logits = sum(self.categorical)
        self.dim = self._num_logits + num_continuous
        if not self.dim:
            raise ValueError("There must be a code. Received: none")

    @property
    def names(self) -> list[str]:
        """Names of the codes, categories first."""
        names = [f"category_{i}" for i in range(len(self.categorical))]
        return names + [f"number_{i}" for i in range(self.num_continuous)]

    def columns(self) -> list[slice]:
        """Returns where each code lies in the latents, in the order of `names`."""
        sizes = [*self.categorical, *[1] * self.num_continuous]
        stops = [0, *itertools.accumulate(sizes)]
        return [slice(i, j) for i, j in itertools.pairwise(stops)]

    @property
    def entropy(self) -> float:
        """H(c) in nats, of numbers the differential entropy."""
        return sum(map(math.log, self.categorical)) + self.num_continuous * math.log(2)

    @override
    def num_outputs(self, num_classes: int | None) -> int:
        return self._num_logits + 2 * self.num_continuous

    def latents(self, noise: Tensor) -> Tensor:
        """Returns latents of standard normal noise: with codes in the first columns."""
        *groups, numbers, rest = self._split(noise)
        # The largest of equal normals is each with one probability.
        codes = [tf.one_hot(tf.argmax(x, -1), x.shape[-1]) for x in groups]
        return tf.concat([*codes, _erf(numbers * 0.5**0.5), rest], axis=-1)

    def centre(self, latents: Tensor) -> Tensor:
        """Returns what truncation moves latents to: 0, but categories stay."""
        kept = tf.range(latents.shape[-1]) < self._num_logits
        return latents * tf.cast(kept, latents.dtype)

    def posterior(self, outputs: Tensor) -> list[Any]:
        """Returns Q(c|x), a `tfd.Distribution` of batch `(batch,)` for each code."""
        *groups, numbers, raw = self._split(outputs)
        codes = [tfd.OneHotCategorical(logits, dtype=tf.float32) for logits in groups]
        stddev = tf.nn.softplus(raw) + _LEAST_STDDEV
        columns = zip(
            tf.unstack(numbers, axis=-1), tf.unstack(stddev, axis=-1), strict=True
        )
        return codes + [tfd.Normal(*column) for column in columns]

    def means(self, outputs: Tensor) -> Tensor:
        """Returns Q's probabilities and means, `(batch, dim)`: as in the latents."""
        *groups, numbers, _ = self._split(outputs)
        return tf.concat([*(tf.nn.softmax(x) for x in groups), numbers], axis=-1)

    def log_probs(self, outputs: Tensor, latents: Tensor) -> list[Tensor]:
        """Returns `log Q(c|x)` of each code, `(batch,)`, of the latents' codes."""
        *groups, numbers, _ = self._split(latents)
        codes = [*groups, *tf.unstack(numbers, axis=-1)]
        pairs = zip(self.posterior(outputs), codes, strict=True)
        return [posterior.log_prob(code) for posterior, code in pairs]

    @override
    def targets(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["latents"]

    @override
    def discriminator(
        self, real: Tensor, fake: Tensor, targets: Tensor
    ) -> tuple[Tensor, Terms]:
        log_probs = self._means(fake, targets)
        bound = self.entropy + tf.add_n(log_probs)
        return self._loss(log_probs), {self.term_names[0]: bound}

    @override
    def generator(self, fake: Tensor, targets: Tensor) -> Tensor:
        return self._loss(self._means(fake, targets))

    def _means(self, outputs: Tensor, latents: Tensor) -> list[Tensor]:
        return [tf.reduce_mean(x) for x in self.log_probs(outputs, latents)]

    def _loss(self, log_probs: list[Tensor]) -> Tensor:
        count = len(self.categorical)
        weights = [self.weight] * count + [self.continuous_weight] * self.num_continuous
        return -tf.add_n([w * x for w, x in zip(weights, log_probs, strict=True)])

    def _split(self, columns: Tensor) -> list[Tensor]:
        """Returns the columns of each category, of all numbers, and those after."""
        stops = [*itertools.accumulate([*self.categorical, self.num_continuous])]
        stops.append(columns.shape[-1])
        # Not tf.split, which phones run apart from all else.
        return [columns[:, i:j] for i, j in itertools.pairwise([0, *stops])]

    @override
    def get_config(self) -> dict[str, Any]:
        return {
            "categorical": list(self.categorical),
            "num_continuous": self.num_continuous,
            "weight": self.weight,
            "continuous_weight": self.continuous_weight,
        }


AUXILIARIES = {"classes": Classes, "codes": Codes}


def get(identifier: Any) -> Auxiliary | None:
    """Returns the object of a name, an object as it is, or `None`."""
    return losses.get("auxiliary", identifier, AUXILIARIES, Auxiliary)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -tf.reduce_mean(tfd.Categorical(logits).log_prob(labels))


def _erf(x: Tensor) -> Tensor:
    """Returns the error function within 5e-7: .tflite files have no operation for it.

    Reference: [Abramowitz & Stegun, 1964](https://dlmf.nist.gov/7.24), eq. 7.1.26.
    """
    t = 1.0 / (1.0 + 0.3275911 * tf.abs(x))
    total: Any = 0.0
    for weight in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        total = t * (weight + total)
    sign = x / tf.maximum(tf.abs(x), 1e-30)  # tf.sign runs apart from all else
    return sign * (1.0 - total * tf.exp(-tf.square(x)))
