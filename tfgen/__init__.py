"""Deep generative models for TensorFlow and Keras 3 that ship.

The public names load on first use: `import tfgen` imports nothing heavy.
"""

import importlib
from typing import Any

from tfgen import _compat

__version__ = "0.1.0"

_HOMES = {
    "Autoencoder": "tfgen.models.autoencoder",
    "CUT": "tfgen.models.cut",
    "CycleGAN": "tfgen.models.cyclegan",
    "Evaluation": "tfgen.evaluation",
    "GAN": "tfgen.models.gan",
    "LinearDecay": "tfgen.optimizers",
    "Pix2Pix": "tfgen.models.pix2pix",
    "Run": "tfgen.training",
    "UserError": "tfgen.errors",
    "VAE": "tfgen.models.vae",
    "VAEGAN": "tfgen.models.vaegan",
    "VQVAE": "tfgen.models.vqvae",
    "create_model": "tfgen.presets",
    "evaluate": "tfgen.evaluation",
    "list_presets": "tfgen.presets",
    "load": "tfgen.presets",
    "push": "tfgen.training",
    "train": "tfgen.training",
}
_PACKAGES = (
    "augmentation",
    "auxiliary",
    "callbacks",
    "data",
    "distributions",
    "evaluation",
    "figures",
    "inference",
    "latent",
    "layers",
    "losses",
    "metrics",
    "models",
    "networks",
    "optimizers",
    "penalties",
    "presets",
    "training",
)
# What a `.keras` file may hold: `keras.saving.load_model` finds the class by these, and
# by the table of `tfgen.distributions`.
_SAVED_CLASSES = {
    "augmentation": ("Adaptive", "Color", "Cutout", "Translation"),
    "auxiliary": ("Classes", "Codes"),
    "layers": (
        "CausalTransformer",
        "FiniteScalarQuantizer",
        "InstanceNormalization",
        "LearnedConstant",
        "ModulatedConv2D",
        "NoiseDropout",
        "PixelNoise",
        "Recompute",
        "ReflectionPadding2D",
        "SpectralNormalization",
        "StyleTruncation",
        "VectorQuantizer",
    ),
    "losses": (
        "Hinge",
        "LeastSquares",
        "Minimax",
        "NonSaturating",
        "Relativistic",
        "Wasserstein",
    ),
    "models.autoencoder": ("Autoencoder",),
    "models.cut": ("CUT",),
    "models.cyclegan": ("CycleGAN",),
    "models.gan": ("GAN",),
    "models.image_pool": ("ImagePool",),
    "models.pix2pix": ("Pix2Pix",),
    "models.vae": ("VAE",),
    "models.vaegan": ("VAEGAN",),
    "models.vqvae": ("VQVAE",),
    "optimizers": ("FusedAdam", "LinearDecay"),
    "penalties": ("DraganPenalty", "R1Penalty", "R1R2Penalty", "WassersteinPenalty"),
}

__all__ = ["__version__", *_HOMES, *_PACKAGES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"tfgen.{name}")
    raise AttributeError(f"module 'tfgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _register_classes() -> None:
    from tfgen import distributions

    parts = distributions.SAVED_CLASSES.items()
    tables = _SAVED_CLASSES | {f"distributions.{name}": names for name, names in parts}
    _compat.register_lazily(
        {
            f"tfgen>{name}": f"tfgen.{module}"
            for module, names in tables.items()
            for name in names
        }
    )


_compat.call_after_import("keras", _register_classes)
