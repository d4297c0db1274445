"""Only what Keras lacks. Importing this registers the layers, so that they load."""

from tfgen.layers.spectral import SpectralNormalization

__all__ = ["SpectralNormalization"]
