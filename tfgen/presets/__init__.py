"""Named recipes: model, networks, data, compile arguments and epochs.

Nothing heavy is imported until a model is created.
"""

from tfgen.presets.loading import load
from tfgen.presets.registry import Preset, create_model, get_preset, list_presets

__all__ = ["Preset", "create_model", "get_preset", "list_presets", "load"]
