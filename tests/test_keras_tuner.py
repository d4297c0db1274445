"""The README's search with KerasTuner, as it stands there."""

import pathlib
import re

import keras
import numpy as np
import pytest

README = pathlib.Path(__file__).parents[1] / "README.md"


@pytest.mark.large
def test_readme_example_finds_the_best_of_its_trials(tmp_path, monkeypatch):
    pytest.importorskip("keras_tuner", reason="needs keras-tuner: tfgen[tune]")
    (code,) = re.findall(
        r"```python\n(import keras_tuner\n.*?)```", README.read_text(), re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "example"}
    exec(compile(code, str(README), "exec"), names)

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
