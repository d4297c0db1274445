"""Draws how a GAN, and a VAE, carry noise in the plane to a ring and to a spiral.

    python -m tests.benchmarks.transformer [--out transformer.png] [--film walk.gif]

A generator is a map: it moves every point of the noise somewhere, and the density of
the data is what becomes of that of the noise. The picture shows a grid of latents
before and after, and the densities; the film moves the grid from where it was to where
it is carried. Prints which share of samples lies within 3 standard deviations of the
data's curve or modes.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from tests.benchmarks.gaussians import build_mlp

SCALE = 8.0  # images in [0, 1] are 8 wide
STDDEV = 0.1
NUM_SAMPLES = 20_000
LINES, FINE = np.linspace(-2.4, 2.4, 13), 400  # of the grid, and points on each


def draw_ring(count, rng):
    """Returns points of eight Gaussians on a circle: `(count, 2)`."""
    angles = 2.0 * np.pi * rng.integers(8, size=count) / 8
    centres = 2.2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return centres + STDDEV * rng.normal(size=(count, 2))


def draw_spiral(count, rng):
    """Returns points around one arm of an Archimedean spiral: `(count, 2)`."""
    turns = np.sqrt(rng.uniform(0.04, 1.0, size=count))  # about evenly along it
    return spiral(turns) + STDDEV * rng.normal(size=(count, 2))


def spiral(turns):
    angles = 3.5 * np.pi * turns
    return 2.8 * turns[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], 1)


def ring_distance(points):
    angles = 2.0 * np.pi * np.arange(8) / 8
    centres = 2.2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.linalg.norm(points[:, np.newaxis] - centres, axis=-1).min(axis=1)


def spiral_distance(points):
    curve = spiral(np.linspace(0.2, 1.0, 500))
    return np.linalg.norm(points[:, np.newaxis] - curve, axis=-1).min(axis=1)


TARGETS = {
    "ring of eight modes": (draw_ring, ring_distance),
    "spiral": (draw_spiral, spiral_distance),
}


def as_images(points):
    return (points / SCALE + 0.5).reshape(-1, 1, 2, 1).astype("float32")


def as_points(images):
    return (np.reshape(images, (-1, 2)) - 0.5) * SCALE


def train_gan(draw, options):
    import keras

    import tfgen

    keras.utils.set_random_seed(options.seed)
    half = SCALE / 2.0
    model = tfgen.GAN(
        build_mlp((2,), (1, 2, 1), options.units, (1.0, 1.0 / half)),
        build_mlp((1, 2, 1), (1,), options.units, (half, 1.0)),
        loss="relativistic",
        gradient_penalty="r1_r2",
        penalty_weight=0.05,
        ema_decay=0.999,
        seed=options.seed,
    )
    adams = [keras.optimizers.Adam(5e-4, beta_1=0.0, beta_2=0.99) for _ in range(2)]
    model.compile(*adams, steps_per_execution=100, jit_compile=True)
    return fit(model, draw, options)


def train_vae(draw, options):
    import keras

    import tfgen
    from tfgen.distributions import Gaussian

    keras.utils.set_random_seed(options.seed)
    model = tfgen.VAE(
        build_mlp((1, 2, 1), (4,), options.units, (SCALE, 1.0)),
        build_mlp((2,), (1, 2, 1), options.units, (1.0, 1.0 / SCALE), 0.5),
        likelihood=Gaussian(scale=options.vae_scale / SCALE),
        seed=options.seed,
    )
    adam = keras.optimizers.Adam(1e-3)
    model.compile(adam, steps_per_execution=100, jit_compile=True)
    return fit(model, draw, options)


def fit(model, draw, options):
    rng = np.random.default_rng(options.seed)
    images = as_images(draw(options.updates * options.batch_size, rng))
    model.fit(images, batch_size=options.batch_size, shuffle=False, verbose=0)
    return model


# ---- Pictures ------------------------------------------------------------------------


def grid():
    """Returns lines of latents `(2, lines, points, 2)`: upright ones, level ones."""
    fine = np.linspace(LINES[0], LINES[-1], FINE)
    upright = np.stack(np.meshgrid(LINES, fine, indexing="ij"), axis=-1)
    return np.stack([upright, upright[..., ::-1]])


def make_carrier(model, noise):
    """Returns a function: where a model takes latents `(..., 2)`.

    Noise that is turned is the same noise: it is turned so that latents go as little
    astray as they can (Procrustes), which a model has no reason to see to.
    """
    name = "generate" if hasattr(model, "generate") else "decode"
    endpoint = model.signatures()[name]

    def carry(latents):
        flat = (latents.reshape(-1, 2) @ turn).astype("float32")
        return as_points(endpoint(flat)["images"]).reshape(latents.shape)

    turn = np.eye(2)
    left, _, right = np.linalg.svd(noise.T @ carry(noise))
    turn = right.T @ left.T
    return carry


def draw_lines(axes, lines):
    import matplotlib

    for kind, name in zip(lines, ("viridis", "plasma"), strict=True):
        colours = matplotlib.colormaps[name](np.linspace(0.0, 0.9, len(kind)))
        for line, colour in zip(kind, colours, strict=True):
            axes.plot(*line.T, color=colour, linewidth=0.8)


def draw_density(axes, points):
    density, *_ = np.histogram2d(*points.T, bins=90, range=[LIMITS, LIMITS])
    density = np.ma.masked_equal(density, 0.0)
    axes.imshow(np.sqrt(density.T), cmap="magma_r", origin="lower", extent=2 * LIMITS)


LIMITS = (-3.3, 3.3)


def frame(axes, title="", xlabel="", ylabel=""):
    axes.set(xlim=LIMITS, ylim=LIMITS, aspect="equal", xticks=(-2, 0, 2))
    axes.set_yticks((-2, 0, 2))
    axes.tick_params(labelsize=6)
    axes.set_title(title, fontsize=8.5)
    axes.set_xlabel(xlabel, fontsize=7.5)
    axes.set_ylabel(ylabel, fontsize=7.5)


def write_share(axes, name, distances):
    share = np.mean(distances < 3.0 * STDDEV)
    print(f"{name}: {share:.1%} within 3 standard deviations")
    where = {"transform": axes.transAxes, "fontsize": 7.5, "ha": "right"}
    axes.text(0.97, 0.94, f"{share:.0%} near the data", **where)


def draw_picture(carriers, noise):
    """Returns a row a target: noise, data, and what GAN and VAE make of the noise."""
    from tfgen.figures import draw_figure, new_figure

    figure = new_figure(13.2, 5.0)
    axes = figure.subplots(2, 6)
    draw_lines(axes[0, 0], grid())
    frame(axes[0, 0], "noise z: a grid", "z₁", "z₂")
    draw_density(axes[1, 0], noise)
    frame(axes[1, 0], "its density, Normal(0, I)", "z₁", "z₂")
    for row, (target, (draw, distance)) in zip(axes, TARGETS.items(), strict=True):
        real = draw(NUM_SAMPLES, np.random.default_rng(1))
        write_share(row[1], f"{target}, data", distance(real))
        draw_density(row[1], real)
        frame(row[1], f"data: {target}", "x₁", "x₂")
        for column, kind in ((2, "GAN"), (4, "VAE")):
            carry = carriers[target, kind]
            draw_lines(row[column], carry(grid()))
            frame(row[column], f"{kind}: where the grid goes", "x₁")
            samples = carry(noise)
            write_share(row[column + 1], f"{target}, {kind}", distance(samples))
            draw_density(row[column + 1], samples)
            frame(row[column + 1], f"{kind}: density of samples", "x₁")
    return draw_figure(figure)


def draw_frames(carriers, noise, count=26, hold=6):
    """Returns frames of grid and noise on their way to where they are carried."""
    from tfgen.figures import draw_figure, new_figure

    lines, frames = grid(), []
    for moment in np.linspace(0.0, 1.0, count):
        part = moment * moment * (3.0 - 2.0 * moment)  # slow at both ends
        figure = new_figure(4.6, 4.7)
        for axes, ((target, kind), carry) in zip(
            figure.subplots(2, 2).ravel(), carriers.items(), strict=True
        ):
            points = (1.0 - part) * noise + part * carry(noise)
            axes.plot(*points.T, ".", color="0.6", markersize=1.0)
            draw_lines(axes, (1.0 - part) * lines + part * carry(lines))
            frame(axes, f"{kind}: {target}")
        frames.append(draw_figure(figure))
    return hold * frames[:1] + frames + 2 * hold * frames[-1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="transformer.png")
    parser.add_argument("--film", help="A .gif, .webp or .mp4 file.")
    parser.add_argument("--updates", type=int, default=6000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--vae-scale", type=float, default=STDDEV)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    from PIL import Image

    from tfgen.figures import films, pictures

    carriers = {}
    noise = np.random.default_rng(2).normal(size=(NUM_SAMPLES, 2))
    for target, (draw, _) in TARGETS.items():
        for kind, train in (("GAN", train_gan), ("VAE", train_vae)):
            start = time.perf_counter()
            carriers[target, kind] = make_carrier(train(draw, options), noise)
            print(f"{target}, {kind}: {time.perf_counter() - start:.0f} s")
    picture = Image.fromarray(draw_picture(carriers, noise))
    print(pictures.save_picture(picture, options.out))
    if options.film:
        print(films.save_film(draw_frames(carriers, noise[:1500]), options.film, 12.0))


if __name__ == "__main__":
    main()
