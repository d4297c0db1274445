"""Pictures of where images lie in latent space."""

import math

import numpy as np
import tensorflow_probability as tfp

from tfgen.figures import pictures
from tfgen.latent import latent_density, principal_components
from tfgen.latent.encoding import Encoding

_MAX_LEGEND = 40  # classes: more are numbered on a scale of colours
_MAX_VARIABLES = 16
_NUM_BINS = 30


def plot_projection(found: Encoding, names: tuple[str, ...]) -> tuple[str, np.ndarray]:
    """Returns a title, and the latents along their two principal components.

    Args:
        found: Of the images.
        names: Of the classes.
    """
    points, shares = principal_components(found.latents)
    figure = pictures.new_figure(7.0, 6.0)
    axes = figure.add_subplot()
    style = {"s": 9, "alpha": 0.7, "linewidths": 0}
    if found.classes is None:
        axes.scatter(*points.T, **style)
    elif len(names) > _MAX_LEGEND:
        drawn = axes.scatter(*points.T, c=found.classes, cmap="turbo", **style)
        figure.colorbar(drawn, label="class")
    else:
        colours = _colours(len(names))
        # All at once, in the order of the images: a class would hide another.
        axes.scatter(*points.T, c=colours[found.classes], **style)
        for name, colour in zip(names, colours, strict=True):
            axes.scatter([], [], c=[colour], label=name)
        columns = math.ceil(len(names) / 20)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), ncols=columns, fontsize=8)
    axes.set_xlabel(f"first component, {shares[0]:.0%} of the variance", fontsize=8)
    axes.set_ylabel(f"second component, {shares[1]:.0%}", fontsize=8)
    title = f"{len(points)} test images, {shares.sum():.0%} of their latents' variance"
    return title, pictures.draw_figure(figure)


def plot_density(found: Encoding, seed: int) -> tuple[str, np.ndarray]:
    """Returns a title, and the density of the variables that matter most.

    Args:
        found: Of the images.
        seed: Integer, of the samples of a posterior.
    """
    values, title = found.latents, "density of latents"
    if found.stddev is not None:
        # The prior is of samples: of means alone it would always look too wide.
        noise = np.random.default_rng(seed).standard_normal(values.shape)
        values, title = values + found.stddev * noise, "density of posterior samples"
        title += " (filled) and the prior"
    dims = np.argsort(-found.importance)[:_MAX_VARIABLES]
    columns = min(4, len(dims))
    rows = math.ceil(len(dims) / columns)
    figure = pictures.new_figure(2.4 * columns, 2.0 * rows)
    edges, densities = latent_density(values[:, dims], _NUM_BINS)
    for index, dim in enumerate(dims):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.stairs(densities[index], edges[index], fill=True, alpha=0.5)
        if found.stddev is not None:
            x = np.linspace(min(-3.0, edges[index, 0]), max(3.0, edges[index, -1]), 99)
            prior = tfp.distributions.Normal(np.float64(0.0), np.float64(1.0))
            axes.plot(x, prior.prob(x), color="black", linewidth=1)
        name = f"latent {dim}: {found.importance[dim]:.2f} {found.unit}"
        axes.set_title(name, fontsize=8)
        axes.tick_params(labelsize=7)
    return title, pictures.draw_figure(figure)


def _colours(count: int) -> np.ndarray:
    """Returns `(count, 4)` colours, as different as so many can be."""
    import matplotlib

    if count <= 10:
        return np.array(matplotlib.colormaps["tab10"].colors[:count])
    return matplotlib.colormaps["turbo"](np.linspace(0.0, 1.0, count))
