"""The losses that a model is trained on, measured on test images."""

import warnings
from collections.abc import Iterator
from typing import Any

from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.subject import Subject


def measure_losses(subject: Subject) -> Figures | None:
    """Measures what training minimises; None for a model that is not compiled."""
    import keras

    if not subject.model.compiled:
        return None
    batches = subject.test_batches(subject.is_labelled)
    num_batches = int(batches.cardinality())
    total = num_batches if num_batches > 0 else None

    class Progress(keras.callbacks.Callback):
        """Moves on the bar, since Keras takes no generator of images alone."""

        def on_test_begin(self, logs: Any = None) -> None:
            bar = subject.progress(range(total or 0), "losses of test images", total)
            self.steps: Iterator[int] = iter(bar)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            next(self.steps, None)

        def on_test_end(self, logs: Any = None) -> None:
            for _ in self.steps:  # several steps in one execution end with one batch
                pass

    with warnings.catch_warnings():
        # The number of batches is not known where a few images are taken of many.
        warnings.filterwarnings("ignore", "Your input ran out of data")
        values = subject.model.evaluate(
            batches, return_dict=True, verbose=0, callbacks=[Progress()]
        )
    words = _LOSSES
    if not getattr(subject.model, "has_density", True):
        words = words | {"reconstruction_loss": "of reconstructions; no log-likelihood"}
    return [Figure(k, float(v), words.get(k, "")) for k, v in values.items()]


_LOSSES = {
    "loss": "what training minimises",
    "reconstruction_loss": "-E[log p(x|z)], nats per image",
    "kl_loss": "KL(q(z|x) || p(z)), nats per image",
    "generator_loss": "what the generator minimises, or both together",
    "discriminator_loss": "what the discriminator minimises",
    "discriminator_accuracy": "share of images, real and drawn, told apart",
    "real_logits": "mean of the discriminator's logits of real images",
    "fake_logits": "mean of the discriminator's logits of drawn images",
    "gradient_penalty": "before its weight; 0: there is none",
    "l1_loss": "mean absolute error, of images in [-1, 1]",
    "cycle_loss": "there and back, both ways, of images in [-1, 1]",
    "identity_loss": "of images of the target domain, both ways",
    "adversarial_loss": "how little the discriminator is fooled",
    "adversarial_ab_loss": "how little discriminator b is fooled",
    "adversarial_ba_loss": "how little discriminator a is fooled",
    "discriminator_a_loss": "what discriminator a minimises",
    "discriminator_b_loss": "what discriminator b minimises",
}
