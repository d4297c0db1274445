import pytest

from tests.cli.conftest import write_images
from tests.made_once import made_once


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return made_once(tmp_path_factory, "images", write_images)
