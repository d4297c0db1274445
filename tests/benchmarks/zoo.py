"""The zoo: weights and cards of trained presets, README's table and the gallery.

    python -m tests.benchmarks.zoo [PRESET ...] [--data-dir DIR]
    python -m tests.benchmarks.zoo PRESET --from RUN [--minutes M]
    python -m tests.benchmarks.zoo PRESET ... --retrain

Without a flag it measures the weights of the presets (of all, without a name) as their
cards say and fails if a figure differs beyond its error. `--from` packs a run that is
trained; `--retrain` trains first, with the command of the card or the preset's own.
Then README's table and `.github/images/zoo.png` are written from the cards.
"""

import argparse
import os
import pathlib
import platform
import shlex
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import dataclasses

import numpy as np

import tfgen
from tests.benchmarks import zoo_table
from tfgen.attributions import ATTRIBUTIONS
from tfgen.inference import Translator
from tfgen.presets import cards, get_preset, weights
from tfgen.training.config import write_json

ROOT = pathlib.Path(__file__).parent.parent.parent
LARGEST = 8 * 2**20  # bytes of one file
LIMITS = {
    "vae": "Samples are smoother than the data: a mean of pixels is drawn.",
    "autoencoder": "It has no prior: it reconstructs, and draws nothing of its own.",
    "gan": "It encodes no images, and a few samples are malformed.",
    "pix2pix": "It translates one way, images like those that it was trained on.",
    "cyclegan": "It was never shown a pair: colours may be exchanged.",
    "cut": "It was never shown a pair, and goes one way: colours may be exchanged.",
    "vqvae": (
        "Samples have the data's strokes, many of them their kinds; details are "
        "invented."
    ),
    # of one preset
    "vae_openmoji_64": (
        "Reconstructions can be named, samples seldom: they are soft shapes in emoji's "
        "colours."
    ),
    "dcgan_openmoji_64": "Shapes are drawn like emoji; a person can name few of them.",
    "colorize_openmoji_64": "It guesses: grey does not tell which colour a thing has.",
    "superres4_openmoji_64": "Strokes that are thinner than four pixels are guessed.",
    "inpaint_openmoji_64": "What nothing around a hole tells is filled with a blur.",
}
LICENCES = {  # of data whose builders name nobody
    "fashion_mnist": "Fashion-MNIST by Zalando Research (MIT)",
    "mnist": ATTRIBUTIONS["binary_mnist"],
    "sprites": "drawn by tfgen (Apache-2.0)",
}
NUM_PICTURED, NUM_STORED = 8, 16
OFFLINE = ("mnist_5k", "openmoji", "sprites")  # data that come with tfgen


def pack(name, run, minutes=None, data_dir=None):
    """Writes the weights and the card of a trained run of a preset."""
    run = pathlib.Path(run)
    source = run / "model.keras"
    config = tfgen.training.Config.read(run)
    if minutes is None:  # from the first file of the run to the last
        start = (run / "config.json").stat().st_mtime
        minutes = (source.stat().st_mtime - start) / 60
    cards.ZOO.mkdir(exist_ok=True)
    target = cards.ZOO / f"{name}.keras"
    original = evaluate(run, data_dir)
    for dtype in ("float16", "float32"):
        weights.pack(source, target, dtype)
        measured = evaluate(tfgen.load(target), data_dir, config)
        if not differing(original, measured):
            break
    if target.stat().st_size > LARGEST:
        raise SystemExit(f"{target} is larger than {LARGEST} bytes")
    card = describe(name, config, minutes, measured, dtype)
    write_json(card, cards.ZOO / f"{name}.json")
    add_edge_file(name, card)
    store_samples(name)


def evaluate(model_or_run, data_dir=None, config=None):
    """Returns figures as `tfgen evaluate` gives them, all that suit the model."""
    if config is not None:
        run = tfgen.Run.of(pathlib.Path("model.keras"), dataclasses.replace(config))
        vars(run)["model"] = model_or_run
    else:
        run = tfgen.Run(model_or_run)
    if run.config.data not in OFFLINE:
        run.config.data_dir = data_dir or run.config.data_dir
    figures = tfgen.evaluate(run).as_dict()
    figures.pop("commands", None)
    return figures


def differing(expected, actual):
    """Returns the names of figures that differ beyond their error, or by 2%."""
    names = []
    for key, value in flat(expected).items():
        if not isinstance(value, float) or key.endswith(("_error", "_floor")):
            continue
        error = flat(expected).get(f"{key}_error")
        allowed = max(2 * error if error else 0.0, 0.02 * abs(value), 1e-3)
        if abs(flat(actual).get(key, np.inf) - value) > allowed:
            names.append(key)
    return names


def flat(figures, prefix=""):
    values = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{key}/")
        else:
            values[f"{prefix}{key}"] = value
    return values


