"""What the plots of latents show, read from matplotlib's axes; sprites of pixels."""

import matplotlib.backends.backend_agg
import numpy as np
import pytest

from tfgen import figures
from tfgen.figures import projector
from tfgen.latent.encoding import Encoding


@pytest.fixture
def plotted(monkeypatch):
    """The matplotlib figures that are drawn."""
    figures, canvas = [], matplotlib.backends.backend_agg.FigureCanvasAgg
    draw = canvas.draw
    monkeypatch.setattr(
        canvas, "draw", lambda self: figures.append(self.figure) or draw(self)
    )
    return figures


def make_encoding(count=500, dim=3, stddev=0.5, classes=None):
    rng = np.random.default_rng(0)
    means = rng.normal(size=(count, dim)) * np.sqrt(1 - stddev**2)
    spread = None if stddev == 0 else np.full_like(means, stddev)
    kl = np.arange(dim) / dim
    centre = np.zeros(dim)
    return Encoding(means, spread, classes, None, kl, "nats", centre, centre + 1)


def test_posterior_samples_are_drawn_beside_the_prior(plotted):
    """Here they are of the prior, though the means alone are not."""
    title, image = figures.plot_density(make_encoding(20_000), seed=1)
    assert "prior" in title
    assert image.std() > 0
    axes = plotted[0].axes
    assert [a.get_title() for a in axes] == [
        f"latent {i}: {i / 3:.2f} nats" for i in (2, 1, 0)
    ]
    for one in axes:
        (stairs,), (line,) = one.patches, one.lines
        densities, edges, _ = stairs.get_data()
        middles = (edges[1:] + edges[:-1]) / 2
        prior = np.interp(middles, *line.get_data())
        np.testing.assert_allclose(densities, prior, atol=0.03)


def test_no_prior_where_there_is_none_and_at_most_16_variables(plotted):
    title, _ = figures.plot_density(make_encoding(dim=20, stddev=0), seed=0)
    assert "prior" not in title
    assert len(plotted[0].axes) == 16
    assert plotted[0].axes[0].get_title().startswith("latent 19:")
    assert not any(axes.lines for axes in plotted[0].axes)


def test_classes_have_colours_and_names(plotted):
    classes = np.arange(500) % 12
    names = tuple(f"name {i}" for i in range(12))
    encoding = make_encoding(dim=1, classes=classes)
    title, _ = figures.plot_projection(encoding, names)
    assert "100% of their" in title
    (axes,) = plotted[0].axes
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == list(names)
    colours = axes.collections[0].get_facecolors()
    assert len(np.unique(colours, axis=0)) == 12
    named = axes.collections[4].get_facecolors()[0]
    np.testing.assert_allclose(colours[3, :3], named[:3])  # but for the opacity


def test_many_classes_are_on_a_scale(plotted):
    encoding = make_encoding(classes=np.arange(500) % 100)
    figures.plot_projection(encoding, tuple(map(str, range(100))))
    assert len(plotted[0].axes) == 2
    assert plotted[0].axes[0].get_legend() is None


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sprites_that_do_not_fit_are_smaller(channels):
    """Three a row and a column, of 13 pixels each where 28 would be too large."""
    batches = np.linspace(0, 1, 8 * 28 * 28 * channels).reshape(2, 4, 28, 28, channels)
    sprite, size = projector.draw_sprite(batches, 8, most=40)
    assert size == (13, 13)
    assert sprite.size == (39, 39)
    brightness = np.asarray(sprite).mean(axis=-1)
    rows = brightness.reshape(3, 13, 3, 13).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(rows[:8], 255 * (np.arange(8) + 0.5) / 8, atol=3)
    assert rows[8] == 0
    whole, size = projector.draw_sprite(batches, 8)
    assert size == (28, 28)
    first = np.asarray(whole)[:28, :28, 0] / 255
    np.testing.assert_allclose(first, batches[0, 0, ..., 0], atol=0.003)
