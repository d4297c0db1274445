"""Starts real workers on free ports of this machine, and waits for them."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[2]
TFGEN = (sys.executable, "-c", "import sys, tfgen.cli; tfgen.cli.main(sys.argv[1:])")


def start(commands):
    """Starts one worker a command; returns the processes."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(len(commands))]
    processes = []
    for index, command in enumerate(commands):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(config),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(ROOT),
        }
        processes.append(
            subprocess.Popen(
                [str(part) for part in command],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return processes


def finish(processes, seconds=500):
    """Waits for all; returns their exit codes and what they wrote."""
    deadline = time.monotonic() + seconds
    try:
        outputs = [
            process.communicate(timeout=max(0.1, deadline - time.monotonic()))[0]
            for process in processes
        ]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], outputs


def run(commands):
    """Starts workers and expects that all succeed; returns what they wrote."""
    codes, outputs = finish(start(commands))
    assert codes == [0] * len(codes), "\n".join(outputs)
    return outputs


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]
    finally:
        for free in sockets:
            free.close()
