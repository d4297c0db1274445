"""Training that starts from trained weights, and layers that it leaves as they are.

Layers are named as in `.keras` files: `network/class_number`, such as
`discriminator/conv2d_1`, the second convolution of the discriminator.
"""

import fnmatch
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from tfgen.errors import UserError


def resolve_source(source: str | os.PathLike, flag: str = "--init-from") -> str:
    """Returns the name of a trained preset, or the absolute path of a run or file."""
    from tfgen.presets import cards, hub

    name = os.fspath(source)
    if hub.is_address(name):
        return name
    if cards.preset_of(name) is not None:
        cards.read_card(name)
        return name
    path = pathlib.Path(name).expanduser()
    if not path.exists():
        from tfgen.presets import presets
        from tfgen.presets.preset import near_matches

        raise UserError(
            f"{flag} {name}: no such run directory, .keras file or trained preset"
            f"{near_matches(name, presets())}"
        )
    return str(path.resolve())


def layers_by_name(model: Any) -> dict[str, Any]:
    """Returns the layers with weights of a model's networks, by their names."""
    import keras

    layers = {}
    for attribute, network in sorted(vars(model).items()):
        if not isinstance(network, keras.Model):
            if isinstance(network, keras.layers.Layer) and network.weights:
                layers[attribute] = network  # a codebook, a prior
            continue
        counts: dict[str, int] = {}
        for layer in network.layers:
            if not layer.weights:
                continue
            kind = _snake_case(type(layer).__name__)
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            suffix = f"_{number}" if number else ""
            layers[f"{attribute}/{kind}{suffix}"] = layer
    return layers


def initialize(model: Any, source: str, log: Callable[[str], None]) -> None:
    """Gives a model the weights of another, where their layers fit.

    Args:
        model: Which will be trained.
        source: As in `tfgen.load`.
        log: Is told which layers start anew.

    Raises:
        UserError: No layer fits.
    """
    from tfgen.presets import load

    theirs = layers_by_name(load(source))
    anew = []
    own = layers_by_name(model)
    for name, layer in own.items():
        given = theirs.get(name) or theirs.get(name.removeprefix("ema_"))
        if given is None or _shapes(given) != _shapes(layer):
            anew.append(name)
        else:
            layer.set_weights(given.get_weights())
    if len(anew) == len(own):
        raise UserError(f"--init-from {source}: no layer fits this {model.name}")
    fitting = f"{len(own) - len(anew)} of {len(own)} layers are those of {source}"
    log(f"{fitting}; these start anew: {', '.join(anew)}" if anew else fitting)


def freeze(model: Any, patterns: Sequence[str]) -> None:
    """Keeps layers as they are in training, and builds the optimizers anew.

    Args:
        model: Compiled.
        patterns: Of layers' names, such as `"discriminator/conv2d*"`.

    Raises:
        UserError: A pattern fits no layer, or an optimizer has nothing left to train.
    """
    if not patterns:
        return
    layers = layers_by_name(model)
    for pattern in patterns:
        names = fnmatch.filter(layers, pattern)
        if not names:
            raise UserError(
                f"--freeze {pattern} fits no layer; they are: {', '.join(layers)}"
            )
        for name in names:
            layers[name].trainable = False
    trained = {"the model": model.trainable_variables}
    for role in ("generator", "discriminator"):
        if hasattr(model, f"{role}_variables"):
            trained[f"the {role}"] = getattr(model, f"{role}_variables")
    if empty := [name for name, variables in trained.items() if not variables]:
        raise UserError(f"--freeze leaves nothing of {empty[0]} to train")
    config, steps = model.get_compile_config(), model.steps_per_execution
    model.compile_from_config(config)
    model.steps_per_execution = steps


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _snake_case(name: str) -> str:
    """As Keras names layers in files: `Conv2DTranspose` is `conv2d_transpose`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
