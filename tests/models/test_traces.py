"""A training step is traced once, whatever the batches and epochs."""

import pytest

from tests import contracts
from tests.models import small
from tests.models.test_contracts import MODELS, labels_of


def count_calls(model, name):
    """Counts how often Python runs a method: for a compiled one, how often traced."""
    calls, method = [], getattr(model, name)

    def counted(*args, **kwargs):
        calls.append(name)
        return method(*args, **kwargs)

    setattr(model, name, counted)
    return calls


@pytest.mark.parametrize("steps_per_execution", [1, 2])
@pytest.mark.parametrize("name", ["vae", "autoencoder", "gan", "pix2pix", "cyclegan"])
def test_fit_traces_each_step_once(name, steps_per_execution):
    model = MODELS[name]()
    model.steps_per_execution = steps_per_execution
    train, test = (count_calls(model, step) for step in ("train_step", "test_step"))
    data = contracts.dataset(small.images(20), labels_of(name))  # 8, 8 and 4
    model.fit(data, validation_data=data, epochs=3, verbose=0)
    model.fit(data, validation_data=data, epochs=2, verbose=0)
    assert (len(train), len(test)) == (1, 1)
