import csv
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

import tfgen
from tests.contracts import dataset
from tests.models import small
from tests.models.test_contracts import make_vae
from tfgen import callbacks
from tfgen.figures import pictures
from tfgen.training import ExactBackup


class Record(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(float(self.model.kl_weight))


def fit(model, epochs, *added):
    data = dataset(small.images(16))
    model.fit(data, epochs=epochs, verbose=0, callbacks=list(added))


def test_beta_warmup_is_linear_in_steps_and_then_beta():
    model, record = make_vae(beta=4.0)(), Record()
    fit(model, 3, callbacks.BetaWarmup(num_steps=4), record)
    np.testing.assert_allclose(record.weights, [0.0, 1.0, 2.0, 3.0, 4.0, 4.0])


def test_beta_warmup_goes_on_where_it_was(tmp_path):
    model, record = make_vae(beta=4.0)(), Record()
    fit(model, 1, callbacks.BetaWarmup(num_steps=4))
    model.save(tmp_path / "model.keras")
    loaded = tfgen.load(tmp_path / "model.keras")
    assert float(loaded.kl_weight) == 1.0
    fit(loaded, 1, callbacks.BetaWarmup(num_steps=4), record)
    np.testing.assert_allclose(record.weights, [2.0, 3.0])


def test_beta_warmup_changes_training_not_evaluation():
    warm, plain = make_vae(beta=4.0)(), make_vae(beta=4.0)()
    warm.kl_weight.assign(0.0)
    images = small.images(4)
    terms = warm.compute_terms(images, None, training=True)
    assert float(terms["loss"]) == pytest.approx(float(terms["reconstruction_loss"]))
    one = warm.evaluate(dataset(images), return_dict=True, verbose=0)
    assert one == plain.evaluate(dataset(images), return_dict=True, verbose=0)


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert callbacks.SampleGrid("~/a", None).directory == tmp_path / "a"
    assert callbacks.SaveModel("~/b.keras").path == tmp_path / "b.keras"
    assert callbacks.HistoryFile("~/c.csv").path == tmp_path / "c.csv"
    store = ExactBackup("~/d").store
    assert store.directory == tmp_path / "d"
    path = pictures.save_picture(Image.new("L", (1, 1)), "~/e/f.png")
    assert path == tmp_path / "e" / "f.png"


def test_beta_warmup_refuses_nonsense():
    with pytest.raises(ValueError, match="num_steps"):
        callbacks.BetaWarmup(0)


def test_latent_diagnostics_report_and_do_not_cry_wolf():
    model = make_vae(beta=0.01)()
    diagnostics = callbacks.LatentDiagnostics(small.images(16), patience=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message=".*shuffle=True.*")
        data = dataset(small.images(16))
        history = model.fit(data, epochs=60, verbose=0, callbacks=[diagnostics])
    assert history.history["active_units"][-1] >= 2
    assert diagnostics.kl_per_dim.shape == (small.LATENT_DIM,)
    total = model.evaluate(data, return_dict=True, verbose=0)["kl_loss"]
    assert diagnostics.kl_per_dim.sum() == pytest.approx(total, rel=1e-4)


@pytest.mark.large
def test_latent_diagnostics_warn_of_collapse():
    model = make_vae(beta=1000.0)()
    diagnostics = callbacks.LatentDiagnostics(small.images(16), patience=2)
    with pytest.warns(UserWarning, match=r"Posterior collapse: \d of 3"):
        fit(model, 60, diagnostics)
    assert diagnostics.kl_per_dim.max() < 0.1


def test_sample_grid_writes_a_picture_an_epoch(tmp_path):
    model = make_vae()()
    panels = lambda: {"samples": pictures.tile(np.asarray(model.sample(4, seed=0)))}
    fit(model, 2, callbacks.SampleGrid(tmp_path, panels, caption="made here"))
    one, two = (Image.open(tmp_path / f"epoch_000{i}.png") for i in (1, 2))
    assert one.size == two.size
    assert np.asarray(one).tolist() != np.asarray(two).tolist()


def test_history_has_each_figure_in_the_row_of_its_epoch(tmp_path):
    """Also where every second epoch is validated, and one is trained again."""
    path = tmp_path / "history.csv"
    history = callbacks.HistoryFile(path)
    for epoch in (0, 1, 2, 3, 2):  # resumed from the end of the second epoch
        logs = {"loss": 1.0 / (epoch + 3)}
        if epoch % 2:
            logs["val_loss"] = float(epoch)
        history.on_epoch_end(epoch, logs)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [row["val_loss"] for row in rows] == ["", "1.0", ""]
    assert [float(row["loss"]) for row in rows] == [1 / 3, 1 / 4, 1 / 5]


def test_save_model_survives_a_kill_in_the_middle(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    model = make_vae()()
    fit(model, 1, callbacks.SaveModel(path))
    kept = path.read_bytes()

    def die(self, file):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(type(model), "save", die)
    with pytest.raises(KeyboardInterrupt):
        fit(model, 1, callbacks.SaveModel(path))
    assert path.read_bytes() == kept
    assert int(tfgen.load(path).optimizer.iterations) == 2
