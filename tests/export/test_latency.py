"""Timing: what is measured, how often, and what happens to what cannot run."""

import time

import numpy as np
import pytest

from export.verify import latency
from export.verify.latency import Latency


def sleeper(name, seconds):
    return Latency("run", name, "float32", 1), lambda: lambda: time.sleep(seconds)


def test_medians_and_high_percentiles_of_interleaved_rounds():
    calls = []

    def recorder(name, seconds):
        def call():
            calls.append(name)
            time.sleep(seconds)

        return Latency("run", name, "float32", 1), lambda: call

    figures = latency.run([recorder("slow", 0.02), recorder("quick", 0.002)], 0.5)
    slow, quick = figures
    assert slow.median_ms >= 20
    assert 2 <= quick.median_ms < slow.median_ms
    assert slow.p95_ms >= slow.median_ms
    assert slow.runs == quick.runs > 5
    rounds = calls[6:]  # after three calls each to warm up
    assert all(set(rounds[i : i + 2]) == {"slow", "quick"} for i in range(0, 10, 2))
    assert len({tuple(rounds[i : i + 2]) for i in range(0, len(rounds), 2)}) == 2


def test_each_runs_five_times_however_slow():
    (figure,) = latency.run([sleeper("slow", 0.01)], 0.0)
    assert figure.runs == 5


@pytest.mark.parametrize("when", ["prepared", "called"])
def test_what_cannot_run_says_why(when):
    def broken():
        raise ValueError("needs Flex\nand more")

    variant = broken if when == "prepared" else lambda: broken
    label = Latency("run", "broken", "float32", 1)
    fine, failed = latency.run([(label, variant), sleeper("fine", 0.0)], 0.0)
    assert fine.runs == 5
    assert failed.problem == "ValueError: needs Flex"
    assert failed.median_ms is None


def test_every_form_of_an_endpoint(shipped):
    images = np.zeros((2, 8, 8, 1), "float32")
    content = shipped.tflite.read_bytes()
    figures = latency.measure(
        "encode",
        {"images": images},
        shipped.model,
        shipped.version,
        {"float32": content},
        seconds=0.1,
    )
    assert not [figure.problem for figure in figures if figure.problem]
    threads = latency.count_cores()
    assert [(f.runtime, f.quantization, f.threads) for f in figures] == [
        ("Keras predict", "float32", threads),
        ("Keras litert export", "dynamic_int8", 1),
        ("Keras litert export", "dynamic_int8", 2),
        ("SavedModel", "float32", threads),
        ("LiteRT", "float32", 1),
        ("LiteRT", "float32", 2),
    ]
    medians = {f.runtime: f.median_ms for f in figures}
    assert medians["Keras predict"] > medians["SavedModel"] > medians["LiteRT"]
