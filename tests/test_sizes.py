"""Sizes of images: what they are read from, and the nearest that a network takes."""

import pytest

from tfgen.errors import UserError
from tfgen.networks.grids import smallest_grid
from tfgen.sizes import both_sides, nearest_size, read_size, scale_size, show_size


@pytest.mark.parametrize(
    ("value", "size", "word"),
    [
        (64, 64, "64"),
        ("64", 64, "64"),
        ("96x64", (96, 64), "96x64"),
        ([96, 64], (96, 64), "96x64"),  # as JSON has it
        ((64, 64), 64, "64"),
        ("64x64", 64, "64"),
    ],
)
def test_sizes_are_height_times_width(value, size, word):
    assert read_size("it", value) == size
    assert both_sides(size) == (*both_sides(read_size("it", value)),)
    assert show_size(read_size("it", value)) == word


@pytest.mark.parametrize(
    "value",
    [0, -1, "0", "96x0", "96X64", "96x", "x", "1x2x3", 1.5, True, None, (1, 2, 3)],
)
def test_what_is_no_size_is_refused_in_one_line(value):
    with pytest.raises(UserError, match=r"it must be an.*HEIGHTxWIDTH") as error:
        read_size("it", value)
    assert "\n" not in str(error.value)


def test_sizes_are_scaled_by_sides():
    assert scale_size(256, 286 / 256) == 286
    assert scale_size((96, 64), 1.5) == (144, 96)


def test_the_nearest_size_changes_the_sides_least():
    def takes(height, width):
        return height % 4 == width % 4 == 0

    assert nearest_size((96, 64, 3), takes) == "96x64"
    assert nearest_size((97, 63), takes) == "96x64"
    assert nearest_size((30, 30), takes) == "32x32"  # as near as 28x28, and larger
    assert nearest_size((1, 1), takes) == "4x4"


@pytest.mark.parametrize("shape", [(30, 30, 3), (50, 64, 1), (100, 60, 3), (9, 300, 3)])
def test_the_nearest_size_is_one_that_is_taken(shape):
    with pytest.raises(ValueError, match=r"The nearest size is \d+x\d+\.$") as error:
        smallest_grid(shape, 1)
    nearest = str(error.value).split()[-1].rstrip(".")
    smallest_grid((*both_sides(read_size("it", nearest)), 3), 1)
