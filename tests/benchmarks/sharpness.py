"""How sharp reconstructions and samples are, by what they are compared in.

    python -m tests.benchmarks.sharpness [--data openmoji,fashion_mnist] [--minutes 5]
    python -m tests.benchmarks.sharpness --means pixel,vaegan --seeds 1
    python -m tests.benchmarks.sharpness --quick

All rows have the same residual networks around 64 latents, or around 8x8 codes (7x7 at
28 pixels), a learning rate and batches of 64; each is trained for so many minutes,
without the tracing of its steps. Figures are of test images, at most 1,000:

- `PSNR` of reconstructions, dB, the mean over images;
- `sharpness`: the energy of gradients of reconstructions, over that of the images;
- `reconstructions`, `samples`: kernel distances to test images, of features of a fixed
  random network, times 1,000.

A finished run is a line of `--out`, and its pictures a file beside; what is there is
not run again. In the end the table is printed, and pictures of the same eight test
images are written. `--quick` takes 20 seconds, one seed and few images: its order says
nothing.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line does

import keras
import numpy as np

SHAPES = {"openmoji": (64, 3), "fashion_mnist": (28, 1), "mnist_5k": (28, 1)}
LATENT_DIM, FILTERS, BATCH_SIZE, LEARNING_RATE = 64, 16, 64, 5e-4
MOST_TRAIN, MOST_TEST, NUM_SHOWN = 20_000, 1000, 8
SCORES = ("psnr", "sharpness", "reconstructions", "samples")


def build_vae(images, labels, **parts):
    """Returns a VAE of Gaussian pixels, or with other parts."""
    import tfgen

    networks = build_networks(images.shape[1:], 2 * LATENT_DIM, LATENT_DIM)
    return tfgen.VAE(*networks, **{"likelihood": "gaussian", **parts})


def build_ms_ssim(images, labels):
    """Returns a VAE that is charged for what MS-SSIM misses."""
    return build_vae(images, labels, likelihood="ms_ssim")


def build_perceptual(images, labels):
    """Returns a VAE that is charged for distances of random features."""
    from tfgen.distributions import Perceptual

    return build_vae(images, labels, likelihood=Perceptual(weight=WEIGHT))


def build_classifier(images, labels):
    """Returns a VAE that is charged for distances in a classifier of the data."""
    from tfgen.distributions import Perceptual
    from tfgen.metrics import build_feature_network

    if labels is None:
        raise LookupError("the data have no labels")
    network = build_feature_network(images, labels)
    stages = [x.output for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    network = keras.Model(network.input, stages)
    return build_vae(images, labels, likelihood=Perceptual(network, weight=WEIGHT))


def build_vaegan(images, labels):
    """Returns a VAEGAN."""
    import tfgen

    shape = images.shape[1:]
    networks = build_networks(shape, 2 * LATENT_DIM, LATENT_DIM)
    discriminator = tfgen.networks.build_dcgan_discriminator(
        shape, filters=2 * FILTERS, with_features=True
    )
    return tfgen.VAEGAN(*networks, discriminator)


def build_vqvae(images, labels, quantizer):
    """Returns a VQVAE with its prior."""
    import tfgen

    shape = images.shape[1:]
    side, dim = shape[0] // (8 if shape[0] > 28 else 4), 4 if quantizer == "fsq" else 16
    networks = build_networks(shape, (side, side, dim), (side, side, dim))
    return tfgen.VQVAE(*networks, quantizer=quantizer, prior="transformer")


def build_networks(shape, encoded, decoded):
    """Returns the encoder and the decoder that all rows share."""
    from tfgen.networks import build_resnet_decoder, build_resnet_encoder

    return (
        build_resnet_encoder(shape, encoded, filters=FILTERS),
        build_resnet_decoder(decoded, shape, filters=FILTERS),
    )


WEIGHT = 10.0  # of distances of features
MEANS = {
    "pixel": build_vae,
    "ms_ssim": build_ms_ssim,
    "perceptual": build_perceptual,
    "classifier": build_classifier,
    "vaegan": build_vaegan,
    "vq": lambda images, labels: build_vqvae(images, labels, "vq"),
    "fsq": lambda images, labels: build_vqvae(images, labels, "fsq"),
}


class Clock(keras.callbacks.Callback):
    """Ends training after so many seconds; the first step, which traces, is free."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.start, self.steps = seconds, None, 0

    def on_train_batch_end(self, batch, logs=None):
        if self.start is None:
            self.start = time.perf_counter()
        else:
            self.steps += 1
        if time.perf_counter() - self.start > self.seconds:
            self.model.stop_training = True


def train(name, images, labels, seconds, seed):
    """Returns the model of a row that was trained for so long, and its steps."""
    keras.utils.set_random_seed(seed)
    model = MEANS[name](images, labels)
    if name == "vaegan":
        adams = (keras.optimizers.Adam(LEARNING_RATE, 0.5) for _ in range(2))
        model.compile(*adams)
    else:
        model.compile(keras.optimizers.Adam(LEARNING_RATE))
    clock = Clock(seconds)
    options = {"batch_size": BATCH_SIZE, "verbose": 0, "callbacks": [clock]}
    model.fit(images, epochs=10_000, **options)
    return model, clock.steps


