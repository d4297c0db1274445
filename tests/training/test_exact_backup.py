"""Resuming, to the bit (of each model: the contracts), and damage to the files."""

import contextlib
import os
import resource
import shutil
import signal

import keras
import numpy as np
import pytest

from tests import contracts
from tests.models import small
from tests.models.test_contracts import make_vae
from tfgen.callbacks import FiniteGuard, NotFiniteError
from tfgen.errors import UserError
from tfgen.training import ExactBackup, TrainingStopped, stop_signals
from tfgen.training import state as callback_state
from tfgen.training.checkpoints import ARRAYS, STATE, CheckpointStore

make_model = make_vae()
NUM_STEPS = 3  # an epoch: 20 images in batches of 8


@pytest.fixture(autouse=True)
def _interruptible():
    """Programs that a script starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if stop_signals.installed():  # by a `fit` that an exception left
        stop_signals.installed().restore()
    signal.signal(signal.SIGINT, before)


def fit(model, callbacks=(), epochs=3, images=None, **kwargs):
    data = contracts.dataset(small.images() if images is None else images)
    options = {"validation_data": data, "verbose": 0, **kwargs}
    return model.fit(data, epochs=epochs, callbacks=[*callbacks], **options)


def backed_up(path, epochs=2, model=None, **kwargs):
    """Trains some epochs with a checkpoint every step; returns the model."""
    model = model or make_model()
    fit(model, [ExactBackup(path, **{"every": 1, "keep": 9, **kwargs})], epochs)
    return model


def names(path):
    return [p.name for p in reversed(CheckpointStore(path).paths())]


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    """Checkpoints of a training of two epochs, one an epoch, and its model."""
    path = tmp_path_factory.mktemp("two_epochs")
    return path, backed_up(path, every=None)


@pytest.fixture
def two_checkpoints(two_epochs, tmp_path):
    """A copy of those checkpoints, to be damaged."""
    return shutil.copytree(two_epochs[0], tmp_path / "checkpoints")


class At(keras.callbacks.Callback):
    """Does something after a step of training, or of validation, counted from 1."""

    def __init__(self, step, action, event="train"):
        super().__init__()
        self.step, self.action, self.event, self.seen = step, action, event, 0

    def _count(self, event):
        self.seen += event == self.event
        if event == self.event and self.seen == self.step:
            self.action()

    def on_train_batch_end(self, batch, logs=None):
        self._count("train")

    def on_test_batch_end(self, batch, logs=None):
        self._count("test")


# ---- Which are kept, and what they say ---------------------------------------------


def test_checkpoints_are_named_by_step_and_epoch(tmp_path):
    backed_up(tmp_path, every=2)
    assert names(tmp_path) == [
        "step_00000002_epoch_0000",
        "step_00000003_epoch_0001",
        "step_00000004_epoch_0001",
        "step_00000006_epoch_0001",  # before the validation of the second epoch
        "step_00000006_epoch_0002",
    ]
    backup = ExactBackup(tmp_path)
    assert (backup.initial_epoch, backup.initial_step) == (2, 0)


def test_by_default_epochs_are_kept_and_only_the_newest(tmp_path):
    backed_up(tmp_path, epochs=5, every=None, keep=2)
    assert names(tmp_path) == ["step_00000012_epoch_0004", "step_00000015_epoch_0005"]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_epoch_is_kept_too(tmp_path, mode):
    losses = [3.0, 1.0, 4.0, 2.0]

    class Score(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["score"] = losses[epoch]

    backup = ExactBackup(tmp_path, keep=1, monitor="score", mode=mode)
    fit(make_model(), [Score(), backup], epochs=4)
    best = {"min": 2, "max": 3}[mode]
    assert [int(name[-4:]) for name in names(tmp_path)] == [best, 4]


def test_an_unknown_figure_to_choose_by_is_named_after_saving(tmp_path):
    backup = ExactBackup(tmp_path, monitor="val_elbo_")
    with pytest.raises(UserError, match=r"no `val_elbo_`.*val_loss"):
        fit(make_model(), [backup])
    assert backup.newest.is_dir()


# ---- What is restored --------------------------------------------------------------


@pytest.mark.large
@pytest.mark.parametrize("num_events", [4, 7])
def test_resume_with_several_steps_an_execution(tmp_path, num_events):
    def make():
        model = make_model()
        model.steps_per_execution = 2
        return model

    whole = make()
    history = fit(whole).history
    with contextlib.suppress(contracts.Killed):
        killed = [contracts.KillAfter(num_events), ExactBackup(tmp_path, every=1)]
        fit(make(), killed)
    model = make()
    assert fit(model, [ExactBackup(tmp_path)]).history == history
    contracts.assert_same_state(whole, model)


def test_any_keras_model_and_the_callbacks_of_keras_resume(tmp_path):
    """Dropout's random state, compiled metrics, a plateau, and the best weights."""

    def train(directory, killed_after=None):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,))
        hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(8, "relu")(inputs))
        model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
        model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
        callbacks = [
            keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=0.05),
            keras.callbacks.EarlyStopping("val_mae", patience=4, verbose=0),
            keras.callbacks.EarlyStopping(
                "val_loss", patience=9, restore_best_weights=True
            ),
        ]
        if killed_after:
            callbacks.append(contracts.KillAfter(killed_after))
        callbacks.append(ExactBackup(directory, every=3, callbacks=callbacks))
        x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
        y = x.sum(-1, keepdims=True)
        data = contracts.dataset(x, y)
        history = None
        with contextlib.suppress(contracts.Killed):
            history = model.fit(
                data, validation_data=data, epochs=12, verbose=0, callbacks=callbacks
            )
        rate = float(model.optimizer.learning_rate)
        return model.get_weights(), history and history.history, rate

    weights, history, rate = train(tmp_path / "whole")
    assert rate < 0.05  # the plateau was met, or this would prove less
    train(tmp_path / "killed", killed_after=33)
    train(tmp_path / "killed", killed_after=41)
    resumed, resumed_history, resumed_rate = train(tmp_path / "killed")
    assert resumed_history == history
    assert resumed_rate == rate
    for one, other in zip(weights, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_steps_per_epoch_is_refused(tmp_path):
    """Its epochs end amid a pass over the data, where nothing could go on exactly."""
    with pytest.raises(UserError, match=r"steps_per_epoch.*dataset\.take"):
        fit(make_model(), [ExactBackup(tmp_path)], steps_per_epoch=2)
    assert not names(tmp_path)


@pytest.mark.large
def test_other_steps_of_an_execution_are_exact_or_refused(tmp_path):
    """Within an epoch from a step that they begin at; from an epoch's end always."""
    whole = make_model()
    fit(whole)
    with contextlib.suppress(contracts.Killed):
        fit(make_model(), [contracts.KillAfter(8), ExactBackup(tmp_path, every=1)])
    backup = ExactBackup(tmp_path)
    assert (backup.initial_epoch, backup.initial_step) == (1, 1)
    model = make_model()
    model.steps_per_execution = 2
    with pytest.raises(UserError, match=r"after 1 steps.*of before, 1"):
        fit(model, [backup])
    fit(make_model(), [ExactBackup(tmp_path)], epochs=2)
    model = make_model()
    model.steps_per_execution = 2
    fit(model, [ExactBackup(tmp_path)])
    contracts.assert_same_state(whole, model)


def test_another_number_of_batches_is_refused_within_an_epoch(tmp_path):
    with contextlib.suppress(contracts.Killed):
        fit(make_model(), [contracts.KillAfter(8), ExactBackup(tmp_path, every=1)])
    images = small.images(44)
    with pytest.raises(UserError, match="epoch of 3 steps; the data make 6 now"):
        fit(make_model(), [ExactBackup(tmp_path)], images=images)


def test_a_finished_training_is_left_as_it_is(two_epochs):
    path, model = two_epochs
    again = make_model()
    fit(again, [ExactBackup(path)], epochs=2)
    contracts.assert_same_state(model, again)


def test_a_second_fit_starts_at_its_own_epoch(tmp_path):
    backed_up(tmp_path, epochs=1)
    model, backup = make_model(), ExactBackup(tmp_path)
    fit(model, [backup], epochs=2)
    assert fit(model, [backup], epochs=2).epoch == [0, 1]
    assert ExactBackup(tmp_path).newest.name == "step_00000012_epoch_0002"


def test_the_checkpoint_of_another_model_is_refused(two_epochs):
    other = make_vae(conv=True)()
    with pytest.raises(UserError, match="belongs to another model"):
        fit(other, [ExactBackup(two_epochs[0])])


# ---- Damage ------------------------------------------------------------------------


def truncate(file):
    file.write_bytes(file.read_bytes()[:-7])


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def change_position(file):
    file.write_text(file.read_text().replace('"step": 0', '"step": 1'))


DAMAGES = {
    "arrays_flipped": (ARRAYS, flip),
    "arrays_truncated": (ARRAYS, truncate),
    "arrays_missing": (ARRAYS, os.unlink),
    "state_truncated": (STATE, truncate),
    "state_changed": (STATE, change_position),
    "state_missing": (STATE, os.unlink),
    "state_empty": (STATE, lambda file: file.write_text("[]")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    two_checkpoints, damage
):
    newest, before = CheckpointStore(two_checkpoints).paths()
    name, spoil = DAMAGES[damage]
    spoil(newest / name)
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        backup = ExactBackup(two_checkpoints)
    assert backup.newest == before
    assert backup.initial_epoch == 1


def test_a_damaged_checkpoint_is_written_anew(two_epochs, two_checkpoints):
    newest, _ = CheckpointStore(two_checkpoints).paths()
    flip(newest / ARRAYS)
    with pytest.warns(UserWarning, match="is damaged"):
        backup = ExactBackup(two_checkpoints)
    model = make_model()
    fit(model, [backup], epochs=2)
    contracts.assert_same_state(two_epochs[1], model)
    assert ExactBackup(two_checkpoints).newest == newest


def test_what_was_being_written_is_never_loaded(two_checkpoints):
    newest = CheckpointStore(two_checkpoints).paths()[0]
    partial = two_checkpoints / ".partial_step_00000099_epoch_0009"
    shutil.copytree(newest, partial)
    backup = ExactBackup(two_checkpoints)
    assert backup.newest == newest
    fit(make_model(), [backup], epochs=2)
    assert not partial.exists()


def test_all_damaged_is_none(two_checkpoints):
    for path in CheckpointStore(two_checkpoints).paths():
        truncate(path / ARRAYS)
    with pytest.warns(UserWarning, match="is damaged"):
        backup = ExactBackup(two_checkpoints)
    assert (backup.newest, backup.initial_epoch, backup.initial_step) == (None, 0, 0)


@contextlib.contextmanager
def no_space_above(num_bytes):
    """Lets no file of this process grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("num_bytes", [0, 20_000])
def test_a_full_disk_stops_with_a_message_and_leaves_the_last_good_one(
    two_checkpoints, num_bytes
):
    good = CheckpointStore(two_checkpoints).paths()[0]
    before = sorted(two_checkpoints.iterdir())
    with no_space_above(num_bytes), pytest.raises(UserError) as error:
        fit(make_model(), [ExactBackup(two_checkpoints)])
    assert "could not be written" in str(error.value)
    assert f"the last good one is {good}" in str(error.value)
    assert sorted(two_checkpoints.iterdir()) == before
    assert ExactBackup(two_checkpoints).newest == good


# ---- Signals -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "step", "event"),
    [
        pytest.param(signal.SIGINT, 2, "train", marks=pytest.mark.large),
        pytest.param(signal.SIGTERM, 5, "train", marks=pytest.mark.large),
        (signal.SIGINT, 4, "test"),
    ],
)
def test_a_signal_saves_and_stops(tmp_path, number, step, event):
    whole = make_model()
    history = fit(whole).history
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    stop = At(step, lambda: os.kill(os.getpid(), number), event)
    backup = ExactBackup(tmp_path)
    with pytest.raises(TrainingStopped) as stopped:
        fit(make_model(), [stop, backup])
    assert stopped.value.signal_number == number
    assert stopped.value.checkpoint == backup.newest
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == (
        handlers
    )
    resumed = ExactBackup(tmp_path)
    position = {2: (0, 2), 5: (1, 2), 4: (1, 3)}[step]
    assert (resumed.initial_epoch, resumed.initial_step) == position
    model = make_model()
    assert fit(model, [resumed]).history == history
    contracts.assert_same_state(whole, model)


def test_before_the_first_step_a_signal_stops_at_once(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)
            self.model.train_function = None  # it would fail if it were called

    with pytest.raises(TrainingStopped) as stopped:
        fit(make_model(), [Stop(), ExactBackup(tmp_path)])
    assert stopped.value.checkpoint is None


def test_a_signal_waits_for_the_step_under_way(tmp_path):
    """Even where all is saved: an exception amid it may be TensorFlow's end."""

    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingStopped):
        fit(make_model(), [Stop(), ExactBackup(tmp_path, every=1)])
    assert ExactBackup(tmp_path).initial_step == 3


def test_after_an_exception_signals_act_as_ever(tmp_path):
    with pytest.raises(contracts.Killed):
        fit(make_model(), [contracts.KillAfter(2), ExactBackup(tmp_path)])
    with pytest.raises(KeyboardInterrupt) as stopped:
        os.kill(os.getpid(), signal.SIGINT)
    assert not isinstance(stopped.value, TrainingStopped)


def test_a_second_signal_acts_at_once(tmp_path):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as stopped:
        fit(make_model(), [At(2, twice), ExactBackup(tmp_path)])
    assert not isinstance(stopped.value, TrainingStopped)


# ---- Divergence --------------------------------------------------------------------


def poison(model):
    weight = model.trainable_weights[0]
    weight.assign(weight + np.nan)


@pytest.mark.parametrize(
    ("size", "where"), [(1, "step 2"), (2, "steps 1 to 2"), (9, "steps 1 to 3")]
)
def test_the_guard_names_figure_step_and_epoch(tmp_path, size, where):
    model = make_model()
    model.steps_per_execution = size
    images = small.images()
    images[8:16] = np.nan
    backup = ExactBackup(tmp_path, every=1)
    with pytest.raises(NotFiniteError, match=f"is nan at {where} of epoch 1"):
        fit(model, [FiniteGuard(), backup], images=images)
    assert (backup.newest is not None) == (size == 1)


def test_weights_that_are_not_finite_never_replace_good_ones(tmp_path):
    model = make_model()
    backup = ExactBackup(tmp_path, every=1)
    step = At(4, lambda: poison(model))
    with pytest.raises(NotFiniteError, match=r"weights of .* are not finite"):
        fit(model, [step, backup])
    assert backup.newest.name == "step_00000003_epoch_0001"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"every": 0}, "`every`"), ({"keep": 0}, "`keep`")],
)
def test_mistakes(tmp_path, arguments, said):
    with pytest.raises(UserError, match=said):
        ExactBackup(tmp_path, **arguments)


def test_states_of_callbacks_survive_the_files():
    class Some:
        pass

    callback = Some()
    values = {
        "wait": 3,
        "best": np.float32(0.1),
        "name": "x",
        "nothing": None,
        "array": np.arange(3, dtype="int16"),
        "best_weights": [np.full((index + 1,), index) for index in range(12)],
        "pairs": [(1, 2)],
    }
    vars(callback).update(values, monitor_op=np.less, _private=1, params={})
    state = callback_state
    plain, arrays = state.split(state.get_state(callback), "callback_1_")
    others = {"callback_10_array": np.zeros(1), "variable_0": np.zeros(2)}
    joined = state.join(plain, {**others, **arrays}, "callback_1_")
    assert joined.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(
            joined[name], value
        ) if name != "best_weights" else (
            [
                np.testing.assert_array_equal(a, b)
                for a, b in zip(joined[name], value, strict=True)
            ]
        )
