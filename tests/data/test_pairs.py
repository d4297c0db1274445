"""Pairs: found in every convention, aligned through order, crop and mirror image."""

import itertools

import numpy as np
import pytest
from PIL import Image

from tests.data import tiny_sets  # noqa: F401 (registers them)
from tests.data.conftest import (
    HEIGHT,
    WIDTH,
    assert_epochs_depend_on_seed_and_number,
    assert_fails,
    assert_memory_and_stream_agree,
    draw_pair,
    joined,
    passes,
    save_array,
    save_domains,
    save_image,
    save_pairs,
)
from tfgen.data import (
    describe,
    is_paired,
    load_images,
    load_pair_arrays,
    load_pairs,
)
from tfgen.errors import UserError

_LAYOUTS = ["side by side", "split/a", "a/split"]
_BYTES = (0, 255)
_CROP = {"load_size": (HEIGHT, WIDTH), "image_size": (5, 6), "mirror": True}


@pytest.fixture(params=[*_LAYOUTS, "tfds"])
def source(request, tmp_path, tiny_dir):
    if request.param == "tfds":
        return {"source": "tiny_pairs", "data_dir": tiny_dir, "value_range": _BYTES}
    folder = save_pairs(tmp_path, request.param)
    return {"source": folder, "value_range": _BYTES}


def _some_of(*chosen):
    """Parametrizes by all sources and storages; all but the chosen are `large`."""
    cases = [
        pytest.param(*case, marks=[] if case in chosen else [pytest.mark.large])
        for case in itertools.product([*_LAYOUTS, "tfds"], ["memory", "stream"])
    ]
    return pytest.mark.parametrize(("source", "storage"), cases, indirect=True)


def _numbers(images):
    """Returns the number of each image; every pixel must have the same."""
    assert (images[..., 0] == images[:, :1, :1, 0]).all()
    return images[:, 0, 0, 0]


def _assert_aligned(inputs, targets):
    np.testing.assert_array_equal(np.add(inputs, [0, 100, 100]), targets)


def _load(source, **kwargs):
    return load_pairs(**{**source, **kwargs})


def test_pairs_are_found_whole_and_aligned(source, storage):
    size = 21 if "data_dir" in source else 24
    pairs = _load(source, batch_size=5, seed=3)
    assert len(pairs) == 5
    for epoch in passes(pairs, 2):
        assert [len(a) for a, _ in epoch] == [5, 5, 5, 5, size - 20]
        inputs, targets = joined(epoch)
        _assert_aligned(inputs, targets)
        numbers = _numbers(inputs)
        assert sorted(numbers) == list(range(size))
        assert list(numbers) != sorted(numbers)
        for number, image in zip(numbers, inputs, strict=True):
            np.testing.assert_array_equal(image, draw_pair(number)[0])


def test_test_split_and_defaults(source):
    pairs = _load(source, split="test", shuffle=False)
    inputs, targets = next(pairs.as_numpy_iterator())
    assert inputs.shape == targets.shape == (1, HEIGHT, WIDTH, 3)
    assert inputs.dtype == targets.dtype == np.float32
    numbers = _numbers(joined(passes(pairs)[0])[0])
    assert sorted(numbers) == list(range(100, 100 + len(pairs)))


