"""CPU seconds of the commands that a person waits for, beside TensorFlow's import.

    python tests/benchmarks/commands.py [--rounds 3] [--only WORD]

Each command is a process of its own, in a temporary folder; rounds are interleaved in
random order. The table gives the median of user and system time, the range, the
median above that of `import tensorflow` in the same round, and the time on the clock.
On one core the CPU time is what the clock says on an idle machine; two cores take less.
"""

import argparse
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

IMPORT = "import tensorflow"
COMMANDS = {
    IMPORT: None,
    "tfgen --help": ("--help",),
    "tfgen list": ("list",),
    "tfgen show vae_mnist_5k": ("show", "vae_mnist_5k"),
    "tfgen check, a damaged folder": ("check", "damaged"),
    "tfgen demo, what is not there": ("demo", "nothing", "--out", "page"),
    "tfgen sample vae_mnist_5k": ("sample", "vae_mnist_5k", "--out", "samples.png"),
    "tfgen sample dcgan_mnist_5k": ("sample", "dcgan_mnist_5k", "--out", "gan.png"),
    "tfgen reconstruct vae_mnist_5k": ("reconstruct", "vae_mnist_5k", "--out", "r.png"),
    "tfgen traverse vae_mnist_5k": ("traverse", "vae_mnist_5k", "--out", "t.png"),
}


def prepare(folder):
    """Writes a damaged export."""
    damaged = pathlib.Path(folder, "damaged")
    damaged.mkdir()
    (damaged / "report.json").write_text("{")


def measure(name, folder):
    """Returns the CPU seconds and the seconds on the clock of a command."""
    arguments = COMMANDS[name]
    script = "import tensorflow"
    if arguments is not None:
        script = f"import tfgen.cli; tfgen.cli.main({list(arguments)})"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode and ", " not in name:  # mistakes are named so
        sys.exit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="commands with this in their name")
    options = parser.parse_args()
    names = [name for name in COMMANDS if options.only in name or name == IMPORT]
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        for _ in range(options.rounds):
            figures = {}
            for name in random.sample(names, len(names)):
                figures[name] = measure(name, folder)
            rounds.append(figures)
    print(f"{'CPU seconds':32}  median (range)       above import   clock")
    for name in names:
        cpu = [figures[name][0] for figures in rounds]
        above = statistics.median(f[name][0] - f[IMPORT][0] for f in rounds)
        clock = statistics.median(figures[name][1] for figures in rounds)
        print(
            f"{name:32}{statistics.median(cpu):8.2f} ({min(cpu):.2f} to {max(cpu):.2f})"
            f"{above:12.2f}{clock:12.2f}"
        )


if __name__ == "__main__":
    main()
