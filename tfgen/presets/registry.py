"""What a preset is, and the table of all of them."""

import dataclasses
import difflib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from tfgen._compat import require_tensorflow_backend
from tfgen.errors import UserError


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a preset: a keyword of `create_model`, a flag of `tfgen train`."""

    name: str
    type: type
    default: Any
    help: str


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named recipe.

    Args:
        name: `<model>_<dataset>[_<size>]`.
        summary: One line.
        build: Function of annotated keyword arguments that returns a compiled model;
            among them `image_size`, `channels` and `seed`, and `num_steps` if its
            learning rate depends on the length of training.
        data: Name of the data that it is meant for, as of `tfgen.data.load_images`;
            `None` if the user has to bring them.
        epochs: Epochs that it needs.
        batch_size: Images in a batch.
        paper: The source of the model.
        defaults: Values that differ from those of `build`.
        kind: What the model is trained on: `"images"`, `"pairs"` or `"domains"`, as of
            `tfgen.data.load_images`, `load_pairs` and `load_domains`.
        load_scale: Float, size to which training pairs and domains are resized, over
            the size that is then cropped at random.
        mirror: Whether training pairs and domains are mirrored at random.
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

    @property
    def arguments(self) -> dict[str, Argument]:
        """The arguments of `build` by name, with this preset's defaults."""
        found = {}
        for name, parameter in inspect.signature(self.build).parameters.items():
            kind, text = typing.get_args(parameter.annotation)
            default = self.defaults.get(name, parameter.default)
            found[name] = Argument(name, kind, default, text)
        return found

    def resolve(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the value of every argument; an unknown override is a UserError."""
        arguments = self.arguments
        for name in overrides:
            if name not in arguments:
                raise UserError(
                    f"{self.name} has no argument {name!r}"
                    f"{near_matches(name, arguments)}; it has: {', '.join(arguments)}"
                )
        return {n: overrides.get(n, a.default) for n, a in arguments.items()}


def presets() -> dict[str, Preset]:
    """Returns all presets by name."""
    from tfgen.presets import autoencoder, cyclegan, gan, pix2pix, vae

    families = (autoencoder, vae, gan, pix2pix, cyclegan)
    return {preset.name: preset for family in families for preset in family.PRESETS}


def list_presets() -> list[str]:
    """Returns the names of the presets."""
    return list(presets())


def get_preset(name: str) -> Preset:
    """Returns a preset; an unknown name is a UserError with near matches."""
    known = presets()
    if name not in known:
        raise UserError(
            f"no preset {name!r}{near_matches(name, known)}; `tfgen list` shows all"
        )
    return known[name]


def create_model(name: str, **overrides: Any) -> Any:
    """Creates a preset's model, compiled.

    Args:
        name: One of `list_presets()`.
        overrides: Arguments of the preset, such as `latent_dim=16` or `seed=1`. With a
            `seed`, Python's, NumPy's and Keras's global seeds are set too, because the
            initial weights are drawn from them.

    Raises:
        UserError: If the preset or an argument is unknown, or a value does not fit.
    """
    preset = get_preset(name)
    values = preset.resolve(overrides)

    require_tensorflow_backend()
    import keras

    if values.get("seed") is not None:
        keras.utils.set_random_seed(values["seed"])
    try:
        return preset.build(**values)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def near_matches(name: str, known: Mapping[str, Any]) -> str:
    """Returns `" (did you mean ...?)"`, or nothing if no known name is near."""
    found = difflib.get_close_matches(name, known, n=3)
    return f" (did you mean {', '.join(found)}?)" if found else ""
