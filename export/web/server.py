"""Serves a folder to this machine's browsers, with the headers that threads need."""

import functools
import http.server
import os
import pathlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

HOST = "127.0.0.1"


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of one folder; says nothing on stderr."""

    extensions_map: ClassVar[dict[str, str]] = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".wasm": "application/wasm",
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".tflite": "application/octet-stream",
        ".onnx": "application/octet-stream",
        ".npz": "application/octet-stream",
    }

    def end_headers(self) -> None:
        """Adds what makes the page cross-origin isolated: Wasm threads need it."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs nothing."""


def make_server(
    directory: str | os.PathLike[str], port: int = 0
) -> http.server.ThreadingHTTPServer:
    """Returns a server on 127.0.0.1; `serve_forever` runs it.

    Args:
        directory: The folder.
        port: 0 for one that is free.

    Raises:
        OSError: The port is taken.
    """
    folder = pathlib.Path(directory).expanduser()
    handler = functools.partial(_Handler, directory=str(folder))
    return http.server.ThreadingHTTPServer((HOST, port), handler)


@contextmanager
def serving(directory: str | os.PathLike[str]) -> Iterator[str]:
    """Serves a folder while the context is open; yields the address."""
    with make_server(directory) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
