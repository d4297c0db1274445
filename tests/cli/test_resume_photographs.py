"""Photographs of 256 pixels: a killed training goes on to the bit, whatever it kept.

Accumulated gradients are state between two steps, and recomputed activations draw
nothing again. All processes get the processors of this one: with another number of
threads sums come in another order.
"""

import os
import random
import signal
import time

import pytest

from tests.cli.test_resume import Process, assert_same_run
from tests.runs import write_pairs

PRESETS = {
    "pix2pix_256": (),
    "cyclegan_256": ("--num-blocks", "2", "--pool-size", "3"),
}
NARROW = ("--filters", "4", "--discriminator-filters", "4", "--seed", "1")
TRAIN = (
    *("--accumulate", "2", "--recompute", "--batch-size", "1"),
    *("--epochs", "3", "--checkpoint-every", "1"),
)


def finish(*arguments):
    code, output, _ = Process(*arguments).end()
    assert code == 0, output


def kill(run, rng, *arguments):
    """Kills a training at a random moment; returns whether it was still going on."""
    process = Process(*arguments)
    process.wait_for_checkpoints(run, rng.randint(1, 4))
    time.sleep(rng.uniform(0, 0.3))
    code, output, _ = process.end(signal.SIGKILL)
    assert code in (0, -signal.SIGKILL), output
    return code == -signal.SIGKILL


@pytest.mark.large
@pytest.mark.parametrize("preset", PRESETS)
def test_killed_it_ends_as_if_it_had_not_been(preset, tmp_path):
    data = write_pairs(tmp_path / "data", count=9, size=286)
    flags = (preset, "--data", data, *PRESETS[preset], *NARROW, *TRAIN)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish("train", *flags, "--out", whole)
    seed = int.from_bytes(os.urandom(4), "big")
    rng, resume = random.Random(seed), ("train", "--resume", killed)
    assert kill(killed, rng, "train", *flags, "--out", killed), f"seed {seed}"
    if kill(killed, rng, *resume):
        finish(*resume)
    assert_same_run(whole, killed)
