"""Every preset leaves for every runtime, and all of them agree."""

import pytest

import export
import tfgen
from export import report
from tests.export import native_loader
from tfgen.presets import get_preset


@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    return native_loader.build(tmp_path_factory)


def make_small(name):
    """The preset's architecture at a size that is exported in seconds."""
    preset = get_preset(name)
    overrides = {"filters": 4, "seed": 0}
    if preset.resolve({})["image_size"] > 32:
        overrides["image_size"] = 32
    if "discriminator_filters" in preset.arguments:
        overrides["discriminator_filters"] = 4
    if "num_blocks" in preset.arguments:
        overrides["num_blocks"] = 2
    return tfgen.create_model(name, **overrides)


@pytest.mark.parametrize("name", tfgen.list_presets())
def test_small(name, tmp_path, loader):
    # It checks each file in a fresh process; `export.check` would do it once more.
    export.export_model(make_small(name), tmp_path, name, latency_seconds=0)
    recorded = report.read(tmp_path)
    assert report.verify_hashes(tmp_path, recorded) == []
    assert export.check(tmp_path / "edge")
    version = tmp_path / "serving" / name / "1"
    native_loader.assert_native_loader_agrees(loader, version)
    (entry,) = recorded["exports"]
    saved, edge = entry["files"]
    assert {row["endpoint"] for row in saved["rows"]} == {
        *entry["endpoints"],
        "serving_default",
    }
    for row in edge["rows"]:
        # Labels are looked up outside of the delegate; all else is in it.
        assert set(row["outside"]) <= {"CAST", "ONE_HOT"}, row["endpoint"]
        assert row["partitions"] <= 1 + bool(row["outside"]), row["endpoint"]


@pytest.mark.large
@pytest.mark.parametrize("name", tfgen.list_presets())
def test_at_the_size_of_the_paper(name, tmp_path, loader):
    model = tfgen.create_model(name, seed=0)
    export.export_model(model, tmp_path, name, latency_seconds=0)
    rows = export.check(tmp_path)
    assert {row.format for row in rows} == {"saved_model", "tflite"}
    version = tmp_path / "serving" / name / "1"
    native_loader.assert_native_loader_agrees(loader, version)