def describe(name, config, minutes, figures, dtype):
    """Returns a card, as far as the model is not exported."""
    preset, file = get_preset(name), cards.ZOO / f"{name}.keras"
    command = shlex.join(without_paths(config).arguments())
    family = preset.build.__module__.rpartition(".")[2]
    model = tfgen.load(file)
    return {
        "format": cards.FORMAT,
        "preset": name,
        "summary": preset.summary,
        "model": type(model).__name__,
        "paper": preset.paper,
        "data": {
            "name": config.data,
            "licence": config.attribution or LICENCES[config.data],
        }
        | config.data_record,
        "training": {
            "command": command,
            "seed": config.seed,
            "epochs": config.epochs,
            "minutes": round(minutes, 1),
            "machine": f"{processor()}, {os.cpu_count()} cores, with other jobs on it",
            "versions": config.versions,
        },
        "weights": {
            "file": file.name,
            "sha256": cards.hash_file(file),
            "bytes": file.stat().st_size,
            "dtype": dtype,
            "count": model.count_params(),
        },
        "evaluation": f"tfgen evaluate {name}",
        "headline": zoo_table.headline(figures, config.direction),
        "figures": figures,
        "limits": LIMITS.get(name, LIMITS[family]),
        "config": dataclasses.asdict(without_paths(config)),
    }


def without_paths(config):
    return dataclasses.replace(config, data_dir=None)


def processor():
    """Returns the processor's name, as Linux gives it."""
    path = pathlib.Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def add_edge_file(name, card):
    """Adds size and latency of the float32 .tflite file to a card."""
    with tempfile.TemporaryDirectory() as folder:
        run = tfgen.Run(name)
        options = {"formats": ("edge",), "latency_seconds": 1.0}
        entry = run.export(pathlib.Path(folder, "out"), **options)
    file = next(f for f in entry["files"] if f["format"] == "tflite")
    rows = [
        {key: row[key] for key in ("endpoint", "threads", "median_ms")}
        for row in entry["latency"]
        if row["runtime"] == "LiteRT" and not row["problem"]
    ]
    card["tflite"] = {"bytes": file["size_bytes"], "latency": rows}
    write_json(card, cards.ZOO / f"{name}.json")


def draw(name, count, data_dir=None, inputs=None):
    """Returns `count` images that show a preset: of `inputs`, where it translates."""
    run = tfgen.Run(name)
    if run.config.data not in OFFLINE:
        run = tfgen.Run(name, data_dir=data_dir)
    if run.kind != "images":
        inputs = inputs_of(run, count) if inputs is None else inputs
        direction = run.config.direction
        return np.asarray(Translator(run.endpoints, direction, 0)(inputs, direction))
    if "sample" in run.endpoints:
        return run.sample(count, seed=0)
    return run.reconstruct(count)[1]


def inputs_of(run, count):
    """Returns test images that a run translates."""
    return run.arrays("test", count)[0]


def store_samples(name):
    """Stores what the weights draw, for the test that they still do.

    Beside it lies what is translated, so that the test prepares no data set.
    """
    folder = ROOT / "tests" / "zoo"
    folder.mkdir(exist_ok=True)
    run, stored = tfgen.Run(name), {}
    if run.kind != "images":
        stored["inputs"] = to_bytes(inputs_of(run, NUM_STORED))
    elif run.config.data not in OFFLINE and "sample" not in run.endpoints:
        return
    stored["images"] = to_bytes(draw(name, NUM_STORED))
    np.savez_compressed(folder / f"{name}.npz", **stored)


def to_bytes(images):
    return np.uint8(np.round(255 * images))


def write_gallery(names, data_dir=None):
    """Writes the picture of all models, eight images each."""
    from tfgen.figures import pictures

    panels = {n: pictures.tile(draw(n, NUM_PICTURED, data_dir), 8) for n in names}
    owners = {cards.read_card(n)["data"]["licence"] for n in names} - {None}
    picture = pictures.compose(panels, "; ".join(sorted(owners)))
    pictures.save_picture(picture, ROOT / ".github" / "images" / "zoo.png")


def check(name, data_dir=None):
    """Exits unless the weights still give the card's figures."""
    run = tfgen.Run(name, data_dir=data_dir)
    figures = tfgen.evaluate(run).as_dict()
    if names := differing(cards.read_card(name)["figures"], figures):
        raise SystemExit(f"{name}: other figures than on the card: {', '.join(names)}")
    print(f"{name}: the card's figures")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", metavar="PRESET")
    parser.add_argument("--from", dest="run", help="pack this run")
    parser.add_argument("--minutes", type=float, help="how long the run took")
    parser.add_argument("--retrain", action="store_true", help="train first")
    parser.add_argument("--data-dir", help="where TFDS has its data sets")
    options = parser.parse_args()
    trained = tfgen.list_presets(trained=True)
    names = options.presets or trained
    if options.run and len(names) != 1:
        parser.error("--from packs the run of one preset")
    for name in names:
        if options.run:
            pack(name, options.run, options.minutes, options.data_dir)
        elif options.retrain:
            run = tfgen.train(name, data_dir=options.data_dir, verbose=2, log=print)
            pack(name, run.path, None, options.data_dir)
        else:
            check(name, options.data_dir)
    trained = tfgen.list_presets(trained=True)
    zoo_table.write(ROOT / "README.md", trained)
    write_gallery(trained, options.data_dir)


if __name__ == "__main__":
    main()
