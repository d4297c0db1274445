"""The one exception that stands for a mistake of the user, and who raises it."""

import importlib.util
import types


class UserError(ValueError):
    """A mistake that its message explains: what was wrong, what to do.

    The command line prints the message as one line and exits with code 2. Anything
    else that is raised is a defect of tfgen, and shows its traceback.
    """


def import_sklearn(module: str) -> types.ModuleType:
    """Imports a module of scikit-learn, such as "ensemble"; it is an extra.

    Raises:
        UserError: scikit-learn is not installed.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise UserError(
            "This is computed with scikit-learn, which is not installed: run "
            'pip install "tfgen[metrics]"'
        )
    return importlib.import_module(f"sklearn.{module}")
