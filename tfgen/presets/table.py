"""The table of all presets, and models made from it."""

from typing import Any

from tfgen._compat import require_tensorflow_backend
from tfgen.errors import UserError
from tfgen.presets import (
    autoencoder,
    cut,
    cyclegan,
    gan,
    pix2pix,
    vae,
    vaegan,
    vqvae,
)
from tfgen.presets.preset import Preset, near_matches

_FAMILIES = (autoencoder, vae, vaegan, vqvae, gan, pix2pix, cyclegan, cut)


def presets() -> dict[str, Preset]:
    """Returns all presets by name."""
    return {preset.name: preset for family in _FAMILIES for preset in family.PRESETS}


def get_preset(name: str) -> Preset:
    """Returns a preset; an unknown name is a UserError with near matches."""
    known = presets()
    if name not in known:
        raise UserError(
            f"no preset {name!r}{near_matches(str(name), known)}; `tfgen list` shows "
            "all"
        )
    return known[name]


def create_model(name: str, **overrides: Any) -> Any:
    """Creates a preset's model, compiled.

    Args:
        name: One of `list_presets()`.
        overrides: Arguments of the preset, such as `latent_dim=16` or `seed=1`. With a
            `seed`, the global seeds of Python, NumPy and Keras are set too, because the
            initial weights are drawn from them.

    Returns:
        A compiled `keras.Model`.

    Raises:
        UserError: The preset or an argument is unknown, or a value does not fit.
    """
    preset = get_preset(name)
    values = preset.resolve(overrides)
    require_tensorflow_backend()

    import keras

    if values["seed"] is not None:
        keras.utils.set_random_seed(values["seed"])
    try:
        return preset.build(**values)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error
