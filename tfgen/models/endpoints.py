"""Endpoints: methods that take arrays in Python and are served under the same name.

    @endpoint("images", "labels", returns="images")
    def reconstruct(self, images, labels=None): ...

Called in Python the method takes arrays and returns tensors, several as a tuple. Served
it is a `tf.function` with named inputs and a dict of named outputs. Both ways its
inputs are checked against the model's `input_specs`: in Python a mistake is a
`ValueError` of one line, served it is an `InvalidArgumentError`.
"""

import functools
import inspect
import itertools
from typing import NamedTuple

import tensorflow as tf

from tfgen.models import checks


class Endpoint(NamedTuple):
    """How a method is served.

    `inputs` are keys of the model's `input_specs`; those that the model does not have,
    such as the labels of an unconditional one, are left out. `condition` names an
    attribute of the model: if it is false the method is not served.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    condition: str | None


def endpoint(*inputs, returns, name=None, condition=None):
    """Marks a method as an endpoint; see `Endpoint`.

    Args:
        inputs: What its arguments are, in order.
        returns: Name of its output, or names of several.
        name: What it is served as; by default the method's name.
        condition: Name of an attribute without which it is not served.
    """
    outputs = (returns,) if isinstance(returns, str) else tuple(returns)

    def mark(method):
        signature = inspect.signature(method)
        arguments = dict(zip(list(signature.parameters)[1:], inputs, strict=False))

        @functools.wraps(method)
        def checked(self, *args, **kwargs):
            bound = signature.bind(self, *args, **kwargs)
            for argument, key in arguments.items():
                value = bound.arguments.get(argument)
                if value is not None:
                    value = checks.as_input(self, key, value)
                    bound.arguments[argument] = value
            return method(*bound.args, **bound.kwargs)

        checked.endpoint = Endpoint(name or method.__name__, inputs, outputs, condition)
        return checked

    return mark


def signatures(model):
    """Returns a model's endpoints in the order of their definition, a base's last."""
    names = [name for cls in type(model).__mro__ for name in vars(cls)]
    functions = {}
    for name in dict.fromkeys(names):
        mark = getattr(getattr(type(model), name), "endpoint", None)
        if isinstance(mark, Endpoint) and getattr(model, mark.condition or "built"):
            functions[mark.name] = _serve(model, getattr(model, name), mark)
    return functions


_served_number = itertools.count()


def _serve(model, method, mark):
    keys = [key for key in mark.inputs if key in model.input_specs]
    specs = [model.input_specs[key] for key in keys]

    def served(*tensors):
        tensors = [
            checks.assert_input(model, key, tensor)
            for key, tensor in zip(keys, tensors, strict=True)
        ]
        outputs = method(*tensors)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return dict(zip(mark.outputs, outputs, strict=True))

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    served.__signature__ = inspect.Signature(
        [inspect.Parameter(spec.name, positional) for spec in specs]
    )
    served.__name__ = mark.name
    # TensorFlow tells functions by their code: the endpoints of all models would seem
    # one function that is traced time and again, which it warns of.
    code = served.__code__
    served.__code__ = code.replace(co_consts=(*code.co_consts, next(_served_number)))
    return tf.function(served, input_signature=specs, autograph=False)
