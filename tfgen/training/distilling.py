"""Training that learns from the translations of a trained model: `--distill-from`."""

from typing import Any

from tfgen.errors import UserError
from tfgen.training.config import Config


def teach(model: Any, config: Config) -> None:
    """Hands a model the teacher that its run names, if it names one.

    A teacher is found by the way of the data that it translates: a pix2pix that was
    trained with --direction ba teaches one of a CycleGAN's two generators.

    Args:
        model: Which will be trained.
        config: Of the run.

    Raises:
        UserError: The teacher is gone, does not translate so, or draws noise.
    """
    if config.distill_from is None:
        return
    from tfgen.inference import Translator
    from tfgen.training.opening import open_run

    run = open_run(config.distill_from)
    if "sample" in run.endpoints:
        _refuse(config, "it has several outputs for one input: none to learn from")
    teacher = Translator(run.endpoints, run.config.direction)
    if tuple(run.endpoints.image_shape) != _image_shape(model):
        size = "x".join(map(str, run.endpoints.image_shape))
        _refuse(config, f"it translates images of {size}, unlike the model")
    is_one_way = len(model.ways) == 1
    of_data = {(config.direction if is_one_way else way): way for way in model.ways}
    names = {
        d: f"translate_{d}" if teacher.is_two_way else "translate" for d in of_data
    }
    functions = {
        way: _function_of(run, names[direction])
        for direction, way in of_data.items()
        if direction in teacher.directions
    }
    if not functions:
        _refuse(config, f"it translates {teacher.directions[0]} alone")
    model.distill_from(functions, config.distill_weight)


def _function_of(run: Any, name: str) -> Any:
    function = run.endpoints.functions[name]
    return lambda images: function(images)["images"]


def _image_shape(model: Any) -> tuple[int, ...]:
    from tfgen.inference import Endpoints

    return tuple(Endpoints(model).image_shape)


def _refuse(config: Config, why: str) -> None:
    raise UserError(f"--distill-from {config.distill_from}: {why}")
