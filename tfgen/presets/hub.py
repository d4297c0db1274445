"""Models on the Hugging Face hub, by addresses such as `hf://user/name`."""

import importlib
import os
import pathlib
import re
from typing import Any

from tfgen.errors import UserError

_SCHEME = "hf://"
_FILES = ("model.keras", "config.json", "metrics.json", "README.md")


def is_address(source: Any) -> bool:
    """Returns whether a model is named by an address of the hub."""
    return isinstance(source, str) and source.startswith(_SCHEME)


def parse(address: str) -> str:
    """Returns `user/name` of an address; one that is malformed is a UserError."""
    repository = address.removeprefix(_SCHEME).strip("/")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UserError(f"expected {_SCHEME}USER/NAME. Received: {address}")
    return repository


def download(address: str) -> pathlib.Path:
    """Downloads a model, once, and returns its folder.

    Raises:
        UserError: It is not there, cannot be reached, or huggingface_hub is missing.
    """
    repository = parse(address)
    client = _client()
    try:
        return pathlib.Path(
            client.snapshot_download(repository, allow_patterns=list(_FILES))
        )
    except Exception as error:  # the client raises what its HTTP library does
        raise _explained("load", address, error) from error


def upload(folder: str | os.PathLike, address: str) -> str:
    """Uploads a folder to a repository, which is made if need be; returns its page.

    Raises:
        UserError: As in `download`.
    """
    repository = parse(address)
    client = _client()
    try:
        client.create_repo(repository, exist_ok=True)
        client.upload_folder(repo_id=repository, folder_path=os.fspath(folder))
    except Exception as error:
        raise _explained("push to", address, error) from error
    return f"https://huggingface.co/{repository}"


def _client() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        raise UserError(
            f"{_SCHEME} needs huggingface_hub, which is not installed: run "
            'pip install "tfgen[hub]"'
        ) from error


def _explained(verb: str, address: str, error: Exception) -> UserError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return UserError(f"cannot {verb} {address}: {lines[0]}")
