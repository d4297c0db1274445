"""A moving average of a network's weights, as a network of its own.

Reference: [Yazici et al., 2019](https://arxiv.org/abs/1806.04498), eq. 2.
"""


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
