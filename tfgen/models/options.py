"""Inputs of a network that may be left out, which are known by their names."""

_NAMES = ("noise", "truncation")


def options_of(network):
    """Returns name -> input of a network's options, in their order."""
    return {x.name: x for x in network.inputs if x.name in _NAMES}


def required_of(network):
    """Returns the inputs that a network is always given."""
    return [x for x in network.inputs if x.name not in _NAMES]
