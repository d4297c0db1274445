"""The files that TensorBoard's projector shows latents from.

projector_config.pbtxt  names the others, by paths relative to it
tensors.tsv             a row an image, a column a latent variable
metadata.tsv            a row an image: class, factors, or else its number
sprite.png              the images, row by row in a square
"""

import math
import pathlib

import numpy as np
from PIL import Image

from tfgen.data import Factors
from tfgen.latent.encoding import Encoding
from tfgen.training.run import Config, load_in_order

_MAX_SIDE = 8192  # pixels, of the sprite image: what browsers take as one texture


def write(
    folder: pathlib.Path,
    found: Encoding,
    config: Config,
    names: tuple[str, ...],
    factors: Factors | None,
) -> None:
    """Makes the folder and writes the files.

    Args:
        folder: Which does not exist.
        found: Of the first test images.
        config: Of the run.
        names: Of the classes.
        factors: Of the same images, if they are known.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    folder.mkdir()
    np.savetxt(folder / "tensors.tsv", found.latents, fmt="%.6g", delimiter="\t")
    (folder / "metadata.tsv").write_text(
        _metadata(found, names, factors), encoding="utf-8"
    )
    sprite, size = _draw_sprite(config, len(found.latents))
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
    if config.attribution:
        (folder / "attribution.txt").write_text(config.attribution + "\n", "utf-8")


def _metadata(found: Encoding, names: tuple[str, ...], factors: Factors | None) -> str:
    columns = {}
    if found.classes is not None:
        columns["class"] = [names[label] for label in found.classes]
    if factors:
        for j, (name, called) in enumerate(
            zip(factors.names, factors.value_names, strict=True)
        ):
            columns[name] = [called[value] for value in factors.values[:, j]]
    columns = columns or {"image": [str(i) for i in range(len(found.latents))]}
    # A head would be taken for an image's where there is one column only.
    rows = [tuple(columns)] if len(columns) > 1 else []
    rows += zip(*columns.values(), strict=True)
    return "".join("\t".join(" ".join(x.split()) for x in row) + "\n" for row in rows)


def _draw_sprite(config: Config, count: int) -> tuple[Image.Image, tuple[int, int]]:
    """Returns the images in one, and (width, height) of each, made smaller to fit."""
    columns, index, canvas = math.ceil(math.sqrt(count)), 0, None
    for images in load_in_order(config, "test", count).as_numpy_iterator():
        height, width = images.shape[1:3]
        factor = min(1.0, _MAX_SIDE / (columns * max(height, width)))
        size = max(1, int(factor * width)), max(1, int(factor * height))
        canvas = canvas or Image.new("RGB", (columns * size[0], columns * size[1]))
        for image in np.uint8(np.round(255.0 * images[..., :3])):
            pixels = image[..., 0] if image.shape[-1] == 1 else image
            picture = Image.fromarray(pixels).convert("RGB").resize(size)
            row, column = divmod(index, columns)
            canvas.paste(picture, (column * size[0], row * size[1]))
            index += 1
    return canvas, size
