"""Attributes that images of a run's data have: classes, and values of known factors."""

import dataclasses
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.latent.directions import attribute_direction
from tfgen.latent.encoding import Encoding
from tfgen.names import find_name, list_names


@dataclasses.dataclass(frozen=True)
class Attribute:
    """A class, or one value of a factor.

    Args:
        text: What the user called it.
        value: Integer, the class or the value.
        factor: Integer, the factor; None for a class.
    """

    text: str
    value: int
    factor: int | None = None

    def of(self, encoding: Encoding, factors: Any) -> np.ndarray:
        """Returns which images have it, booleans `(n,)`."""
        column = encoding.classes
        if self.factor is not None:
            column = factors.values[:, self.factor]
        return column == self.value


@dataclasses.dataclass(frozen=True)
class Choices:
    """All attributes of a data set.

    Args:
        class_names: Of the classes; may be empty.
        factors: As `tfgen.data.load_factors` returns them, or None.
    """

    class_names: tuple[str, ...]
    factors: Any

    def find(self, option: str, text: str) -> Attribute:
        """Returns the attribute that a user means.

        Raises:
            UserError: There is none. The message names `option`, and the attributes.
        """
        value = find_name(text, self.class_names)
        if value is not None:
            return Attribute(text, value)
        name, _, value_name = text.partition("=")
        if self.factors and name in self.factors.names:
            factor = self.factors.names.index(name)
            value = find_name(value_name, self.factors.value_names[factor])
            if value is not None:
                return Attribute(text, value, factor)
        known = [list_names(self.class_names)] if self.class_names else []
        if self.factors:
            pairs = zip(self.factors.names, self.factors.value_names, strict=True)
            known += [f"{name}={list_names(values)}" for name, values in pairs]
        if not known:
            raise UserError(
                f"{option} {text}: the data of this run has no attributes: it needs "
                "classes (a sub-folder each), or known factors"
            )
        raise UserError(
            f"{option} {text} is not in the data. Choose of {'; '.join(known)}"
        )


def find_direction(
    encoding: Encoding,
    factors: Any,
    wanted: Attribute,
    start: Attribute | None,
) -> np.ndarray:
    """Returns the direction to an attribute in latent space: float32 `(latent_dim,)`.

    Args:
        encoding: Of training images.
        factors: Of the same images, if they are known.
        wanted: The attribute to go to.
        start: The attribute to come from; None for all images that lack `wanted`.

    Raises:
        UserError: No image has one of the attributes, or some image has both.
    """
    has = wanted.of(encoding, factors)
    lacks = ~has if start is None else start.of(encoding, factors)
    for mask, text in (
        (has, f"has {wanted.text}"),
        (lacks, f"lacks {wanted.text}" if start is None else f"has {start.text}"),
    ):
        if not mask.any():
            raise UserError(
                f"none of the first {len(mask)} training images {text}: raise "
                "--num-images, or choose another attribute"
            )
    if (has & lacks).any():
        raise UserError(
            f"images have both {wanted.text} and {start.text}: there is no way between "
            "them. Choose two classes, or two values of one factor"
        )
    rows = has | lacks
    return attribute_direction(encoding.latents[rows], has[rows])
