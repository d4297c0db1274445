"""Model files for others: all networks, without the state of optimizers."""

import io
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from tfgen.files import replaced

_STATE = "model.weights.h5"
_DATE = (1980, 1, 1, 0, 0, 0)  # the same weights give the same file


def pack(
    source: str | os.PathLike, target: str | os.PathLike, dtype: str = "float32"
) -> None:
    """Copies a `.keras` file without its optimizers' state.

    The optimizers themselves stay in its configuration: the model is loaded compiled,
    and its training starts with new moments.

    Args:
        source: A `.keras` file.
        target: The `.keras` file that is written.
        dtype: `"float16"` halves the file; Keras gives each weight its own type back
            when it loads. Values that float16 cannot hold stay float32.
    """
    with zipfile.ZipFile(source) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[_STATE] = _rewrite(contents[_STATE], dtype)
    with (
        replaced(pathlib.Path(target)) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out,
    ):
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _DATE)
            out.writestr(entry, content, zipfile.ZIP_DEFLATED)


def _rewrite(content: bytes, dtype: str) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as old, h5py.File(buffer, "w") as new:

        def copy(name: str, item: Any) -> None:
            if any("optimizer" in part for part in name.split("/")):
                return
            if isinstance(item, h5py.Group):
                group = new.require_group(name)
                group.attrs.update(item.attrs)
            else:
                new.create_dataset(name, data=_shorten(item[()], dtype))

        old.visititems(copy)
    return buffer.getvalue()


def _shorten(value: np.ndarray, dtype: str) -> np.ndarray:
    if value.dtype != np.float32 or dtype != "float16":
        return value
    with np.errstate(over="ignore"):
        short = value.astype("float16")
    # Of statistics that are tiny or huge, float16 would keep nothing.
    holds = np.isfinite(short).all() and np.allclose(short, value, rtol=2e-3, atol=1e-6)
    return short if holds else value
