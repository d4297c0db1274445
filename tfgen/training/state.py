"""The state of Keras callbacks, split into JSON values and arrays."""

import inspect

import numpy as np


def collect(callbacks):
    """Returns name and JSON state of each callback, and the arrays of all callbacks."""
    states, arrays = [], {}
    for index, callback in enumerate(callbacks):
        plain, own_arrays = split(get_state(callback), f"callback_{index}_")
        states.append({"name": type(callback).__name__, "state": plain})
        arrays |= own_arrays
    return states, arrays


def restore(callbacks, states, arrays):
    """Restores what `collect` returned where class and position are the same."""
    for index, (callback, saved) in enumerate(zip(callbacks, states, strict=False)):
        if saved["name"] == type(callback).__name__:
            joined = join(saved["state"], arrays, f"callback_{index}_")
            set_state(callback, joined)


def get_state(callback):
    """Returns the mutable attributes of a callback: name -> value."""
    if hasattr(callback, "get_state"):
        return callback.get_state()
    arguments = inspect.signature(type(callback).__init__).parameters
    return {
        name: value
        for name, value in vars(callback).items()
        if not name.startswith("_") and name not in arguments and name != "params"
    }


def set_state(callback, state):
    """Sets what `get_state` returned."""
    if hasattr(callback, "set_state"):
        callback.set_state(state)
    else:
        vars(callback).update(state)


def split(state, prefix):
    """Returns JSON values, and arrays and lists of arrays under prefixed names."""
    plain, arrays = {}, {}
    for name, value in state.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}{name}"] = value
        elif _is_array_list(value):
            for index, array in enumerate(value):
                arrays[f"{prefix}{name}.{index}"] = array
        elif _is_plain(value):
            plain[name] = value
    return plain, arrays


def join(plain, arrays, prefix):
    """Inverts `split`; `arrays` may also hold those of other callbacks."""
    state = dict(plain)
    for key, array in arrays.items():
        if not key.startswith(prefix):
            continue
        name, _, index = key.removeprefix(prefix).partition(".")
        if index:
            state.setdefault(name, []).append(array)  # in the order of the file
        else:
            state[name] = array
    return state


def _is_array_list(value):
    is_list = isinstance(value, list) and value
    return is_list and all(isinstance(item, np.ndarray) for item in value)


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, (bool, int, float, str))
