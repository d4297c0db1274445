"""Models of mixed precision, as they are served."""

from typing import Any


def to_float32(model: Any) -> Any:
    """Returns the model as it computes in float32, with the same weights.

    Mixed precision speeds training up; exported files are float32, and .tflite files
    know no bfloat16. Optimizers are left behind.
    """
    if model.dtype_policy.compute_dtype == "float32":
        return model
    converted = type(model).from_config(_in_float32(model.get_config()))
    converted.set_weights(model.get_weights())
    return converted


def _in_float32(config: Any) -> Any:
    """Returns a copy of a config with its mixed dtype policies replaced."""
    if isinstance(config, dict):
        return {key: _in_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_in_float32(value) for value in config)
    is_mixed = isinstance(config, str) and config in ("mixed_bfloat16", "mixed_float16")
    return "float32" if is_mixed else config