def gradient_energy(images):
    """Returns the mean square of differences of neighbouring pixels."""
    down, right = np.diff(images, axis=1), np.diff(images, axis=2)
    return float(np.square(down).mean() + np.square(right).mean())


def score(model, test, network, seed):
    """Returns the figures of a model, and images to look at."""
    from tfgen import metrics

    starts = range(0, len(test), 100)
    parts = [np.asarray(model.reconstruct(test[i : i + 100])) for i in starts]
    reconstructed = np.concatenate(parts)
    counts = [len(part) for part in parts]
    drawn = [np.asarray(model.sample(n, seed=seed + i)) for i, n in enumerate(counts)]
    samples = np.concatenate(drawn)
    errors = np.square(reconstructed - test).mean(axis=(1, 2, 3))
    real, *made = (
        metrics.extract_features(x, network) for x in (test, reconstructed, samples)
    )
    distances = [1e3 * metrics.kernel_distance(real, x).value for x in made]
    psnr = float(np.mean(-10.0 * np.log10(np.maximum(errors, 1e-10))))
    sharpness = gradient_energy(reconstructed) / gradient_energy(test)
    figures = dict(zip(SCORES, (psnr, sharpness, *distances), strict=True))
    return figures, np.stack([reconstructed[:NUM_SHOWN], samples[:NUM_SHOWN]])


def load(data, data_dir, quick):
    """Returns training images, their labels or `None`, and test images."""
    from tfgen.data import load_array
    from tfgen.errors import UserError

    size, channels = SHAPES[data]
    options = {"image_size": size, "channels": channels, "data_dir": data_dir}
    num_train, num_test = (500, 50) if quick else (MOST_TRAIN, MOST_TEST)
    test = load_array(data, "test", num_test, **options)
    try:
        images, labels = load_array(data, "train", num_train, labels=True, **options)
    except UserError:
        images, labels = load_array(data, "train", num_train, **options), None
    return images, labels, test


def read(path):
    """Returns the finished runs of a file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.strip()]


def report(rows, tests, out):
    """Prints the table of each data set, and writes its pictures."""
    from tfgen.figures import pictures

    for data, test in tests.items():
        print(f"\n| {data} | steps | {' | '.join(SCORES)} |")
        print("|---" * (2 + len(SCORES)) + "|")
        panels = {"test images": pictures.tile(test[:NUM_SHOWN], NUM_SHOWN)}
        for name in MEANS:
            own = [r for r in rows if (r["data"], r["means"]) == (data, name)]
            if not own:
                continue
            cells = [f"{np.mean([r['steps'] for r in own]):.0f}"]
            for key in SCORES:
                values = [r[key] for r in own]
                cells.append(f"{np.mean(values):.3f} ± {np.std(values):.3f}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
            shown = np.load(picture_file(out, own[0])) / np.float32(255)
            both = np.concatenate(list(shown))
            panels[f"{name}, and its samples"] = pictures.tile(both, NUM_SHOWN)
        picture = pictures.compose(panels)
        print(pictures.save_picture(picture, out.with_name(f"{out.stem}_{data}.png")))


def picture_file(out, row):
    """Returns the path of a run's images."""
    return out.with_name(f"{out.stem}_{row['data']}_{row['means']}_{row['seed']}.npy")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="openmoji,fashion_mnist")
    parser.add_argument("--data-dir")
    parser.add_argument("--means", default=",".join(MEANS))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default="sharpness.jsonl")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.seeds = 1 / 3, 1

    from tfgen.metrics import build_random_features, compile_network

    tests = {}
    for data in options.data.split(","):
        images, labels, tests[data] = load(data, options.data_dir, options.quick)
        network = compile_network(build_random_features(images.shape[1:]))
        for seed in range(options.seeds):
            for name in options.means.split(","):
                key = {"data": data, "means": name, "seed": seed}
                key["minutes"] = options.minutes
                if any(key.items() <= row.items() for row in read(options.out)):
                    continue
                try:
                    model, steps = train(
                        name, images, labels, 60 * options.minutes, seed
                    )
                except LookupError as error:
                    print(f"{data} {name}: left out, {error}")
                    continue
                figures, shown = score(model, tests[data], network, seed)
                np.save(picture_file(options.out, key), np.uint8(255 * shown + 0.5))
                line = json.dumps({**key, "steps": steps, **figures})
                with options.out.open("a") as file:
                    file.write(line + "\n")
                print(line, flush=True)
                keras.backend.clear_session()
    rows = [r for r in read(options.out) if r["minutes"] == options.minutes]
    report(rows, tests, options.out)


if __name__ == "__main__":
    main()
