import pathlib
import shutil
from types import SimpleNamespace

import keras
import pytest

import export
from tests.made_once import made_once

from .small import Autoencoder


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """An autoencoder exported both ways; tests read it, and change a copy."""
    keras.utils.set_random_seed(0)  # the same weights in every process
    model = Autoencoder()
    model.compile(optimizer="adam")
    model.optimizer.build(model.trainable_variables)

    def export_it(folder):
        version = export.export_saved_model(model, folder / "saved" / "model")
        export.export_tflite(version, folder / "edge" / "model.tflite")

    folder = made_once(tmp_path_factory, "shipped", export_it)
    version = folder / "saved" / "model" / "1"
    tflite = folder / "edge" / "model.tflite"
    return SimpleNamespace(model=model, version=version, tflite=tflite)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A folder that `export_model` wrote; tests read it, and change a copy."""

    def export_it(folder):
        keras.utils.set_random_seed(0)
        export.export_model(
            Autoencoder(),
            folder,
            "digits",
            quantizations=["float32", "float16"],
            description="Digits, small ones.",
            licence="CC0",
            latency_seconds=0,
        )

    return made_once(tmp_path_factory, "bundle", export_it)


@pytest.fixture
def bundle_copy(bundle, tmp_path):
    """A copy of the exported folder, to spoil."""
    return pathlib.Path(shutil.copytree(bundle, tmp_path / "bundle"))


@pytest.fixture
def saved_copy(shipped, tmp_path):
    """A folder with a copy of the SavedModel, to spoil."""
    shutil.copytree(shipped.version, tmp_path / "model" / "1")
    return tmp_path / "model" / "1"


@pytest.fixture
def tflite_copy(shipped, tmp_path):
    """A copy of the .tflite file and its record, to spoil."""
    shutil.copytree(shipped.tflite.parent, tmp_path / "edge")
    return tmp_path / "edge" / shipped.tflite.name
