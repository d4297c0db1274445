"""Which emoji are "train" and which are "test", so that no drawing is in both."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

# Root mean square difference on [0, 1]: below it are a drawing whose coordinates were
# rounded differently, a frame of another width, a runner with other hair.
_SAME_DRAWING = 0.053
_TEST_FRACTION = 0.1
_MAX_TEST_GROUP = 100  # 330 flags with one frame would be most of "test"
_DROPPED = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF", "FE0F"}
_FACING_RIGHT = "-200D-27A1"


def base_hexcode(hexcode: str) -> str:
    """Returns the emoji without skin tones, variation selectors and direction.

    A tone takes the place of a variation selector (`26F9-1F3FB-200D-2640-FE0F`, without
    tone `26F9-FE0F-200D-2640-FE0F`), and "facing right" mirrors the drawing.
    """
    codes = [code for code in hexcode.split("-") if code not in _DROPPED]
    return "-".join(codes).removesuffix(_FACING_RIGHT) or hexcode  # a tone on its own


def group_drawings(hexcodes: list[str], lines: np.ndarray) -> list[list[str]]:
    """Joins emoji of one base and emoji whose line drawings are (nearly) the same.

    Args:
        hexcodes: One for each image.
        lines: `(num_images, height, width)` uint8; 32 px tell drawings apart.

    Returns:
        The groups, in the order of their first members.
    """
    ink = 1.0 - lines.reshape(len(lines), -1).astype(np.float32) / 255.0
    distinct, drawings = np.unique(ink, axis=0, return_inverse=True)
    roots = list(range(len(distinct)))

    def find(drawing: int) -> int:
        while roots[drawing] != drawing:
            drawing = roots[drawing]
        return drawing

    squares = np.square(distinct).sum(axis=1)
    distances = squares[:, None] + squares - 2.0 * distinct @ distinct.T
    near = np.triu(distances < distinct.shape[1] * _SAME_DRAWING**2, k=1)
    for one, other in np.argwhere(near):
        roots[find(other)] = find(one)
    first_of_base: dict[str, int] = {}
    drawings = drawings.ravel().tolist()
    for hexcode, drawing in zip(hexcodes, drawings, strict=True):
        first = first_of_base.setdefault(base_hexcode(hexcode), drawing)
        roots[find(drawing)] = find(first)
    groups = defaultdict(list)
    for hexcode, drawing in zip(hexcodes, drawings, strict=True):
        groups[find(drawing)].append(hexcode)
    return list(groups.values())


def name_groups(groups: Iterable[list[str]]) -> dict[str, list[str]]:
    """Returns the groups by the smallest base hexcode of their members."""
    return {min(map(base_hexcode, group)): group for group in groups}


def choose_test(groups: dict[str, list[str]]) -> set[str]:
    """Returns the emoji of "test": whole groups by hash, at most a tenth of all.

    Args:
        groups: As in `name_groups`.
    """
    left = int(_TEST_FRACTION * sum(map(len, groups.values())))
    chosen: set[str] = set()
    for base in sorted(groups, key=lambda base: hashlib.sha256(base.encode()).digest()):
        group = groups[base]
        if len(group) <= min(left, _MAX_TEST_GROUP):
            chosen.update(group)
            left -= len(group)
    return chosen
