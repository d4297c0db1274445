"""The search with KerasTuner, as it stands in a README."""

import pathlib
import re

import keras
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.large
def test_readme_example_finds_the_best_of_its_trials(tmp_path, monkeypatch):
    pytest.importorskip("keras_tuner", reason="needs keras-tuner: tfgen[tune]")
    files = [ROOT / "README.md", *ROOT.glob("tfgen/*/README.md")]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    code, *_ = re.findall(r"```python\n(import keras_tuner\n.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "example"}
    exec(compile(code, "README.md", "exec"), names)

    trials = list(names["tuner"].oracle.trials.values())
    assert len(trials) == 3
    assert len({tuple(trial.hyperparameters.values.items()) for trial in trials}) == 3
    scores = [trial.score for trial in trials]
    assert np.isfinite(scores).all()
    best = trials[int(np.argmin(scores))]
    loaded = keras.saving.load_model("best.keras")
    assert loaded.latent_dim == best.hyperparameters["latent_dim"]
    figures = loaded.evaluate(names["digits"], return_dict=True, verbose=0)
    np.testing.assert_allclose(figures["loss"], best.score, rtol=1e-5)
