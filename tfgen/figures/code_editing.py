"""Pictures of images of which a region of discrete codes is another one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.latent.codes import read_region, swap_region, vary_region

_NUM_EDITED = 6


def edit_codes(
    run: Any,
    region: str,
    donor: int | None = None,
    *,
    donor_photo: str | None = None,
    images: Sequence[int] = (),
    photos: Sequence[str] = (),
    steps: int = 7,
    seed: int = 0,
) -> Image.Image:
    """Draws images, and what becomes of them with other codes in a region.

    With a donor, a row is an image, its reconstruction, the donor, and what is decoded
    of the image's codes with the donor's region. Without, the region is drawn from the
    prior, `steps` times.

    Args:
        run: A `tfgen.Run` of a model with discrete codes.
        region: Rows and columns, as in `tfgen.latent.read_region`.
        donor: Number of a test image.
        donor_photo: Path of an image file, in its place.
        images: Numbers of test images; by default the first ones.
        photos: Paths of image files to edit in their place.
        steps: Integer, draws a row.
        seed: Integer, of the draws.

    Raises:
        UserError: The model has no codes, or no prior; there is no such region or
            image.
    """
    endpoints = run.endpoints
    if not endpoints.has_codes:
        raise UserError(
            f"{type(run.model).__name__} has no discrete codes: --region is of those; "
            "--attribute moves latents"
        )
    originals, labels = _find_images(run, images, photos)
    encode = endpoints.functions["encode"]
    codes = np.asarray(encode(originals)["codes"])
    area = read_region(region, codes.shape[1:])
    if donor is None and donor_photo is None:
        edited = [
            vary_region(run.model, own, area, steps, seed + row, label)
            for row, (own, label) in enumerate(zip(codes, labels, strict=True))
        ]
        columns, title = [originals], f"{steps} draws of codes {region}"
    else:
        if donor_photo is not None:
            shown = run.read_files([donor_photo])
        else:
            shown, _ = _find_images(run, [donor], ())
        others = np.asarray(encode(shown)["codes"])
        edited = swap_region(codes, others, area)[:, np.newaxis]
        columns = [originals, np.repeat(shown, len(originals), axis=0)]
        title = f"donor, and codes {region} of it"
    reconstructed = endpoints.run("decode", codes)["images"]
    columns.insert(1, reconstructed)
    decoded = endpoints.run("decode", np.concatenate(edited))["images"]
    shape = originals.shape[1:]
    decoded = decoded.reshape(len(originals), -1, *shape)
    cells = np.concatenate([np.stack(columns, axis=1), decoded], axis=1)
    tiles = pictures.tile(cells.reshape(-1, *shape), columns=cells.shape[1])
    what = "pictures" if photos else "test images"
    caption = f"{what}, reconstructions, {title}"
    return pictures.compose({caption: tiles}, run.attribution)


def _find_images(
    run: Any, images: Sequence[int], photos: Sequence[str]
) -> tuple[np.ndarray, Any]:
    """Returns images, and a label of each for a conditional prior, or `None`s."""
    takes_labels = run.endpoints.takes_labels
    if photos:
        originals = run.read_files(photos)
        return originals, [0 if takes_labels else None] * len(originals)
    rows = list(images) or list(range(_NUM_EDITED))
    loaded = run.test_images(max(rows) + 1, labels=takes_labels)
    pixels, labels = loaded if takes_labels else (loaded, None)
    if images and max(rows) >= len(pixels):
        raise UserError(
            f"image {max(rows)}: the test split has {len(pixels)} images, from 0"
        )
    rows = [row for row in rows if row < len(pixels)]
    chosen = [None] * len(rows) if labels is None else [int(labels[i]) for i in rows]
    return pixels[rows], chosen
