"""Drawn shapes whose factors are known, as many as one asks for."""

from tfgen.data.builders.sprites.sprites_dataset_builder import Sprites

__all__ = ["Sprites"]
