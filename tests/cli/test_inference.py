"""Commands on many images: one trace, the last batch included, and few in memory."""

import tracemalloc

import numpy as np
import pytest

import tfgen as package
from tests.cli.conftest import tfgen
from tests.models import small
from tfgen.errors import UserError
from tfgen.evaluation import Subject
from tfgen.evaluation.likelihood import estimate
from tfgen.figures import pictures
from tfgen.inference import Endpoints

PARTS = ((256, 256), (512, 256), (600, 88))  # where one ends, and its size


def num_traces(function):
    return function.experimental_get_tracing_count()


def test_samples_of_any_number_are_of_one_trace(vae_run):
    endpoints = Endpoints(package.load(vae_run))
    images = endpoints.sample(600, seed=1)  # the last batch is smaller
    parts = [endpoints.sample(n, 1, start=n - size) for n, size in PARTS]
    np.testing.assert_array_equal(images, np.concatenate(parts))
    assert num_traces(endpoints.functions["sample"]) == 1


def test_encoding_and_likelihood_of_any_number_are_of_one_trace(vae_run):
    subject = Subject(package.Run(vae_run), num_samples=150)
    images = small.images(25, (28, 28, 1))
    batches = (images[:10], images[10:20], images[20:])  # 100 samples at a time
    found = estimate(subject, batches)
    again = estimate(subject, batches)
    np.testing.assert_array_equal(found.elbo, again.elbo)
    assert num_traces(subject.log_weights) == 1
    for batch in batches:
        subject.endpoints.run("encode", batch)
    assert num_traces(subject.endpoints.functions["encode"]) == 1


def test_sampling_holds_a_batch_of_images(vae_run):
    endpoints = Endpoints(package.load(vae_run))
    count = 2000
    endpoints.sample(1, seed=0)
    tracemalloc.start()
    pictures.tile_batches(endpoints.iterate_samples(count, seed=0), count)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    canvas, all_images = 3 * (56 + 2) ** 2 * 45**2, 4 * count * 28**2
    assert peak < canvas + 2 * all_images  # all at once: four times, in copies


def test_the_picture_of_samples_is_that_of_all_at_once(vae_run, tmp_path):
    out = tmp_path / "samples.png"
    assert tfgen("sample", vae_run, "--num", 300, "--seed", 5, "--out", out) == 0
    images = Endpoints(package.load(vae_run)).sample(300, seed=5)
    panels = {"300 samples, seed 5": pictures.tile(images)}
    other = pictures.save_picture(pictures.compose(panels), tmp_path / "other.png")
    assert out.read_bytes() == other.read_bytes()


def test_the_truncation_is_in_the_pictures_title_and_in_range(
    vae_run, tmp_path, monkeypatch, capsys
):
    titles, compose = [], pictures.compose
    monkeypatch.setattr(
        pictures, "compose", lambda x, *rest: titles.extend(x) or compose(x, *rest)
    )
    flags = ("--num", 4, "--out", tmp_path / "samples.png", "--truncation")
    assert tfgen("sample", vae_run, *flags, 0.7) == 0
    assert titles == ["4 samples, seed 0, truncation 0.7"]
    assert tfgen("sample", vae_run, *flags, 1.5) == 2
    assert "1.5 is not in the range" in capsys.readouterr().err
    with pytest.raises(UserError, match="truncation -1: it must be from 0 to 1"):
        package.Run(vae_run).sample(2, truncation=-1.0)
