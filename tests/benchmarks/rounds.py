"""Shared by training benchmarks: a clock of epochs, and rounds of processes."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

_FLAGS = ("f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16")


def add_cpu_flag(parser):
    """Adds `--cpu`: other jobs take time from the wall clock, not from this one's."""
    parser.add_argument(
        "--cpu", action="store_true", help="seconds of CPU time, where other jobs run"
    )


class EpochClock:
    """Tells when the time is over, and counts epochs without the first.

    Args:
        seconds: Of the epochs that are counted.
        cpu: Whether they are of CPU time of all threads: with one core, the time that
            an idle machine takes.
    """

    def __init__(self, seconds, cpu=False):
        self.seconds = seconds
        self.now = time.process_time if cpu else time.perf_counter
        self.starts = []

    def __call__(self):
        """Notes that an epoch starts; returns whether the time is over."""
        self.starts.append(self.now())
        starts = self.starts
        return len(starts) > 2 and starts[-1] - starts[1] > self.seconds

    def rate(self, num_images):
        """Returns the images per second, of epochs of so many."""
        return (len(self.starts) - 2) * num_images / (self.starts[-1] - self.starts[1])


def run_round(script, model_name, variants, seconds, arguments=()):
    """Measures every variant once, in random order, each in its own process."""
    rates = {}
    for variant in random.sample(variants, len(variants)):
        command = [sys.executable, script, model_name, "--worker", variant]
        command += ["--seconds", str(seconds), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        rates[variant] = float(done.stdout.split()[-1])
    return {variant: rates[variant] for variant in variants}


def has_bfloat16():
    """Returns whether the processor multiplies in bfloat16; others emulate it."""
    return bool({"avx512_bf16", "amx_bf16"} & _processor()[1])


def describe_machine():
    """Returns lines: processor with the flags that matter, GPUs, and the versions."""
    import importlib.metadata

    name, supported = _processor()
    flags = [f"{flag} {'yes' if flag in supported else 'no'}" for flag in _FLAGS]
    num_threads = len(os.sched_getaffinity(0))
    versions = []
    for package in ("tensorflow", "tensorflow-cpu", "keras", "torch"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    processor = f"{name}, {num_threads} threads; {', '.join(flags)}"
    return [processor, *_gpus(), ", ".join(versions)]


def resident(peak=False):
    """Returns this process's memory in MB, now or at its peak."""
    status = Path("/proc/self/status").read_text()
    name = "VmHWM" if peak else "VmRSS"
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024


def _gpus():
    """Returns a line for each of NVIDIA's."""
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def _processor():
    """Returns its name and its flags."""
    file = Path("/proc/cpuinfo")
    info = file.read_text() if file.exists() else ""
    name = re.search(r"model name\s*:\s*(.*)", info)
    flags = re.search(r"flags\s*:(.*)", info)
    return name[1] if name else "unknown", set(flags[1].split() if flags else ())
