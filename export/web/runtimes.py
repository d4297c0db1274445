"""Finds what runs models in a browser: LiteRT.js, and ONNX Runtime Web.

Neither is part of this package. A copy is taken from a folder of npm packages, by `npm`
itself, or else the page loads LiteRT.js from a CDN, pinned by version and hashes.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from export.errors import ExportError

FOLDER = "web/runtime"
LITERT, ONNX = "2.5.3", "1.30.0"  # the versions that `npm` is asked for

_PINNED = pathlib.Path(__file__).parent / "cdn.json"
_INSTALL_SECONDS = 300
# Path in the exported folder's runtime -> path in a folder of npm packages.
_LITERT_FILES = {
    "litert/package.json": "@litertjs/core/package.json",
    "litert/core/index.js": "@litertjs/core/dist/index.js",
    "litert/wasm-utils/index.js": "@litertjs/wasm-utils/dist/index.js",
    **{
        f"litert/wasm/litert_wasm_{kind}internal.{end}": (
            f"@litertjs/core/wasm/litert_wasm_{kind}internal.{end}"
        )
        for kind in ("", "compat_", "jspi_", "threaded_")
        for end in ("js", "wasm")
    },
}
_ONNX_FILES = {
    "onnx/package.json": "onnxruntime-web/package.json",
    **{
        f"onnx/{name}": f"onnxruntime-web/dist/{name}"
        for name in (
            "ort.wasm.min.mjs",
            "ort-wasm-simd-threaded.mjs",
            "ort-wasm-simd-threaded.wasm",
        )
    },
}


@dataclasses.dataclass(frozen=True)
class Runtimes:
    """Where the runtimes of a page come from.

    Args:
        packages: A folder of npm packages (`node_modules`); None for the CDN.
        origin: Where that is, in words.
        folder: An exported folder that has its copies already, if any.
    """

    packages: pathlib.Path | None
    origin: str
    folder: pathlib.Path | None = None

    @classmethod
    def of_folder(cls, directory: pathlib.Path) -> "Runtimes":
        """Returns what an exported folder has a copy of; the CDN without one."""
        if (directory / FOLDER / "litert/core/index.js").is_file():
            return cls(None, "the folder's own copy", directory)
        return cls(None, read_cdn()["base"])

    def files(self) -> dict[str, pathlib.Path]:
        """Returns the files to copy, by their path below the folder's runtime."""
        if self.packages is None:
            return {}
        wanted = {**_LITERT_FILES, **_ONNX_FILES}
        sources = {path: self.packages / source for path, source in wanted.items()}
        return {path: file for path, file in sources.items() if file.is_file()}

    def describe(self) -> dict[str, Any]:
        """Returns the part of `models.json` that is about runtimes."""
        if self.folder is None:
            cdn = read_cdn()
            names = {
                path.rpartition("/")[2]: digest
                for path, digest in cdn["files"].items()
                if "/wasm/" in path
            }
            wasm = f"{cdn['base']}@litertjs/core@{cdn['version']}/wasm/"
            litert = {"version": cdn["version"], "wasm": wasm, "integrity": names}
            return {"litert": litert, "onnx": None}
        litert = {"version": self._version("litert"), "wasm": f"{FOLDER}/litert/wasm/"}
        onnx = None
        if (self.folder / FOLDER / "onnx/ort.wasm.min.mjs").is_file():
            module = f"{FOLDER}/onnx/ort.wasm.min.mjs"
            onnx = {"version": self._version("onnx"), "module": module}
        return {"litert": litert, "onnx": onnx}

    def import_map(self) -> dict[str, Any]:
        """Returns where the page's modules are, with the hashes of foreign ones."""
        if self.folder is not None:
            return {
                "imports": {
                    "@litertjs/core": f"./{FOLDER}/litert/core/index.js",
                    "@litertjs/wasm-utils": f"./{FOLDER}/litert/wasm-utils/index.js",
                }
            }
        cdn = read_cdn()
        imports, integrity = {}, {}
        for name in ("@litertjs/core", "@litertjs/wasm-utils"):
            url = f"{cdn['base']}{name}@{cdn['version']}/dist/index.js"
            imports[name] = url
            integrity[url] = cdn["files"][f"{name}/dist/index.js"]
        return {"imports": imports, "integrity": integrity}

    def hosts(self) -> list[str]:
        """Returns the origins that the page asks, beside its own."""
        if self.folder is not None:
            return []
        return ["/".join(read_cdn()["base"].split("/")[:3])]

    def _version(self, name: str) -> str:
        text = (self.folder / FOLDER / name / "package.json").read_text()
        return json.loads(text)["version"]


@contextlib.contextmanager
def find_runtimes(
    folder: str | os.PathLike[str] | None,
    with_onnx: bool,
    progress: Callable[[str], None],
) -> Iterator[Runtimes]:
    """Yields the runtimes that a page will use.

    Args:
        folder: Where `npm install @litertjs/core` was run, its `node_modules`, or None.
        with_onnx: Whether ONNX Runtime Web is wanted too.
        progress: Called with what is done.

    Raises:
        ExportError: `folder` has no `@litertjs/core`.
    """
    if folder is not None:
        packages = _packages_in(pathlib.Path(folder).expanduser())
        if packages is None:
            raise ExportError(
                f"{folder} has no node_modules/@litertjs/core: run npm install "
                f"@litertjs/core@{LITERT} there"
            )
        yield Runtimes(packages, str(folder))
        return
    paths = os.environ.get("NODE_PATH", "").split(os.pathsep)
    for path in [*filter(None, paths), "."]:
        if packages := _packages_in(pathlib.Path(path)):
            yield Runtimes(packages, str(packages))
            return
    if shutil.which("npm"):
        progress("npm install @litertjs/core")
        with tempfile.TemporaryDirectory() as scratch:
            if packages := _install(pathlib.Path(scratch), with_onnx):
                yield Runtimes(packages, "npm")
                return
    yield Runtimes(None, read_cdn()["base"])


def _packages_in(folder: pathlib.Path) -> pathlib.Path | None:
    for packages in (folder, folder / "node_modules"):
        if (packages / "@litertjs/core/package.json").is_file():
            return packages
    return None


def _install(scratch: pathlib.Path, with_onnx: bool) -> pathlib.Path | None:
    names = [f"@litertjs/core@{LITERT}"]
    names += [f"onnxruntime-web@{ONNX}"] if with_onnx else []
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
    command += ["--ignore-scripts", "--prefix", str(scratch), *names]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            command, check=False, capture_output=True, timeout=_INSTALL_SECONDS
        )
    return _packages_in(scratch)


def read_cdn() -> dict[str, Any]:
    """Returns the pinned version: `base`, `version`, and `files` with their hashes."""
    return json.loads(_PINNED.read_text())
