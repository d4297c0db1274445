"""What a photograph takes, of the whole command: reads /proc, so it needs Linux."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfgen.presets import get_preset
from tfgen.training.settings import preset_config

if not pathlib.Path("/proc/self/status").exists():
    pytest.skip("no /proc", allow_module_level=True)


@pytest.mark.large
@pytest.mark.parametrize(
    "preset", ["pix2pix_openmoji_64", "pix2pix_256", "cyclegan_256"]
)
def test_a_photograph_of_12_megapixels_takes_less_than_a_gibibyte(preset, tmp_path):
    """Of which TensorFlow alone takes 0.6; the optimizer's moments are in the file."""
    source, out, run = tmp_path / "photo.jpg", tmp_path / "out.jpg", preset
    if preset.endswith("256"):  # untrained
        run = tmp_path / "run"
        run.mkdir()
        preset_config(get_preset(preset), {}, data="photos").write(run)
        file = str(run / "model.keras")
        run_python(f"import tfgen; tfgen.create_model({preset!r}).save({file!r})")
    blobs = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(blobs).resize((4000, 3000)).save(source)
    # Of this memory alone: what `wait4` tells has that of the process before too.
    peak = run_python(
        "import atexit, pathlib\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "atexit.register(lambda: print(status.read_text().split('VmHWM:')[1]))\n"
        "from tfgen.cli import main\n"
        "main()",
        *("translate", run, source, out),
    ).split()[1]
    with Image.open(out) as translated:
        assert translated.size == (4000, 3000)
    assert int(peak) < 2**20  # kibibytes


def run_python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
