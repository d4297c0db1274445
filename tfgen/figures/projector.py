"""The files that TensorBoard's projector shows latents from.

projector_config.pbtxt  names the other files, by paths relative to it
tensors.tsv             a row an image, a column a latent variable
metadata.tsv            a row an image: class, factors, or else its number
sprite.png              the images, row by row in a square
"""

import math
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from tfgen.latent.encoding import Encoding

_MAX_SIDE = 8192  # pixels, of the sprite image: what browsers take as one texture


def write(
    folder: pathlib.Path,
    encoding: Encoding,
    images: Iterable[np.ndarray],
    names: tuple[str, ...],
    factors: Any,
    attribution: str | None = None,
) -> None:
    """Makes a folder and writes the files.

    Args:
        folder: A path at which there is nothing.
        encoding: Of the images.
        images: Batches `(n, height, width, channels)` in [0, 1].
        names: Of the classes.
        factors: Of the images, as `tfgen.data.load_factors` returns them, or None.
        attribution: Written to attribution.txt, if there is one.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    folder.mkdir()
    np.savetxt(folder / "tensors.tsv", encoding.latents, fmt="%.6g", delimiter="\t")
    (folder / "metadata.tsv").write_text(
        _metadata(encoding, names, factors), encoding="utf-8"
    )
    sprite, size = draw_sprite(images, len(encoding.latents))
    sprite.save(folder / "sprite.png")
    project = ProjectorConfig()
    embedding = project.embeddings.add()
    embedding.tensor_name = "latents"
    embedding.tensor_path = "tensors.tsv"
    embedding.metadata_path = "metadata.tsv"
    embedding.sprite.image_path = "sprite.png"
    embedding.sprite.single_image_dim.extend(size)
    config_text = text_format.MessageToString(project)
    (folder / "projector_config.pbtxt").write_text(config_text)
    if attribution:
        (folder / "attribution.txt").write_text(attribution + "\n", "utf-8")


def _metadata(encoding: Encoding, names: tuple[str, ...], factors: Any) -> str:
    columns = {}
    if encoding.classes is not None:
        columns["class"] = [names[label] for label in encoding.classes]
    if factors:
        named = zip(factors.names, factors.value_names, factors.values.T, strict=True)
        for name, value_names, values in named:
            columns[name] = [value_names[value] for value in values]
    columns = columns or {"image": [str(i) for i in range(len(encoding.latents))]}
    # A single column has no head: it would be taken for an image's row.
    rows = [tuple(columns)] if len(columns) > 1 else []
    rows += zip(*columns.values(), strict=True)
    return "".join("\t".join(" ".join(x.split()) for x in row) + "\n" for row in rows)


def draw_sprite(
    images: Iterable[np.ndarray], count: int, most: int = _MAX_SIDE
) -> tuple[Image.Image, tuple[int, int]]:
    """Draws images into one, smaller if need be.

    Args:
        images: Batches `(n, height, width, channels)` in [0, 1].
        count: Integer, the number of images in all batches.
        most: Integer, pixels a side of the whole.

    Returns:
        The picture, and the `(width, height)` of each image in it.
    """
    columns, index, canvas = math.ceil(math.sqrt(count)), 0, None
    for batch in images:
        batch = np.asarray(batch)
        height, width = batch.shape[1:3]
        factor = min(1.0, most / (columns * max(height, width)))
        size = max(1, int(factor * width)), max(1, int(factor * height))
        canvas = canvas or Image.new("RGB", (columns * size[0], columns * size[1]))
        for image in np.uint8(np.round(255.0 * batch[..., :3])):
            pixels = image[..., 0] if image.shape[-1] == 1 else image
            picture = Image.fromarray(pixels).convert("RGB").resize(size)
            row, column = divmod(index, columns)
            canvas.paste(picture, (column * size[0], row * size[1]))
            index += 1
    return canvas, size
