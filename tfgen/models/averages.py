"""Moving averages of a model's generators, as networks of their own.

Reference: [Yazici et al., 2019](https://arxiv.org/abs/1806.04498), eq. 2.
"""

from tfgen.models import checks


class AveragingMixin:
    """Adds an average of each of the model's `generators`: `ema_<name>`.

    What the model makes outside of training is made by the averages. Its losses are
    those of the weights that are trained.
    """

    def _add_averages(self, ema_decay):
        """Copies the generators, unless `ema_decay` is `None`."""
        self.ema_decay = ema_decay
        checks.below_one(ema_decay=ema_decay or 0.0)
        if ema_decay is not None:
            for name in self.generators:
                setattr(self, f"ema_{name}", copy_frozen(getattr(self, name)))

    def _update_averages(self):
        if self.ema_decay is not None:
            for name in self.generators:
                average = getattr(self, f"ema_{name}")
                update(average, getattr(self, name), self.ema_decay)

    def _averaged(self, name, training=False):
        """Returns a generator by name: but in training its average, if it has one."""
        is_averaged = self.ema_decay is not None and not training
        return getattr(self, f"ema_{name}" if is_averaged else name)


def copy_frozen(network):
    """Returns a network with the same weights, none of them trainable."""
    average = type(network).from_config(network.get_config())
    average.set_weights(network.get_weights())
    average.trainable = False
    return average


def update(average, network, decay):
    """Moves the average by `1 - decay` of the way to the network's weights."""
    for mean, weight in zip(average.weights, network.weights, strict=True):
        # Batch statistics are averages already.
        share = 1.0 - decay if weight.trainable else 1.0
        mean.assign_add(share * (weight - mean))
