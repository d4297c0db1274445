"""Data that users hand over, sorted by endpoint: held-out examples, calibration."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.errors import ExportError


@dataclasses.dataclass(frozen=True)
class Examples:
    """Arrays `(rows, ...)` by endpoint and input.

    `shared` names the endpoints whose images were given by the name of the input alone,
    while another endpoint has an input of that name: they may be of another domain.
    """

    arrays: Mapping[str, Mapping[str, np.ndarray]]
    shared: frozenset[str] = frozenset()

    def of(self, endpoint: str) -> Mapping[str, np.ndarray]:
        """Returns what was given for an endpoint; empty where nothing was."""
        return self.arrays.get(endpoint, {})


def sort_by_endpoint(
    data: Any, specs: Mapping[str, Sequence[Any]], argument: str
) -> Examples:
    """Sorts what a user gave as `argument`.

    Args:
        data: None; arrays by endpoint and input, `{"translate_ba": {"images": array}}`;
            arrays by input, for every endpoint with an input of that name; or both,
            where the endpoint's own come first. An array alone stands for `images`.
        specs: Of the inputs of every endpoint.
        argument: What messages call the data.

    Raises:
        ExportError: A key names neither an endpoint nor an input, or arrays of one
            endpoint are of different lengths.
    """
    if data is None:
        data = {}
    elif not isinstance(data, Mapping):
        data = {"images": data}
    names = {
        endpoint: [spec.name for spec in group] for endpoint, group in specs.items()
    }
    by_endpoint = {key: value for key, value in data.items() if _is_mapping(value)}
    by_input = {key: value for key, value in data.items() if not _is_mapping(value)}
    _refuse_unknown(by_endpoint, by_input, names, argument)
    arrays, shared = {}, set()
    for endpoint, inputs in names.items():
        own = by_endpoint.get(endpoint, {})
        common = {n: by_input[n] for n in inputs if n in by_input and n not in own}
        given = {**common, **own}
        arrays[endpoint] = {n: np.asarray(given[n]) for n in inputs if n in given}
        _require_equal_length(endpoint, arrays[endpoint], argument)
        if any(_count(names, name) > 1 for name in common):
            shared.add(endpoint)
    return Examples(arrays, frozenset(shared))


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _count(names: Mapping[str, Sequence[str]], name: str) -> int:
    return sum(name in inputs for inputs in names.values())


def _refuse_unknown(
    by_endpoint: Mapping[str, Mapping[str, Any]],
    by_input: Mapping[str, Any],
    names: Mapping[str, Sequence[str]],
    argument: str,
) -> None:
    for endpoint, arrays in by_endpoint.items():
        if endpoint not in names:
            raise ExportError(
                f"`{argument}` name no endpoint: '{endpoint}'; there are {list(names)}"
            )
        if unknown := sorted(set(arrays) - set(names[endpoint])):
            raise ExportError(
                f"`{argument}` of '{endpoint}' name no input of it: {unknown}; there "
                f"are {list(names[endpoint])}"
            )
    known = {name for inputs in names.values() for name in inputs}
    if unknown := sorted(set(by_input) - known):
        raise ExportError(f"`{argument}` name no input of an endpoint: {unknown}")


def _require_equal_length(
    endpoint: str, arrays: Mapping[str, np.ndarray], argument: str
) -> None:
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ExportError(
            f"`{argument}` of '{endpoint}' must have as many rows for each input. "
            f"Received: {lengths}"
        )
