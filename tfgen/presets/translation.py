"""What the presets that translate images share: the papers' optimizers."""

from typing import Any


def compile_with_adams(
    model: Any, learning_rate: float, beta_1: float, num_steps: int | None
) -> None:
    """Compiles a model with two Adams whose learning rate ends at 0.

    Args:
        model: A `Pix2Pix` or a `CycleGAN`.
        learning_rate: Float, of the first half of training.
        beta_1: Float.
        num_steps: Integer, steps of training; `None` keeps the learning rate.
    """
    from tfgen.optimizers import FusedAdam, LinearDecay

    def make_adam() -> Any:
        rate = LinearDecay(learning_rate, num_steps) if num_steps else learning_rate
        return FusedAdam(rate, beta_1)

    model.compile(make_adam(), make_adam())
