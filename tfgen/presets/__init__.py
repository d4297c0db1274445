"""Named recipes: model, networks, data, compile arguments and epochs.

Nothing heavy is imported until a model is created.
"""

from tfgen.presets.cards import list_presets, read_card
from tfgen.presets.loading import from_preset, load
from tfgen.presets.preset import Argument, Preset
from tfgen.presets.table import create_model, get_preset, presets

__all__ = [
    "Argument",
    "Preset",
    "create_model",
    "from_preset",
    "get_preset",
    "list_presets",
    "load",
    "presets",
    "read_card",
]
