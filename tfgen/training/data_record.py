"""What a run records of its data, to notice when they have changed."""

import os
from typing import Any

from tfgen.errors import UserError


def record_data(config: Any) -> dict[str, Any]:
    """Returns numbers of examples, rule of the split and hash of a run's data.

    Args:
        config: The run's `Config`.
    """
    from tfgen import data

    fingerprint = data.fingerprint(config.data, config.data_dir, config.reads_pairs)
    return fingerprint._asdict()


def resolve_data(source: str | os.PathLike) -> str:
    """Returns the absolute path of a folder, or the name of a data set."""
    from tfgen.data.description import find_folder

    folder = find_folder(source)
    return os.fspath(source) if folder is None else str(folder.resolve())


def check_record(source: str, expected: dict[str, Any], actual: dict[str, Any]) -> None:
    """Raises a UserError if data differ from those that a run began with."""
    if not expected or expected["digest"] == actual["digest"]:
        return
    before, now = (
        f"{record['num_train']} for training and {record['num_test']} for tests"
        for record in (expected, actual)
    )
    how = f"then {before}, now {now}"
    if before == now:
        how = f"as many, {before}, but other names or sizes"
    raise UserError(
        f"the images at {source} have changed since the run began ({how}): it would "
        "not end as if it had not been stopped. Give the former data with --data, or "
        "go on with these by --other-data"
    )


def check_present(source: str | None) -> None:
    """Raises a UserError if a run's folder of data is no longer where it was."""
    if source is not None and os.path.isabs(source) and not os.path.isdir(source):
        raise UserError(
            f"the run's data were at {source}, where there is no folder now: say where "
            "they are with --data"
        )