def test_direction(source, storage):
    forth = joined(passes(_load(source))[0])
    back = joined(passes(_load(source, direction="ba"))[0])
    for one, other in zip(forth, back[::-1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_supervised_keys_give_the_direction(tmp_path):
    inputs, targets = load_pair_arrays(
        "tiny_supervised", data_dir=tmp_path, value_range=_BYTES
    )
    assert (targets[..., 1] >= 100).all()
    assert (inputs[..., 1] < 100).all()


def test_arrays_are_the_fixed_order(source):
    inputs, targets = load_pair_arrays(**source)
    _assert_aligned(inputs, targets)
    batches = passes(_load(source, split="test", shuffle=False, batch_size=4))[0]
    np.testing.assert_allclose(inputs, joined(batches)[0], atol=1e-3)
    few, _ = load_pair_arrays(**source, num_images=2)
    np.testing.assert_array_equal(few, inputs[:2])


def test_crop_and_mirror_keep_pairs_aligned(source, storage):
    for inputs, targets in passes(_load(source, **_CROP, batch_size=7))[0]:
        assert inputs.shape[1:] == (5, 6, 3)
        _assert_aligned(inputs, targets)
        _numbers(inputs)
        assert (np.diff(inputs[..., 1], axis=1) == 1).all()  # whole crops, upright
        steps = np.diff(inputs[..., 2], axis=2)
        assert (steps == steps[:, :1, :1]).all()
        assert (np.abs(steps) == 1).all()


@_some_of(("side by side", "memory"), ("tfds", "stream"))
def test_an_epoch_depends_on_seed_and_number_alone(source, storage):
    assert_epochs_depend_on_seed_and_number(load_pairs, **source, **_CROP, batch_size=8)


def test_memory_and_stream_agree(tmp_path, monkeypatch):
    folder = save_pairs(tmp_path, "side by side")
    assert_memory_and_stream_agree(load_pairs, folder, monkeypatch, **_CROP)


def test_load_images_has_the_order_of_pairs(tmp_path):
    folder = save_pairs(tmp_path, "side by side")
    images = passes(load_images(folder, value_range=_BYTES).map(lambda x: (x,)))[0]
    numbers = _numbers(joined(passes(load_pairs(folder, value_range=_BYTES))[0])[0])
    assert list(joined(images)[0][:, 0, 0, 0]) == list(numbers)


def test_a_tenth_is_held_out_by_name(tmp_path):
    for i in range(60):
        a, b = draw_pair(i)
        save_array(tmp_path / "A" / f"x/{i}.png", a)
        save_array(tmp_path / "B" / f"x/{i}.bmp", b)
    parts = [
        load_pair_arrays(tmp_path, split, value_range=_BYTES)
        for split in ("train", "test")
    ]
    for inputs, targets in parts:
        np.testing.assert_allclose(np.add(inputs, [0, 100, 100]), targets, atol=1e-3)
    train, test = (set(np.round(_numbers(x[0]))) for x in parts)
    assert train.isdisjoint(test)
    assert train | test == set(range(60))
    assert 2 <= len(test) <= 12
    assert describe(tmp_path, translation=True)[1:3] == (len(train), len(test))


@pytest.mark.parametrize("layout", ["side by side", "split/a"])
def test_validation_stands_in_for_test(tmp_path, layout):
    folder = save_pairs(tmp_path, layout)
    (folder / "test").rename(folder / "val")
    for split in ("test", "val"):
        assert len(load_pairs(folder, split)) == 6
    assert len(load_pairs(folder)) == 24


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_describe_and_is_paired(tmp_path, layout, monkeypatch):
    folder = save_pairs(tmp_path, layout)
    monkeypatch.setattr(Image.Image, "load", None)  # nothing is decoded
    assert is_paired(folder) is True
    found = describe(folder, translation=True)
    assert found[1:6] == (24, 6, (HEIGHT, WIDTH, 3), None, None)


def test_describe_and_is_paired_of_names(tmp_path):
    assert is_paired("tiny_pairs", tmp_path) is True
    assert is_paired("openmoji", tmp_path) is True
    assert is_paired("tiny_single", tmp_path) is False
    assert is_paired("tiny_triple", tmp_path) is False
    found = describe("tiny_pairs", tmp_path, translation=True)
    assert found[1:5] == (None, None, (HEIGHT, WIDTH, 3), None)
    load_pairs("tiny_pairs", data_dir=tmp_path)
    assert describe("tiny_pairs", tmp_path, translation=True)[1:3] == (21, 5)
    assert describe("openmoji", tmp_path).attribution == "OpenMoji, CC BY-SA 4.0"


def test_what_is_not_paired(tmp_path):
    save_image(tmp_path / "square" / "0.png", size=(8, 8))
    save_image(tmp_path / "odd" / "0.png", size=(4, 9))
    save_domains(tmp_path / "domains", trainA=2, trainB=2)
    for name in ("square", "odd", "domains"):
        assert is_paired(tmp_path / name) is False
    with pytest.raises(UserError, match="No TFDS data set"):
        is_paired("no_such_thing")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA"])
def test_other_modes_become_three_channels(tmp_path, mode):
    image = Image.new("RGBA", (12, 6), (204, 204, 204, 255))  # in the palette too
    image.paste((0, 0, 0, 0), (6, 0, 12, 6))  # clear on the right
    if mode in ("L", "P"):
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        image.convert(mode).save(tmp_path / split / "0.png")
    a, b = load_pair_arrays(tmp_path, value_range=_BYTES)
    assert a.shape == b.shape == (1, 6, 6, 3)
    np.testing.assert_allclose(a, 204, atol=0.1)
    np.testing.assert_allclose(b, 255, atol=0.1)


def test_unequal_sizes_are_fitted(tmp_path):
    folder = save_pairs(tmp_path, "a/split")
    save_image(folder / "a/train/x.png", size=(9, 30))
    save_image(folder / "B/train/x.png", size=(40, 20), mode="L")
    assert joined(passes(load_pairs(folder, image_size=8))[0])[1].shape == (25, 8, 8, 3)
    assert_fails(load_pairs, "Pass image_size", source=folder)
    assert_fails(
        load_pairs, "Pass channels=1", source=folder, image_size=8, channels=None
    )


def test_bad_files_leave_out_the_pair(tmp_path):
    folder = save_pairs(tmp_path, "split/a")
    bad = folder / "train/B/007.png"
    bad.write_bytes(b"no image")
    assert_fails(load_pairs, bad, "--skip-bad-images", source=folder)
    with pytest.warns(UserWarning, match="1 of 24 pairs of images"):
        pairs = load_pairs(folder, skip_bad_images=True, value_range=_BYTES)
    inputs, targets = joined(passes(pairs)[0])
    _assert_aligned(inputs, targets)
    assert sorted(_numbers(inputs)) == [x for x in range(24) if x != 7]
