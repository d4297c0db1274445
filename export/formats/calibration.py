"""Inputs that int8 is calibrated on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.errors import ExportError
from export.verify import golden
from export.verify.examples import sort_by_endpoint

_MOST_ROWS = 64


def make_rows(
    endpoints: Sequence[str], specs: Mapping[str, Sequence[Any]], data: Any
) -> dict[str, golden.Arrays]:
    """Returns inputs of endpoints, from the data given or drawn.

    Args:
        endpoints: Names of those to calibrate.
        specs: Of the inputs, of all endpoints that `data` may name.
        data: What `sort_by_endpoint` takes.

    Raises:
        ExportError: Images are missing; or see `sort_by_endpoint`.
    """
    examples = sort_by_endpoint(data, specs, "representative_data")
    calibration = {}
    for endpoint in endpoints:
        own, given = specs[endpoint], examples.of(endpoint)
        missing = [s.name for s in own if len(s.shape) == 4 and s.name not in given]
        if missing:
            raise ExportError(
                f"int8 is calibrated on data: endpoint '{endpoint}' needs training "
                "images: "
                f"representative_data={{'{endpoint}': {{'{missing[0]}': array}}}}"
            )
        rows = min([_MOST_ROWS, *(len(array) for array in given.values())])
        inputs = golden.make_inputs(own, given, rows)
        if endpoint in examples.shared:
            inputs = _cover_all_images(own, inputs)
        calibration[endpoint] = inputs
    return calibration


def _cover_all_images(specs: Sequence[Any], inputs: golden.Arrays) -> golden.Arrays:
    """Returns every row twice: as it is, and with made-up images."""
    images = [spec for spec in specs if golden.is_images(spec.name, inputs[spec.name])]
    rows = len(next(iter(inputs.values())))
    made_up = {**inputs, **golden.make_inputs(images, {}, rows)}
    return {name: np.concatenate([inputs[name], made_up[name]]) for name in inputs}
