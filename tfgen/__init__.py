"""Deep generative models for TensorFlow and Keras 3 that ship.

The public names load on first use: `import tfgen` imports nothing heavy.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Autoencoder": "tfgen.models.autoencoder",
    "CycleGAN": "tfgen.models.cyclegan",
    "GAN": "tfgen.models.gan",
    "LinearDecay": "tfgen.schedules",
    "Pix2Pix": "tfgen.models.pix2pix",
    "Run": "tfgen.training",
    "VAE": "tfgen.models.vae",
    "create_model": "tfgen.presets",
    "list_presets": "tfgen.presets",
    "load": "tfgen.presets.loading",
}
_PACKAGES = (
    "callbacks",
    "augmentation",
    "data",
    "figures",
    "inference",
    "latent",
    "layers",
    "losses",
    "metrics",
    "models",
    "networks",
    "optimizers",
    "presets",
    "training",
)

__all__ = ["__version__", *_HOME, *_PACKAGES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"tfgen.{name}")
    raise AttributeError(f"module 'tfgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
