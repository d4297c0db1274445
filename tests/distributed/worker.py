"""One worker of test_models.py: `worker.py OUT FOLDER [MODEL ...]`.

It writes the rows that it was given of every step, and as the chief what training left
of each model.
"""

import json
import pathlib
import sys

import numpy as np

from tfgen.training.strategy import is_chief, make_strategy

BATCH_SIZE = 12  # two and three workers divide it
NUM_IMAGES = 2 * BATCH_SIZE
EPOCHS = 2


def record_rows(strategy, folder, out):
    from tfgen.data import load_images, loading

    index = strategy.cluster_resolver.task_id
    for storage, limit in (("memory", 2**30), ("stream", 0)):
        loading.IN_MEMORY_BYTES = limit
        batches = load_images(folder, batch_size=BATCH_SIZE, seed=3)
        batches = strategy.experimental_distribute_dataset(batches)
        steps = [
            strategy.experimental_local_results(batch)[0].numpy()
            for _ in range(EPOCHS)
            for batch in batches
        ]
        np.savez(out / f"{storage}_{index}.npz", *steps)


def fit(name, strategy):
    """Trains a model of the contracts; returns its state and history."""
    from tests import contracts
    from tests.models.test_contracts import MODELS

    with strategy.scope():
        model = MODELS[name]()
    data = make_data(name)
    history = model.fit(
        data, validation_data=data, epochs=EPOCHS, verbose=0, shuffle=False
    ).history
    return contracts.state(model), history


def make_data(name):
    import tensorflow as tf

    from tests import contracts
    from tests.models import small
    from tfgen.data.pipeline import dataset_options

    labels = small.targets if name.endswith(("pix2pix", "cyclegan")) else small.labels
    arrays = small.images(NUM_IMAGES), labels(NUM_IMAGES)
    data = contracts.dataset(*arrays, BATCH_SIZE)
    assert isinstance(data, tf.data.Dataset)
    return data.with_options(dataset_options())


def main(out, folder, *names):
    strategy = make_strategy("multi_worker")
    record_rows(strategy, folder, out)
    for name in names:
        state, history = fit(name, strategy)
        if is_chief("multi_worker"):
            np.savez(out / f"{name}.npz", *state)
            (out / f"{name}.json").write_text(json.dumps(history))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
