"""Files that take long to make, and that the processes of pytest-xdist share."""

import fcntl
import os


def shared_folder(tmp_path_factory):
    """Returns the folder of this run of pytest, of all of its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(tmp_path_factory, name, make):
    """Returns the path of a file or folder that the first process to ask for it makes.

    The others wait for it. Nobody may change it.

    Args:
        name: What it is called, in the folder of this run of pytest.
        make: Function of the path to write to.
    """
    path = shared_folder(tmp_path_factory) / name
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released with the file
        if not path.exists():
            part = path.with_name(f"{name}.part")
            make(part)
            part.rename(path)
    return path
