"""Only what Keras lacks. Importing this registers the layers, so that they load."""

from tfgen._compat import require_tensorflow_backend
from tfgen.layers.causal_transformer import CausalTransformer
from tfgen.layers.instance_norm import InstanceNormalization
from tfgen.layers.modulation import (
    LearnedConstant,
    ModulatedConv2D,
    PixelNoise,
    StyleTruncation,
)
from tfgen.layers.noise_dropout import NoiseDropout
from tfgen.layers.quantizers import (
    FiniteScalarQuantizer,
    Quantizer,
    VectorQuantizer,
)
from tfgen.layers.recompute import Recompute
from tfgen.layers.reflection_padding import ReflectionPadding2D
from tfgen.layers.spectral import SpectralNormalization

require_tensorflow_backend()

__all__ = [
    "CausalTransformer",
    "FiniteScalarQuantizer",
    "InstanceNormalization",
    "LearnedConstant",
    "ModulatedConv2D",
    "NoiseDropout",
    "PixelNoise",
    "Quantizer",
    "Recompute",
    "ReflectionPadding2D",
    "SpectralNormalization",
    "StyleTruncation",
    "VectorQuantizer",
]
