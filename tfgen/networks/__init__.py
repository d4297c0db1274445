"""Functions that build functional `keras.Model`s, one architecture a file.

A conditional network (`num_classes`) takes `[inputs, labels]`, with int32 labels
`(batch,)`.
"""

from tfgen.networks.conv import build_conv_decoder, build_conv_encoder
from tfgen.networks.mlp import build_mlp_decoder, build_mlp_encoder

__all__ = [
    "build_conv_decoder",
    "build_conv_encoder",
    "build_mlp_decoder",
    "build_mlp_encoder",
]
