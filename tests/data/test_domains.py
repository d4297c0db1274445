"""Two domains: their lengths, their independence, and that no pair is seen."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests.data import tiny_sets  # noqa: F401 (registers them)
from tests.data.conftest import (
    HEIGHT,
    WIDTH,
    assert_epochs_depend_on_seed_and_number,
    assert_memory_and_stream_agree,
    both_ways,
    joined,
    passes,
    save_domains,
    save_pairs,
)
from tfgen.data import (
    describe,
    is_paired,
    load_domain_arrays,
    load_domains,
    load_pair_arrays,
    loading,
)
from tfgen.data.folders import pairs as pair_layout

_BYTES = (0, 255)
_CROP = {"load_size": (HEIGHT, WIDTH), "image_size": (5, 6), "mirror": True}


@pytest.fixture(params=["folder", "tfds"])
def source(request, tmp_path, tiny_dir):
    """9 images of A (from 0) and 13 of B (from 100); 3 and 4 (or so) for testing."""
    if request.param == "tfds":
        return {"source": "tiny_domains", "data_dir": tiny_dir, "value_range": _BYTES}
    folder = save_domains(tmp_path, trainA=9, trainB=13, testA=3, testB=4)
    return {"source": folder, "value_range": _BYTES}


def _numbers(dataset, count=1):
    """Returns of each pass the numbers of the images of A and of B."""
    return [
        tuple(part[:, 0, 0, 0].tolist() for part in joined(epoch))
        for epoch in passes(dataset, count)
    ]


def _number(arrays):
    return tuple(np.round(array[:, 0, 0, 0]).astype(int).tolist() for array in arrays)


def test_an_epoch_is_as_long_as_the_larger_domain(source, storage):
    domains = load_domains(**source, batch_size=4)
    assert len(domains) == 4
    (epoch,) = passes(domains)
    assert [(len(a), len(b)) for a, b in epoch] == [(4, 4)] * 3 + [(1, 1)]
    for numbers_a, numbers_b in _numbers(domains, 3):
        assert sorted(numbers_b) == list(range(100, 113))
        first, second = numbers_a[:9], numbers_a[9:]
        assert sorted(first) == list(range(9))
        assert len(set(second)) == 4  # of a permutation of its own
        assert second != first[:4]


def test_fresh_permutations_of_the_shorter_domain(tmp_path):
    folder = save_domains(tmp_path, trainA=2, trainB=41, testA=1, testB=1)
    (numbers, _), = _numbers(load_domains(folder, value_range=_BYTES))  # fmt: skip
    rounds = [tuple(numbers[i : i + 2]) for i in range(0, 40, 2)]
    assert {*rounds} == {(0, 1), (1, 0)}
    assert 4 <= rounds.count((0, 1)) <= 16


def test_domains_are_shuffled_independently(tmp_path):
    folder = save_domains(tmp_path, trainA=50, trainB=50)
    domains = load_domains(folder, value_range=_BYTES, batch_size=50)
    correlations = []
    for numbers in _numbers(domains, 20):
        assert sorted(numbers[0]) == [x - 100 for x in sorted(numbers[1])]
        correlations.append(np.corrcoef(*numbers)[0, 1])
    assert abs(np.mean(correlations)) < 0.12
    assert max(correlations) < 0.6


def test_without_shuffling_the_shorter_domain_cycles(source, storage):
    first, second = _numbers(load_domains(**source, shuffle=False), 2)
    assert first == second
    numbers_a, numbers_b = first
    assert numbers_a == (numbers_a[:9] * 2)[:13]
    assert (sorted(numbers_a[:9]), sorted(numbers_b)) == (
        list(range(9)), list(range(100, 113)))  # fmt: skip
    if "data_dir" not in source:
        assert numbers_b == sorted(numbers_b)


@both_ways("folder", "tfds")
def test_an_epoch_depends_on_seed_and_number_alone(source, storage):
    assert_epochs_depend_on_seed_and_number(
        load_domains, **source, **_CROP, batch_size=4
    )


def test_memory_and_stream_agree(tmp_path, monkeypatch):
    folder = save_domains(tmp_path, trainA=9, trainB=23, testA=3, testB=4)
    assert_memory_and_stream_agree(load_domains, folder, monkeypatch, **_CROP)


def test_arrays_have_their_own_lengths(source):
    numbers_a, numbers_b = _number(load_domain_arrays(**source))
    first = 50 if "data_dir" in source else 0
    assert sorted(numbers_a) == list(range(first, first + 3))
    assert sorted(numbers_b) == list(range(first + 100, first + 104))
    few = load_domain_arrays(**source, num_images=3)
    assert _number(few) == (numbers_a, numbers_b[:3])
    assert [len(x) for x in load_domain_arrays(**source, split="train")] == [9, 13]
    images, _ = load_domain_arrays(**source, image_size=4)
    assert (images.shape, images.dtype) == ((3, 4, 4, 3), np.float32)


def test_describe_and_is_paired(source, tmp_path):
    name, data_dir = source["source"], source.get("data_dir")
    assert is_paired(name, data_dir) is False
    if data_dir:  # another one, where nothing is prepared
        assert describe(name, tmp_path).num_train is None
    load_domains(**source)
    found = describe(name, data_dir, translation=True)
    assert found[1:5] == (13, 4, (HEIGHT, WIDTH, 3), None)


def test_a_tenth_of_each_domain_is_held_out(tmp_path):
    folder = save_domains(tmp_path, traina=30, trainB=40)  # without case
    train, test = (
        _number(load_domain_arrays(folder, split, value_range=_BYTES))
        for split in ("train", "test")
    )
    for first, count, one, other in ((0, 30, train[0], test[0]),
                                     (100, 40, train[1], test[1])):  # fmt: skip
        assert sorted(one + other) == list(range(first, first + count))
        assert 1 <= len(other) <= count / 4


def test_other_splits_of_domains(tmp_path):
    folder = save_domains(tmp_path, trainA=3, trainB=3, valA=2, valB=1)
    for split in ("val", "test"):
        images = load_domain_arrays(folder, split)
        assert [len(part) for part in images] == [2, 1]


@pytest.fixture(params=["split/a", "a/split", "tiny_pairs"])
def pairs(request, tmp_path, tiny_dir):
    if request.param.startswith("tiny"):
        return {"source": request.param, "data_dir": tiny_dir, "value_range": _BYTES}
    folder = save_pairs(tmp_path, request.param)
    return {"source": folder, "value_range": _BYTES}


def test_pairs_give_disjoint_halves(pairs, storage):
    size = 21 if "data_dir" in pairs else 24
    images_a, images_b = load_domain_arrays(**pairs, split="train")
    assert (images_a[..., 1] < 100).all()
    assert (images_b[..., 1] > 99).all()
    numbers_a, numbers_b = _number([images_a, images_b])
    assert sorted(numbers_a + numbers_b) == list(range(size))
    assert abs(len(numbers_a) - len(numbers_b)) <= (1 if "data_dir" in pairs else 10)
    for epoch_a, epoch_b in _numbers(load_domains(**pairs), 2):
        assert (set(epoch_a), set(epoch_b)) == (set(numbers_a), set(numbers_b))


def test_halves_of_pairs_share_no_group(tiny_dir, storage):
    kwargs = {"data_dir": tiny_dir, "value_range": _BYTES}
    (numbers,) = _numbers(load_domains("tiny_groups", **kwargs))
    assert sorted({*numbers[0], *numbers[1]}) == list(range(21))
    groups = [{number // 3 for number in half} for half in numbers]
    assert groups[0].isdisjoint(groups[1])


def test_pairs_give_the_truth_for_testing(pairs):
    expected = _number(load_pair_arrays(**pairs))
    assert _number(load_domain_arrays(**pairs)) == expected
    assert _numbers(load_domains(**pairs, split="test", shuffle=False))[0] == expected
    numbers_a, numbers_b = _numbers(load_domains(**pairs, split="test", seed=1))[0]
    assert numbers_a == numbers_b  # in any order
    assert sorted(numbers_a) == sorted(expected[0])


def test_slices_of_train_are_halved_too(tiny_dir):
    kwargs = {"data_dir": tiny_dir, "value_range": _BYTES}
    images = load_domain_arrays("tiny_pairs", "train[3:17]", **kwargs)
    whole = load_domain_arrays("tiny_pairs", "train", **kwargs)
    for part, all_of_it in zip(_number(images), _number(whole), strict=True):
        assert len(part) == 7
        assert set(part) < set(all_of_it)


def test_halves_are_stable_and_about_equal(tmp_path):
    names = [f"{i}.png" for i in range(1000)]
    halves = pair_layout.halve(tmp_path, names)
    assert abs(len(halves[0]) - 500) < 50
    for few, many in zip(pair_layout.halve(tmp_path, names[:300]), halves, strict=True):
        assert set(few) <= set(many)
    for i in range(20):
        assert list(map(len, pair_layout.halve(tmp_path, [f"a{i}", f"b{i}"]))) == [1, 1]


def _emoji(openmoji_dir, split):
    examples = tfds.load("openmoji/32", split=split, data_dir=openmoji_dir)
    return list(examples.as_numpy_iterator())


@pytest.mark.large  # of few groups above
def test_emoji_halves_share_no_group(openmoji_dir):
    examples = _emoji(openmoji_dir, "train")
    images = load_domain_arrays(
        "openmoji", "train", image_size=32, data_dir=openmoji_dir, value_range=_BYTES
    )
    sizes = [len(part) for part in images]
    assert sum(sizes) == len(examples)
    assert abs(sizes[0] - sizes[1]) < 0.1 * len(examples)
    groups = []
    for part, key in zip(images, ("line", "color"), strict=True):
        known = {}
        for example in examples:
            known.setdefault(example[key].tobytes(), set()).add(example["group"])
        assert all(len(names) == 1 for names in known.values())
        part = np.round(part).astype(np.uint8)
        groups.append({name for image in part for name in known[image.tobytes()]})
    assert groups[0].isdisjoint(groups[1])
    assert len(groups[0] | groups[1]) == len({x["group"] for x in examples})


@pytest.mark.large  # of few groups above
def test_emoji_stream_the_same_halves(openmoji_dir, monkeypatch):
    kwargs = {"image_size": 32, "data_dir": openmoji_dir, "batch_size": 64}

    def run():
        (epoch,) = passes(load_domains("openmoji", value_range=_BYTES, **kwargs))
        return [{image.tobytes() for image in part} for part in joined(epoch)]

    in_memory = run()
    monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    assert run() == in_memory
