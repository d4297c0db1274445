"""Films: frames to GIF, WebP or MP4."""

import importlib.util
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.files import replaced

ENDINGS = (".gif", ".webp", ".mp4")
_MOST_FRAMES = 300  # of a training


def save_film(
    frames: Sequence[np.ndarray], path: str | os.PathLike, fps: float = 20.0
) -> pathlib.Path:
    """Writes a film that repeats without end, whole or not at all; returns its path.

    Args:
        frames: Images `(height, width, 3)` uint8, all of one size.
        path: Ends with .gif, .webp, or .mp4, which needs the extra `film`.
        fps: Float, frames a second. GIF knows hundredths of a second.

    Raises:
        UserError: The path has another ending, or imageio-ffmpeg is not installed.
    """
    path = pathlib.Path(path).expanduser()
    check_ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        if path.suffix.lower() == ".mp4":
            _write_mp4(frames, temporary, fps)
        else:
            first, *rest = [Image.fromarray(frame) for frame in frames]
            first.save(
                temporary,
                path.suffix[1:].upper(),
                save_all=True,
                append_images=rest,
                duration=round(1000.0 / fps),
                loop=0,
                quality=90,  # of WebP
            )
    return path


def training_frames(folder: str | os.PathLike, hold: int = 0) -> list[np.ndarray]:
    """Returns a frame an epoch: the pictures that `SampleGrid` wrote, of fixed latents.

    Args:
        folder: Of `epoch_0001.png`, `epoch_0002.png`, ... Of more than 300 some are
            left out, never the last.
        hold: Integer, how often the last frame is repeated: a film begins anew.

    Raises:
        UserError: There are none.
    """
    paths = {int(x.stem[6:]): x for x in pathlib.Path(folder).glob("epoch_*.png")}
    epochs = sorted(paths)
    if not epochs:
        raise UserError(f"{folder} has no picture of an epoch to film")
    places = np.linspace(len(epochs) - 1, 0, min(len(epochs), _MOST_FRAMES)).round()
    frames = []
    for epoch in (epochs[int(place)] for place in places[::-1]):
        with Image.open(paths[epoch]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        title = f"epoch {epoch} of {epochs[-1]}"
        frames.append(np.asarray(pictures.compose({title: pixels})))
    return frames + hold * frames[-1:]


def check_ending(path: str | os.PathLike) -> None:
    """Raises a UserError unless a film can be written to such a path."""
    ending = pathlib.Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise UserError(f"{path}: a film ends with {', '.join(ENDINGS)}")
    if ending == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError(
            'an mp4 needs imageio-ffmpeg: pip install "tfgen[film]", or write .gif or '
            ".webp"
        )


def _write_mp4(frames: Sequence[np.ndarray], path: pathlib.Path, fps: float) -> None:
    import imageio_ffmpeg

    height, width = frames[0].shape[:2]
    even = ((0, height % 2), (0, width % 2), (0, 0))  # as its coding of colours wants
    size = (width + width % 2, height + height % 2)
    options = {"fps": fps, "macro_block_size": 1, "output_params": ["-f", "mp4"]}
    writer = imageio_ffmpeg.write_frames(str(path), size, **options)
    writer.send(None)
    for frame in frames:
        padded = np.pad(frame, even, constant_values=255)
        writer.send(np.ascontiguousarray(padded))
    writer.close()
