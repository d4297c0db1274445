"""Named recipes: model, networks, data, compile arguments and epochs.

Nothing heavy is imported until a model is created.
"""

from tfgen.presets.loading import load
from tfgen.presets.preset import Argument, Preset
from tfgen.presets.table import create_model, get_preset, list_presets, presets

__all__ = [
    "Argument",
    "Preset",
    "create_model",
    "get_preset",
    "list_presets",
    "load",
    "presets",
]
