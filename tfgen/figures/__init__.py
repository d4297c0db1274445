"""Arrays to pictures, and the pictures that show a model.

The names load on first use: `tfgen.figures.gallery` imports TensorFlow.
"""

import importlib
from typing import Any

_HOME = {
    "compose": "pictures",
    "draw_figure": "plots",
    "new_figure": "plots",
    "plot_curves": "plots",
    "plot_density": "plots",
    "plot_projection": "plots",
    "plot_rocs": "plots",
    "save_picture": "pictures",
    "tile": "pictures",
    "tile_batches": "pictures",
    "write_latents": "latent_folder",
}
_MODULES = ("gallery", "panels", "pictures", "plots")

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module = importlib.import_module(f"tfgen.figures.{_HOME[name]}")
        return getattr(module, name)
    if name in _MODULES:
        return importlib.import_module(f"tfgen.figures.{name}")
    raise AttributeError(f"module 'tfgen.figures' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
