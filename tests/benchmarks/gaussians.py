"""A grid of 100 Gaussians: how many a GAN finds, by live and by averaged weights.

    python -m tests.benchmarks.gaussians [--updates 7000] [--seeds 5]

An update takes about 6 ms of one core at the defaults; 100 run in one call of a graph.
XLA (`jit_compile=True`) was not faster: of 256 units it took twice as long.

The modes lie on a 10 x 10 grid of spacing 1, with a standard deviation of 0.03. A mode
counts with 10 or more of 20,000 samples within 3 standard deviations; the share of all
samples that are within so much of a mode is printed beside.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SIDE, STDDEV, SCALE = 10, 0.03, 12.0  # images in [0, 1] are 12 wide
NUM_SAMPLES, LEAST, LATENT_DIM = 20_000, 10, 16


def draw_points(count, rng):
    """Returns points of the grid as images `(count, 1, 2, 1)`."""
    points = rng.integers(SIDE, size=(count, 2)) - (SIDE - 1) / 2
    points = points + STDDEV * rng.normal(size=(count, 2))
    return (points / SCALE + 0.5).reshape(count, 1, 2, 1).astype("float32")


def count_modes(images):
    """Returns how many modes count, and the share of points within 3 deviations."""
    points = (np.reshape(images, (-1, 2)) - 0.5) * SCALE + (SIDE - 1) / 2
    nearest = np.clip(np.round(points), 0, SIDE - 1).astype(int)
    is_near = np.linalg.norm(points - nearest, axis=1) < 3.0 * STDDEV
    modes = nearest[is_near] @ [SIDE, 1]
    counts = np.bincount(modes, minlength=SIDE**2)
    return int((counts >= LEAST).sum()), float(is_near.mean())


def build_mlp(input_shape, output_shape, units, scales=(1.0, 1.0), centre=0.0):
    """Returns a network of three hidden layers.

    Args:
        input_shape, output_shape: Of one example.
        units: Integer, of a hidden layer.
        scales: What inputs and outputs are multiplied by.
        centre: Float, added to outputs.
    """
    import keras

    inputs = features = keras.Input(input_shape)
    features = keras.layers.Rescaling(scales[0])(keras.layers.Flatten()(features))
    for _ in range(3):
        features = keras.layers.Dense(units, "leaky_relu")(features)
    features = keras.layers.Dense(int(np.prod(output_shape)))(features)
    outputs = keras.layers.Reshape(output_shape)(features)
    return keras.Model(inputs, keras.layers.Rescaling(scales[1], centre)(outputs))


def train(seed, options):
    """Returns the trained GAN; its networks see the grid's own coordinates."""
    import keras

    import tfgen

    keras.utils.set_random_seed(seed)
    half = SCALE / 2.0
    model = tfgen.GAN(
        build_mlp((LATENT_DIM,), (1, 2, 1), options.units, (1.0, 1.0 / half)),
        build_mlp((1, 2, 1), (1,), options.units, (half, 1.0)),
        loss=options.loss,
        gradient_penalty=options.gradient_penalty,
        penalty_weight=options.penalty_weight,
        ema_decay=0.999,
        seed=seed,
    )
    rate = tfgen.LinearDecay(options.learning_rate, options.updates)
    adams = (keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99) for _ in range(2))
    model.compile(*adams, steps_per_execution=100, jit_compile=False)
    rng = np.random.default_rng(seed)
    images = draw_points(options.updates * options.batch_size, rng)
    model.fit(images, batch_size=options.batch_size, verbose=0)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=7000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--loss", default="relativistic")
    parser.add_argument("--gradient-penalty", default="r1_r2")
    parser.add_argument("--penalty-weight", type=float, default=0.01)
    options = parser.parse_args()
    for seed in range(options.seeds):
        start = time.perf_counter()
        model = train(seed, options)
        minutes = (time.perf_counter() - start) / 60
        averaged = count_modes(model.sample(NUM_SAMPLES, seed=seed).numpy())
        model.ema_generator.set_weights(model.generator.get_weights())
        live = count_modes(model.sample(NUM_SAMPLES, seed=seed).numpy())
        words = (
            f"{modes} of 100, {100 * share:.1f} %" for modes, share in (live, averaged)
        )
        print(
            f"seed {seed}: live {{}}; averaged {{}}; {minutes:.1f} min".format(*words)
        )


if __name__ == "__main__":
    main()
