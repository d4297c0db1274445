"""The tour runs from its first cell to its last."""

import pathlib

import pytest

TOUR = pathlib.Path(__file__).parent / "tour.ipynb"


@pytest.mark.large
def test_the_tour_runs(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(TOUR, as_version=4)
    shown = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in shown), "store it with what its cells show"
    run = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3")
    run.execute(cwd=str(tmp_path))
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 5
    assert "ok" in "".join(output.get("text", "") for output in shown[-1].outputs)
