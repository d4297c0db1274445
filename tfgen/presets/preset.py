"""What a preset is: a named recipe, whose arguments say what they may be."""

import dataclasses
import difflib
import inspect
import math
import numbers
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

from tfgen.errors import UserError
from tfgen.sizes import EXPECTED, Size, read_size

NONE = "none"  # the command line's word for `None`


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`.

    Args:
        low: Number, the smallest one; with `above`, it is not in the range.
        high: Number, the largest one; with `below`, it is not in the range.
        above: Whether `low` itself is left out.
        below: Whether `high` itself is left out.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        return (
            (self.low < value if self.above else self.low <= value)
            and (value < self.high if self.below else value <= self.high)
            and math.isfinite(value)
        )

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"above {self.low}" if self.above else f"of at least {self.low}"
        left, right = "(" if self.above else "[", ")" if self.below else "]"
        return f"in {left}{self.low}, {self.high}{right}"


POSITIVE = Range(0, above=True)
AT_LEAST_0 = Range(0)
AT_LEAST_1 = Range(1)
SHARE = Range(0, 1, below=True)
SEED = Range(0, 2**31 - 1)  # TensorFlow wraps larger ones
# What the arguments of several families are.
ImageSize = Annotated[Size, "of the images, height and width"]
Channels = Annotated[int, "1 for grey images, 3 for colour", AT_LEAST_1]
LatentDim = Annotated[int, "size of a latent", AT_LEAST_1]
NumClasses = Annotated[int | None, "classes of a conditional model", AT_LEAST_1]
LearningRate = Annotated[float, "of Adam", POSITIVE]


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a preset: a keyword of `create_model`, a flag of `tfgen train`.

    Args:
        name: The keyword.
        type: `int`, `float`, `bool` or `str`; or `Size`, of `tfgen.sizes`.
        default: The preset's value.
        help: What it is, in a few words.
        allowed: A `Range` of numbers, a tuple of strings, or `None` for any value.
        is_optional: Whether `None` is a value of it.
    """

    name: str
    type: type
    default: Any
    help: str
    allowed: Range | tuple[str, ...] | None = None
    is_optional: bool = False

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.type is Size:
            words = EXPECTED
        elif isinstance(self.allowed, tuple):
            words = f"one of {', '.join(self.allowed)}"
        else:
            names = {int: "an integer", float: "a number", bool: "true or false"}
            words = names.get(self.type, "a string")
            words += f" {self.allowed}" if self.allowed else ""
        return f"{words}, or {NONE}" if self.is_optional else words

    def check(self, value: Any) -> Any:
        """Returns the value as a plain Python one.

        An object in place of one of several strings is left to the model.

        Raises:
            UserError: The value is of another type or out of range.
        """
        if value is None and self.is_optional:
            return None
        if self.type is Size:
            return read_size(f"`{self.name}`", value)
        is_right = _has_type(value, self.type)
        if isinstance(self.allowed, tuple) and not isinstance(value, str):
            is_right = not isinstance(value, bool | numbers.Number | None)
        elif is_right and self.allowed is not None:
            is_right = value in self.allowed
        if not is_right:
            near = ""
            if isinstance(self.allowed, tuple):
                near = near_matches(str(value), self.allowed)
            raise UserError(
                f"`{self.name}` must be {self.expected}. Received: {value!r}{near}"
            )
        return self.type(value) if self.type in (int, float) else value

    def parse(self, text: str) -> Any:
        """Returns the value that a word of the command line stands for.

        Raises:
            UserError: As in `check`.
        """
        if text == NONE and self.is_optional:
            return None
        value: Any = text
        if self.type is bool:
            value = {"true": True, "false": False}.get(text.lower(), text)
        elif self.type in (int, float):
            try:
                value = self.type(text)
            except ValueError:
                value = text
        return self.check(value)


def _has_type(value: Any, kind: type) -> bool:
    if kind in (int, float):
        number = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, kind)


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named recipe: a model with its networks, data, optimizers and epochs.

    Args:
        name: `<model>_<dataset>[_<size>]`.
        summary: One line.
        build: Function of keyword arguments that returns a compiled model. Each is
            annotated with its type, its help and what it may be: `Annotated[float,
            "of Adam", POSITIVE]`. Among them are `image_size`, `channels` and `seed`,
            and `num_steps` if its learning rate depends on the length of training.
        data: Name of the data that it is meant for, as in `tfgen.data.load_images`;
            `None` if the user has to bring them.
        epochs: Epochs that it needs.
        batch_size: Images in a batch.
        paper: The source of the model.
        defaults: Values that differ from those of `build`.
        kind: What the model is trained on: `"images"`, `"pairs"` or `"domains"`, as in
            `tfgen.data.load_images`, `load_pairs` and `load_domains`.
        load_scale: Float, size to which training pairs and domains are resized, over
            the size that is then cropped at random.
        mirror: Whether training pairs and domains are mirrored at random.
        degrade: What makes pairs of images: `degrade` of `tfgen.data.load_pairs`.
    """

    name: str
    summary: str
    build: Callable[..., Any]
    data: str | None
    epochs: int
    batch_size: int
    paper: str
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: str = "images"
    load_scale: float = 1.0
    mirror: bool = False
    degrade: str | None = None

    @property
    def takes(self) -> str:
        """What data it wants: `"images"`, `"pairs"` or `"domains"`."""
        return "images" if self.degrade else self.kind

    @property
    def arguments(self) -> dict[str, Argument]:
        """The arguments of `build` by name, with this preset's defaults."""
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: self._read_argument(p) for p in parameters}

    def _read_argument(self, parameter: inspect.Parameter) -> Argument:
        kind, text, *allowed = typing.get_args(parameter.annotation)
        kinds = typing.get_args(kind) or (kind,)  # of `int | None`
        kinds = (Size,) if kind == Size else kinds
        return Argument(
            name=parameter.name,
            type=kinds[0],
            default=self.defaults.get(parameter.name, parameter.default),
            help=text,
            allowed=allowed[0] if allowed else None,
            is_optional=type(None) in kinds,
        )

    def resolve(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the value of every argument, checked.

        Raises:
            UserError: An override is unknown, of another type or out of range.
        """
        arguments = self.arguments
        values = {name: argument.default for name, argument in arguments.items()}
        for name, value in overrides.items():
            if name not in arguments:
                raise UserError(
                    f"{self.name} has no argument {name!r}"
                    f"{near_matches(name, arguments)}; it has: {', '.join(arguments)}"
                )
            values[name] = arguments[name].check(value)
        return values


def near_matches(name: str, known: Collection[str]) -> str:
    """Returns `" (did you mean ...?)"`, or nothing if no known name is near."""
    matches = difflib.get_close_matches(name, known, n=3)
    return f" (did you mean {', '.join(matches)}?)" if matches else ""
