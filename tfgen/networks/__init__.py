"""Functions that build functional `keras.Model`s, one architecture a file.

A conditional network (`num_classes`) takes `[inputs, labels]`, with int32 labels
`(batch,)`.
"""

from tfgen._compat import require_tensorflow_backend
from tfgen.networks.conv import build_conv_decoder, build_conv_encoder
from tfgen.networks.dcgan import build_dcgan_discriminator, build_dcgan_generator
from tfgen.networks.mlp import build_mlp_decoder, build_mlp_encoder
from tfgen.networks.patch_projector import build_patch_projector
from tfgen.networks.patchgan import build_patchgan_discriminator
from tfgen.networks.resnet import build_resnet_generator
from tfgen.networks.resnet_autoencoder import (
    build_resnet_decoder,
    build_resnet_encoder,
)
from tfgen.networks.resnet_gan import (
    build_resnet_gan_discriminator,
    build_resnet_gan_generator,
)
from tfgen.networks.style_gan import build_style_generator
from tfgen.networks.unet import build_unet_generator

require_tensorflow_backend()

__all__ = [
    "build_conv_decoder",
    "build_conv_encoder",
    "build_dcgan_discriminator",
    "build_dcgan_generator",
    "build_mlp_decoder",
    "build_mlp_encoder",
    "build_patch_projector",
    "build_patchgan_discriminator",
    "build_resnet_decoder",
    "build_resnet_encoder",
    "build_resnet_gan_discriminator",
    "build_resnet_gan_generator",
    "build_resnet_generator",
    "build_style_generator",
    "build_unet_generator",
]
