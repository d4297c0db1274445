"""Linear warm-up of the KL term's weight."""

import keras


class BetaWarmup(keras.callbacks.Callback):
    """Raises a VAE's `kl_weight` linearly from `start` to its `beta`.

    A KL term at full weight from the start can make the posterior equal to the prior
    before the decoder uses the latents (posterior collapse). The weight depends on the
    optimizer's step, so a resumed run continues where it stopped. Evaluation always
    uses the full `beta`.

    Args:
        num_steps: Integer, training steps until `kl_weight` is `beta`.
        start: Float, the first weight as a share of `beta`.

    References:
        [Bowman et al., 2016](https://arxiv.org/abs/1511.06349), sec. 3.1.
    """

    def __init__(self, num_steps, start=0.0):
        super().__init__()
        if num_steps < 1 or not 0.0 <= start <= 1.0:
            raise ValueError(
                "`num_steps` must be at least 1 and `start` in [0, 1]. Received: "
                f"{num_steps} and {start}"
            )
        self.num_steps = num_steps
        self.start = start

    def on_train_batch_begin(self, batch, logs=None):
        step = int(self.model.optimizer.iterations)
        share = self.start + (1.0 - self.start) * min(step / self.num_steps, 1.0)
        self.model.kl_weight.assign(self.model.beta * share)
