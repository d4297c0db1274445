"""scikit-learn, which is an extra: imported where it is used."""

import importlib.util
import types

from tfgen.errors import UserError


def import_sklearn(module: str) -> types.ModuleType:
    """Returns a module of scikit-learn, such as "ensemble".

    Raises:
        UserError: It is not installed.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise UserError(
            "This is computed with scikit-learn, which is not installed: run "
            'pip install "tfgen[metrics]"'
        )
    return importlib.import_module(f"sklearn.{module}")
