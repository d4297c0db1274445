"""Publishes a run on the Hugging Face hub, or writes the same files into a folder."""

import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
from typing import Any

from tfgen.errors import UserError
from tfgen.evaluation.figure import format_figure
from tfgen.files import check_output_folder, replaced_folder
from tfgen.presets import cards, hub, weights
from tfgen.presets.words import card_lines
from tfgen.training.config import write_json
from tfgen.training.opening import open_run

_TASKS = {"images": "unconditional-image-generation"}


def push(run: Any, address: str | os.PathLike, overwrite: bool = False) -> str:
    """Publishes a model with its model card; `tfgen.load` reads it again.

    What is published: the weights without the optimizers' state, how they were made
    (without paths of this machine), the figures of `tfgen evaluate` if there are any,
    and a README.md.

    Args:
        run: As in `tfgen.evaluate`: a `Run`, its folder, a `.keras` file, a model, or
            the name of a trained preset.
        address: `"hf://USER/NAME"`, or a folder, which is written.
        overwrite: Whether a folder that this wrote before may be replaced.

    Returns:
        The address of the model's page, or the path of the folder.

    Raises:
        UserError: The hub cannot be reached or refuses, huggingface_hub is not
            installed, or the folder holds something else.
    """
    is_remote = hub.is_address(address)
    if is_remote:
        hub.parse(str(address))
    opened = open_run(run)
    if not is_remote:
        folder = check_output_folder(address, overwrite)
        with replaced_folder(folder) as temporary:
            _write(opened, temporary, folder.name)
        return str(folder)
    with tempfile.TemporaryDirectory() as temporary:
        _write(opened, pathlib.Path(temporary), str(address))
        return hub.upload(temporary, str(address))


def _write(run: Any, folder: pathlib.Path, address: str) -> None:
    target = folder / "model.keras"
    name = cards.preset_of(run.path)
    if name is not None:
        shutil.copyfile(cards.find_weights(name), target)
    else:
        whole = folder / "whole.keras"
        run.model.save(whole)
        weights.pack(whole, target)
        whole.unlink()
    write_json(dataclasses.asdict(_without_paths(run.config)), folder / "config.json")
    figures = _figures(run, name)
    if figures:
        write_json(figures, folder / "metrics.json")
    text = "\n".join(_model_card(run, name, figures, address))
    (folder / "README.md").write_text(text + "\n", encoding="utf-8")


def _without_paths(config: Any) -> Any:
    data, source = config.data, config.init_from
    if data is not None and os.path.isabs(data):
        data = None
    if source is not None and os.path.isabs(source):
        source = None
    record = {k: v for k, v in config.data_record.items() if k != "source" or data}
    return dataclasses.replace(
        config, data=data, data_dir=None, init_from=source, data_record=record
    )


def _figures(run: Any, name: str | None) -> dict[str, Any]:
    if name is not None:
        return dict(cards.read_card(name)["figures"])
    file = run.path / "metrics.json"
    if not file.is_file():
        return {}
    try:
        figures = dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{file} is damaged: tfgen evaluate {run.path}") from error
    figures.pop("commands", None)  # they have paths
    return figures


def _model_card(
    run: Any, name: str | None, figures: dict[str, Any], address: str
) -> list[str]:
    """Returns the lines of README.md, in the hub's format."""
    kind = type(run.model).__name__
    task = _TASKS.get(run.kind, "image-to-image")
    title = name or run.config.preset or kind
    source = address if hub.is_address(address) else "this folder"
    lines = [
        *("---", "library_name: keras", f"pipeline_tag: {task}", "tags:"),
        *("- tfgen", f"- {kind.lower()}", "license: other", "---", ""),
        *(f"# {title}", ""),
        *("```python", "import tfgen", "", f'model = tfgen.load("{source}")', "```"),
        "",
    ]
    if name is not None:
        rows = card_lines(cards.read_card(name))
    else:
        rows = [("model", f"tfgen.{kind}")]
        if run.config.preset is not None:
            words = _without_paths(run.config).arguments()
            rows.append(("command", f"`{' '.join(words)}`"))
        rows.append(("licence of the data", run.attribution or "not known"))
    lines += [f"- {key}: {text}" for key, text in rows]
    if figures:
        lines += ["", "| figure on the test set | value | floor |", "|---|---|---|"]
    for key, value in figures.items():
        if isinstance(value, float) and not key.endswith(("_error", "_floor")):
            shown = format_figure(value, figures.get(f"{key}_error"))
            floor = format_figure(figures.get(f"{key}_floor"))
            lines.append(f"| {key} | {shown} | {floor} |")
    return lines
