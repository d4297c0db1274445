"""A model's endpoints on arrays of any length, and on files of images of any size.

`Endpoints(model)` runs the functions that are served; the functions below are the same
in one call. Pass an `Endpoints` in place of the model to trace each function once.
"""

from tfgen.inference.calls import decode, encode, reconstruct, sample
from tfgen.inference.endpoints import BATCH_SIZE, Endpoints
from tfgen.inference.precision import to_float32
from tfgen.inference.translator import Translator, translate

__all__ = [
    "BATCH_SIZE",
    "Endpoints",
    "Translator",
    "decode",
    "encode",
    "reconstruct",
    "sample",
    "to_float32",
    "translate",
]
