"""A folder about the latents of test images: arrays, pictures, TensorBoard's projector.

latents.npz     arrays: latents (posterior means) and, where there are any, stddev, kl
                (nats, a variable each), labels, class_names, factors, factor_names
projection.png  the two principal components, a colour for each class
density.png     the density of each latent variable; of a VAE that of posterior
                samples, beside the prior
projector/      tensorboard --logdir FOLDER/projector
"""

import os
import pathlib
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.figures import pictures, plots, projector
from tfgen.files import replaced_folder
from tfgen.latent.encoding import Encoding, encode_images

_WRITTEN = {
    *("latents.npz", "projection.png", "density.png", "projector"),
    *(
        f"projector/{name}"
        for name in (
            *("tensors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt"),
            "attribution.txt",
        )
    ),
}


def write_latents(
    run: Any,
    out: str | os.PathLike,
    num_images: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> pathlib.Path:
    """Encodes test images and writes a folder about their latents; returns its path.

    Args:
        run: A `tfgen.Run` of a model that encodes.
        out: The folder.
        num_images: Integer, test images at most; all by default.
        seed: Integer, of the posterior samples of `density.png`.
        overwrite: Whether a folder that this function wrote is replaced.

    Raises:
        UserError: The folder exists and is not to be replaced, or holds what this
            function did not write.
    """
    folder = check_folder(out, overwrite)
    encoding = encode_images(run.endpoints, run, "test", num_images)
    factors = run.known_factors("test", num_images)
    names = run.class_names
    titled_plots = {
        "projection.png": plots.plot_projection(encoding, names),
        "density.png": plots.plot_density(encoding, seed),
    }
    with replaced_folder(folder) as temporary:
        np.savez(temporary / "latents.npz", **_arrays(encoding, factors, names))
        for name, (title, plot) in titled_plots.items():
            picture = pictures.compose({title: plot}, run.attribution)
            pictures.save_picture(picture, temporary / name)
        place = temporary / "projector"
        images = run.in_order("test", len(encoding.latents))
        projector.write(place, encoding, images, names, factors, run.attribution)
    return folder


def check_folder(out: str | os.PathLike, overwrite: bool) -> pathlib.Path:
    """Returns the folder to write, in which nothing else would be lost."""
    folder = pathlib.Path(out).expanduser()
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: choose another --out")
    contents = {x.relative_to(folder).as_posix() for x in folder.rglob("*")}
    if contents and not overwrite:
        raise UserError(f"{folder} is not empty: choose another --out, or --overwrite")
    if foreign := contents - _WRITTEN:
        raise UserError(
            f"{folder} holds {min(foreign)}, which `tfgen latents` did not write and "
            "--overwrite would remove: choose another --out"
        )
    return folder


def _arrays(
    encoding: Encoding, factors: Any, names: tuple[str, ...]
) -> dict[str, np.ndarray]:
    arrays = {"latents": encoding.latents}
    if encoding.stddev is not None:
        arrays |= {"stddev": encoding.stddev, "kl": encoding.importance}
    if encoding.classes is not None:
        arrays |= {"labels": encoding.classes, "class_names": np.array(names)}
    if factors:
        arrays |= {"factors": factors.values, "factor_names": np.array(factors.names)}
    return arrays
