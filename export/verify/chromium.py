"""Drives a headless Chromium by its DevTools protocol, through a pipe.

One page, no driver program and no package: JSON messages that end in a zero byte, on
the descriptors 3 and 4 of the browser. https://chromedevtools.github.io/devtools-protocol
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from export.errors import ExportError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",  # it runs as root in containers, and only our page
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
# The browser reads descriptor 3 and writes 4.
_START = (
    "import os, sys\n"
    "r, w = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2]))\n"
    "r, w = (os.dup2(f, 50 + i) for i, f in enumerate((r, w)))\n"
    "os.dup2(r, 3); os.dup2(w, 4)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


def find_chromium() -> str | None:
    """Returns the path of a Chromium or Chrome on the PATH."""
    paths = [shutil.which(name) for name in _NAMES]
    return next((path for path in paths if path), None)


class Page:
    """The one page of a browser that `open_page` started.

    Attributes:
        events: All that the browser reported so far: requests, errors, messages.
    """

    def __init__(self, write: int, read: int):
        self._write = write
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.events: list[dict[str, Any]] = []
        self._number = 0
        self._session = ""
        threading.Thread(target=self._listen, args=(read,), daemon=True).start()

    def attach(self) -> None:
        """Opens the page, and asks for its requests, messages and errors."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, timeout: float = 60.0, **params: Any) -> dict[str, Any]:
        """Calls a method of the protocol.

        Raises:
            ExportError: The browser refuses, is gone, or does not answer in time.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        try:
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self._write, data) :]
            answer = self._wait(timeout)
        except OSError as error:
            raise ExportError(f"the browser is gone ({error})") from error
        if "error" in answer:
            raise ExportError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _wait(self, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            try:
                left = max(0.0, deadline - time.monotonic())
                answer = self._answers.get(timeout=left)
            except queue.Empty:
                raise ExportError(
                    f"no answer of the browser in {timeout:g} s"
                ) from None
            if answer is None:
                raise ExportError("the browser ended")
            if answer["id"] == self._number:  # older ones came too late
                return answer

    def _listen(self, read: int) -> None:
        rest = b""
        with open(read, "rb", buffering=0) as stream:
            while block := stream.read(2**16):
                *messages, rest = (rest + block).split(b"\0")
                for message in map(json.loads, messages):
                    if "id" in message:
                        self._answers.put(message)
                    else:
                        self.events.append(message)
        self._answers.put(None)

    def evaluate(self, script: str, timeout: float = 60.0) -> Any:
        """Returns the value of a JavaScript expression; waits for a promise.

        Raises:
            ExportError: It throws. The message is the exception's.
        """
        answer = self.call(
            "Runtime.evaluate",
            timeout,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        if details := answer.get("exceptionDetails"):
            thrown = details.get("exception", {}).get("description", details["text"])
            raise ExportError(thrown.splitlines()[0])
        return answer["result"].get("value")

    def open(self, url: str, timeout: float = 60.0) -> None:
        """Loads the page at `url`, until its models are there.

        Raises:
            ExportError: It cannot be loaded, or says why its models cannot run.
        """
        answer = self.call("Page.navigate", timeout, url=url)
        if reason := answer.get("errorText"):
            raise ExportError(f"{url}: {reason}")
        there = f"[location.href, document.readyState] == '{url},complete'"
        deadline = time.monotonic() + timeout
        while not self.evaluate(there, timeout):
            if time.monotonic() > deadline:
                raise ExportError(f"{url}: not loaded in {timeout:g} s")
            time.sleep(0.02)
        if not self.evaluate("'tfgen' in window"):
            raise ExportError(f"{url}: the page's script does not start")
        self.evaluate("window.tfgen.ready", timeout)


@contextlib.contextmanager
def open_page(*flags: str) -> Iterator[Page]:
    """Starts a headless Chromium with a profile of its own; ends it afterwards.

    Args:
        flags: Of the program, beside those that every page needs, such as
            `--disable-gpu`.

    Raises:
        ExportError: There is none on the PATH, or it does not start.
    """
    program = find_chromium()
    if program is None:
        raise ExportError(
            "no browser on the PATH: install Chromium (Debian: apt install chromium)"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        reads, write = os.pipe()
        read, writes = os.pipe()
        command = [sys.executable, "-S", "-c", _START, str(reads), str(writes)]
        command += [program, *_FLAGS, *flags, f"--user-data-dir={profile}"]
        browser = subprocess.Popen(
            command,
            pass_fds=(reads, writes),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(reads)
        os.close(writes)
        try:
            page = Page(write, read)
            page.attach()
            yield page
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            os.close(write)
