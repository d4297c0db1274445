"""What benchmarks of training share: a clock of epochs, and rounds of processes."""

import random
import subprocess
import sys
import time


class EpochClock:
    """Says when the time is over, and how many epochs the first one aside took it."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.starts = []

    def __call__(self):
        """Notes that an epoch starts; returns whether the time is over."""
        self.starts.append(time.perf_counter())
        starts = self.starts
        return len(starts) > 2 and starts[-1] - starts[1] > self.seconds

    def rate(self, num_images):
        """Returns the images per second, of epochs of so many."""
        return (len(self.starts) - 2) * num_images / (self.starts[-1] - self.starts[1])


def run_round(script, model_name, variants, seconds):
    """Measures every variant once, in random order, each in its own process."""
    rates = {}
    for variant in random.sample(variants, len(variants)):
        command = [sys.executable, script, model_name, "--worker", variant]
        command += ["--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        rates[variant] = float(done.stdout.split()[-1])
    return rates
