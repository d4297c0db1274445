"""What a folder holds and what is taken of it are the same, or it is said."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from tests.data.conftest import save_image, save_pairs
from tfgen.data import class_names, describe, load_array, load_images, load_pair_arrays
from tfgen.data.decode import EXTENSIONS, HEIC_EXTENSIONS, read_header
from tfgen.data.folders.listing import scan
from tfgen.errors import UserError


@pytest.fixture
def photos(tmp_path):
    """Three images, each known by its red value."""
    for i in range(3):
        save_image(tmp_path / "photos" / f"{i}.png", 50 * i)
    return tmp_path / "photos"


def _names(folder):
    return list(scan(folder).names)


def _left_out(folder):
    return describe(folder).summary.rpartition("; ")[2]


@pytest.mark.parametrize(
    "name",
    [".ipynb_checkpoints", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "a/.thumbnails"],
)
def test_folders_that_systems_make_are_left_out(photos, name):
    for i in range(2):
        save_image(photos / name / f"{i}.png")
    assert _names(photos) == ["0.png", "1.png", "2.png"]
    assert _left_out(photos) == "2 files left out: 2 hidden"
    assert class_names(photos) == ()


def test_files_left_out_are_counted_by_reason(photos):
    for name in ("notes.txt", "Thumbs.db", "._0.png"):
        (photos / name).touch()
    assert _left_out(photos) == "3 files left out: 2 not images, 1 hidden"


def test_a_folder_with_nothing_to_take_says_what_it_holds(tmp_path):
    save_image(tmp_path / ".cache" / "0.png")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"no images \(2 files left out: ") as error:
        scan(tmp_path)
    assert "1 hidden" in str(error.value)


def test_links_to_folders_are_followed(tmp_path):
    for name in ("set/cats", "elsewhere/dogs"):
        for i in range(12):
            save_image(tmp_path / name / f"{i}.png", i)
    (tmp_path / "set" / "dogs").symlink_to(tmp_path / "elsewhere" / "dogs")
    assert class_names(tmp_path / "set") == ("cats", "dogs")
    assert describe(tmp_path / "set").summary.startswith(
        "24 images of 2 classes (cats 12, dogs 12), "
    )


def test_links_that_lead_back_are_not(photos):
    (photos / "again").symlink_to(photos)
    (photos / "sub").mkdir()
    (photos / "sub" / "up").symlink_to("..")
    (photos / "itself").symlink_to(photos / "itself")
    assert _names(photos) == ["0.png", "1.png", "2.png"]
    assert "2 links to a folder that they lie in" in _left_out(photos)


def test_pipes_are_not_waited_for(photos):
    os.mkfifo(photos / "3.png")
    (photos / "4.png").symlink_to(photos / "3.png")
    assert len(_names(photos)) == 3
    assert _left_out(photos) == "2 files left out: 2 pipes, sockets or devices"


def test_names_with_what_terminals_obey_are_one_line(photos):
    for i in range(2):
        save_image(photos / "\x1b[2Ja\nb" / f"{i}.png")
    for i in range(3):
        (photos / f"{i}.png").rename(photos / "\x1b[2Ja\nb" / f"c{i}.png")
    assert r"1 class (\x1b[2Ja\nb 5)" in describe(photos).summary
    (photos / "\x1b[2Ja\nb" / "bad\r.png").touch()
    with pytest.raises(UserError, match=r"\\x1b\[2Ja\\nb/bad\\r.png cannot") as error:
        [load_images(photos, x) for x in ("train", "test")]
    assert str(error.value).isprintable()


def test_a_link_to_nowhere_is_a_damaged_image(photos):
    (photos / "3.png").symlink_to(photos / "gone.png")
    with pytest.raises(UserError, match=r"3\.png cannot be read as an image"):
        load_images(photos, "train" if _in_train(photos, "3.png") else "test")


def _in_train(folder, name):
    from tfgen.data.folders.listing import scan
    from tfgen.data.folders.splits import find_split

    return name in find_split(scan(folder), "train").names


def test_a_folder_that_cannot_be_read_is_refused():
    folder = Path(tempfile.mkdtemp())  # pytest's own is the user's alone
    is_root = os.geteuid() == 0
    try:
        save_image(folder / "0.png")
        save_image(folder / "private" / "1.png")
        folder.chmod(0o755)
        (folder / "private").chmod(0)
        if is_root:  # whom nothing is forbidden
            os.seteuid(65534)
        with pytest.raises(UserError, match=r"private cannot be read \(Permission"):
            scan(folder)
    finally:
        if is_root:
            os.seteuid(0)
        (folder / "private").chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("mark", ["config.json", ".lock"])
def test_runs_inside_the_data_are_left_out(photos, mark):
    run = photos / "runs" / "vae"
    save_image(run / "samples" / "0.png")
    config = {"preset": "vae", "overrides": {}, "versions": {}, "epochs": 3}
    (run / mark).write_text(json.dumps(config) if mark == "config.json" else "4321\n")
    assert _names(photos) == ["0.png", "1.png", "2.png"]
    assert _left_out(photos) == "2 files left out: 2 in run folders of tfgen"
    assert describe(photos).num_classes is None  # "runs" is not a class


def test_a_config_of_anything_else_marks_no_run(photos):
    for content in ('{"model_type": "clip"}', "[1]", "not JSON"):
        (photos / "config.json").write_text(content)
        assert len(_names(photos)) == 3


@pytest.mark.parametrize(
    "ending", [".jfif", ".jpe", ".JPEG", ".pgm", ".jp2", ".tga", ".dib", ".avif"]
)
def test_other_endings_that_pillow_reads(tmp_path, ending):
    if ending == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow lacks AVIF")
    image = Image.new("L", (6, 8), 200)
    image.save(tmp_path / f"0{ending.lower()}")
    (tmp_path / f"0{ending.lower()}").rename(tmp_path / f"x{ending}")
    assert read_header(scan(tmp_path).paths[0]).shape[:2] == (8, 6)


def test_every_ending_is_one_that_pillow_reads():
    known = {
        x for x, name in Image.registered_extensions().items() if name in Image.OPEN
    }
    assert {*EXTENSIONS} - {*HEIC_EXTENSIONS} <= known


def test_heic_is_read_with_its_extra(photos):
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs tfgen[heic]")
    image = Image.fromarray(np.full((64, 48, 3), [200, 60, 30], np.uint8))
    pillow_heif.from_pillow(image).save(photos / "3.HEIC", quality=90)
    shutil.copy(photos / "3.HEIC", photos / "4.heif")
    images = load_array(photos, "train", image_size=16, value_range=(0, 255))
    assert len(images) + len(load_array(photos, "test", image_size=16)) == 5
    assert any(np.abs(x.mean((0, 1)) - [200, 60, 30]).max() < 8 for x in images)


def test_heic_without_its_extra_is_said(photos):
    (photos / "3.heic").touch()
    if ".heic" in EXTENSIONS:
        pytest.skip("pillow-heif is installed")
    assert _left_out(photos) == (
        '1 file left out: 1 HEIC (to read them: pip install "tfgen[heic]")'
    )


@pytest.mark.parametrize("storage", ["memory", "stream"], indirect=True)
def test_names_need_not_be_utf_8(photos, storage):
    os.rename(photos / "1.png", os.fsencode(photos) + b"/caf\xe9.png")
    parts = [load_images(photos, x, value_range=(0, 255)) for x in ("train", "test")]
    reds = [float(x) for part in parts for batch in part for x in batch[:, 0, 0, 0]]
    assert sorted(reds) == [0, 50, 100]
    bad = os.fsencode(photos) + b"/caf\xe9.png"
    with open(bad, "wb") as file:
        file.write(b"damaged")
    with pytest.raises(UserError, match=r"caf\\udce9\.png cannot be read") as error:
        [load_images(photos, x) for x in ("train", "test")]
    str(error.value).encode()  # any terminal can show it


def test_names_may_have_what_patterns_mean(tmp_path):
    """`glob` would take brackets, stars and the like for patterns."""
    folder = tmp_path / "[2024] *a? {x}"
    for i in range(3):
        save_image(folder / "cats [!]" / f"[{i}] %d.png")
    assert len(_names(folder)) == 3
    parts = [load_images(folder, x) for x in ("train", "test")]
    assert sum(len(batch) for part in parts for batch in part) == 3


def test_pairs_whose_accents_are_written_in_two_ways(tmp_path):
    """macOS writes é as two characters in the names of files, other systems as one."""
    folder = save_pairs(tmp_path, "split/a", train=2, test=2)
    (folder / "train" / "a" / "000.png").rename(folder / "train" / "a" / "e\u0301.png")
    (folder / "train" / "B" / "000.png").rename(folder / "train" / "B" / "\u00e9.png")
    inputs, targets = load_pair_arrays(folder, "train", value_range=(0, 255))
    np.testing.assert_allclose(inputs + np.float32([0, 100, 100]), targets, atol=1e-3)
    assert len(inputs) == 2


def test_folders_that_differ_in_case_only_are_refused(tmp_path):
    folder = save_pairs(tmp_path, "split/a", train=2, test=2)
    if (folder / "train" / "A").exists():
        pytest.skip("the file system knows no case")
    save_image(folder / "train" / "A" / "9.png")
    with pytest.raises(UserError, match="differ in case only"):
        load_pair_arrays(folder, "train")


@pytest.mark.parametrize("ending", ["tif", "gif", "webp", "png"])
def test_pages_that_are_not_read_are_said(tmp_path, ending):
    pages = [Image.new("L", (6, 8), value) for value in (10, 20, 30)]
    pages[0].save(tmp_path / f"0.{ending}", save_all=True, append_images=pages[1:])
    for i in range(1, 20):
        save_image(tmp_path / f"{i}.{ending}", mode="RGB" if ending == "webp" else "L")
    with pytest.warns(
        UserWarning, match=rf"Of 1 of the files .* several pages.*0\.{ending}"
    ):
        [load_images(tmp_path, x) for x in ("train", "test")]
