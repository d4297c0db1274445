"""Curves and plots: of a training, of scores, of latents."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tfgen.latent.density import latent_density
from tfgen.latent.directions import principal_components
from tfgen.latent.encoding import Encoding

_MAX_LEGEND = 40  # classes: more are numbered on a scale of colours
_MAX_VARIABLES = 16
_NUM_BINS = 30


def plot_curves(history: Mapping[str, Sequence[float]]) -> Image.Image:
    """Draws a small plot of each figure in a history, with that of validation.

    Args:
        history: `fit`'s: figure -> its value in each epoch, `val_` in front of those of
            validation.
    """
    names = [name for name in history if not name.startswith("val_")]
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(3.2 * columns, 2.2 * rows)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        for key, label in ((name, "train"), (f"val_{name}", "test")):
            if key in history:
                values = history[key]
                epochs = range(1, len(values) + 1)
                marker = "o" if len(values) == 1 else None  # no line joins it
                axes.plot(epochs, values, label=label, marker=marker)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.supxlabel("epoch", fontsize=8)
    return Image.fromarray(draw_figure(figure))


def plot_rocs(rocs: Mapping[str, Any]) -> Image.Image:
    """Draws receiver operating characteristics, with chance as a dashed line.

    Args:
        rocs: Score -> `tfgen.metrics.Roc`.
    """
    figure = new_figure(4.2, 3.6)
    axes = figure.add_subplot()
    for name, roc in rocs.items():
        label = f"{name.replace('_', ' ')}: {roc.auc:.3f}"
        axes.plot(roc.false_positive_rate, roc.true_positive_rate, label=label)
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1)
    axes.set_xlabel("share of usual images that are flagged", fontsize=8)
    axes.set_ylabel("share of anomalies that are flagged", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="lower right", title="area", title_fontsize=7)
    return Image.fromarray(draw_figure(figure))


def plot_truncation(
    curve: Sequence[tuple[float, float, float]], real: Sequence[float]
) -> Image.Image:
    """Draws precision against recall, a point a truncation.

    Args:
        curve: `(truncation, precision, recall)` of each point.
        real: Precision and recall of real images in place of samples.
    """
    truncations, precisions, recalls = zip(*curve, strict=True)
    figure = new_figure(4.2, 3.6)
    axes = figure.add_subplot()
    axes.plot(recalls, precisions, marker="o", label="samples, by truncation")
    style = {"textcoords": "offset points", "fontsize": 8}
    for truncation, *place in zip(truncations, recalls, precisions, strict=True):
        axes.annotate(f"{truncation:g}", place, (4, 4), **style)
    axes.plot(*real[::-1], "k*", markersize=10, label="real images")
    axes.set_xlim(min(*recalls, real[1]) - 0.1, 1.05)  # differences by chance are small
    axes.set_ylim(min(*precisions, real[0]) - 0.1, 1.05)
    axes.set_xlabel("recall: share of real images among samples", fontsize=8)
    axes.set_ylabel("precision: share of samples among real images", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    return Image.fromarray(draw_figure(figure))


def plot_projection(
    encoding: Encoding, names: tuple[str, ...]
) -> tuple[str, np.ndarray]:
    """Plots latents along their two principal components.

    Args:
        encoding: Of the images.
        names: Of the classes.

    Returns:
        A title, and an image `(height, width, 3)` uint8.
    """
    points, shares = principal_components(encoding.latents)
    figure = new_figure(7.0, 6.0)
    axes = figure.add_subplot()
    style = {"s": 9, "alpha": 0.7, "linewidths": 0}
    if encoding.classes is None:
        axes.scatter(*points.T, **style)
    elif len(names) > _MAX_LEGEND:
        drawn = axes.scatter(*points.T, c=encoding.classes, cmap="turbo", **style)
        figure.colorbar(drawn, label="class")
    else:
        colours = _colours(len(names))
        # All at once, in the order of the images, or a class would hide another.
        axes.scatter(*points.T, c=colours[encoding.classes], **style)
        for name, colour in zip(names, colours, strict=True):
            axes.scatter([], [], c=[colour], label=name)
        columns = math.ceil(len(names) / 20)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), ncols=columns, fontsize=8)
    axes.set_xlabel(f"first component, {shares[0]:.0%} of the variance", fontsize=8)
    axes.set_ylabel(f"second component, {shares[1]:.0%}", fontsize=8)
    title = f"{len(points)} test images, {shares.sum():.0%} of their latents' variance"
    return title, draw_figure(figure)


def plot_density(encoding: Encoding, seed: int) -> tuple[str, np.ndarray]:
    """Plots the density of the latent variables that matter most.

    Args:
        encoding: Of the images.
        seed: Integer, of the samples of a posterior.

    Returns:
        A title, and an image `(height, width, 3)` uint8.
    """
    values, title = encoding.latents, "density of latents"
    if encoding.stddev is not None:
        # The prior is that of samples: beside means alone it would look too wide.
        noise = np.random.default_rng(seed).standard_normal(values.shape)
        values, title = values + encoding.stddev * noise, "density of posterior samples"
        title += " (filled) and the prior"
    dims = np.argsort(-encoding.importance)[:_MAX_VARIABLES]
    columns = min(4, len(dims))
    rows = math.ceil(len(dims) / columns)
    figure = new_figure(2.4 * columns, 2.0 * rows)
    edges, densities = latent_density(values[:, dims], _NUM_BINS)
    for index, dim in enumerate(dims):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.stairs(densities[index], edges[index], fill=True, alpha=0.5)
        if encoding.stddev is not None:
            x = np.linspace(min(-3.0, edges[index, 0]), max(3.0, edges[index, -1]), 99)
            prior = np.exp(-np.square(x) / 2.0) / math.sqrt(2.0 * math.pi)
            axes.plot(x, prior, color="black", linewidth=1)
        name = f"latent {dim}: {encoding.importance[dim]:.2f} {encoding.unit}"
        axes.set_title(name, fontsize=8)
        axes.tick_params(labelsize=7)
    return title, draw_figure(figure)


def new_figure(width: float, height: float) -> Any:
    """Returns a matplotlib figure of a size in inches, of 100 pixels each.

    It does not need a screen, nor change `pyplot`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_figure(figure: Any) -> np.ndarray:
    """Returns a matplotlib figure as an image `(height, width, 3)` uint8."""
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]


def _colours(count: int) -> np.ndarray:
    """Returns `(count, 4)` colours, as different as so many can be."""
    import matplotlib

    if count <= 10:
        return np.array(matplotlib.colormaps["tab10"].colors[:count])
    return matplotlib.colormaps["turbo"](np.linspace(0.0, 1.0, count))
