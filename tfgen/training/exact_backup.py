"""Training that goes on, to the bit, where it was stopped or killed."""

import platform

import keras

from tfgen import _compat
from tfgen.errors import UserError
from tfgen.optimizers import find_optimizers
from tfgen.training import backup_checks as checks
from tfgen.training import state, stop_signals
from tfgen.training.checkpoints import CheckpointStore


class ExactBackup(keras.callbacks.Callback):
    """Writes checkpoints, and resumes `fit` from the newest that is whole.

    Run the same program again after it was killed, and the weights at its end are those
    of a run that nothing interrupted. A checkpoint holds the weights and every
    optimizer's state (iterations, slots, loss scale), random states, running means of
    the metrics, the history, the state of other callbacks, and the position in the
    data. Of the epoch that was interrupted, batches that were trained on are read
    again and passed over.

    So the data must come in the same order again, and begin with the epoch that `fit`
    begins with: data sets of `tfgen.data` do with `initial_epoch`.

    So that this is exact, `fit` may not be called with `steps_per_epoch`, and goes on
    within an epoch with a `steps_per_execution` that divides the steps that were taken.

    SIGINT (Ctrl-C), SIGTERM and SIGHUP save after the step under way and raise
    `TrainingStopped`; a second one acts at once, as if this callback were not there.

    Args:
        directory: Folder of the checkpoints, of this training alone.
        every: Integer, training steps between checkpoints; None for those at the end of
            epochs, which are always written.
        keep: Integer, how many of the newest are kept.
        monitor: Name in the logs of an epoch, such as `"val_loss"`: the best epoch's
            checkpoint is kept too.
        mode: `"min"` or `"max"`: what the best is.
        callbacks: The list given to `fit`, whose callbacks' state is saved too: public
            attributes that are numbers, texts or arrays and no arguments of the
            constructor, or what its `get_state()` returns and `set_state` takes. This
            callback should be the last of them.

    Attributes:
        initial_epoch: Integer, the epoch that `fit` will begin with.
        initial_step: Integer, the batches of it that were trained on already.
        newest: Folder of the newest checkpoint, or None.

    Raises:
        UserError: A checkpoint could not be written (a full disk), or belongs to
            another model; or resuming would not be exact. What was written before is
            left.

    Example:
        >>> backup = tfgen.training.ExactBackup("run/checkpoints", every=500)
        >>> images = tfgen.data.load_images(
        ...     "mnist_5k", initial_epoch=backup.initial_epoch
        ... )
        >>> model.fit(images, epochs=10, shuffle=False, callbacks=[backup])
    """

    def __init__(
        self,
        directory,
        every=None,
        keep=3,
        monitor=None,
        mode="min",
        callbacks=(),
    ):
        super().__init__()
        if every is not None and every < 1:
            raise UserError(f"`every` must be at least 1 step. Received: {every}")
        self.store = CheckpointStore(directory, keep, mode if monitor else None)
        self.every = every
        self.monitor = monitor
        self.callbacks = callbacks
        self._resumed = self.store.newest()
        values = self._resumed.state if self._resumed else {}
        self.newest = self._resumed.path if self._resumed else None
        self.initial_epoch = values.get("epoch", 0)
        self.initial_step = values.get("step", 0)
        self._total_steps = values.get("total_steps", 0)
        self._epoch, self._step = None, 0  # of a `fit` under way
        self._passed_over = 0  # batches of this epoch that were trained on before
        self._metrics = None  # those of the training steps, while evaluating
        self._at_checkpoint = True
        self._is_first_step = True  # of this `fit`: tracing it may take long
        self._signals = None

    # ---- What `fit` calls ---------------------------------------------------------

    def on_train_begin(self, logs=None):
        self.store.remove_partial()
        if self._resumed:
            self._load_weights()
            _compat.set_initial_epoch(self.model, self.initial_epoch)
        arguments = _compat.fit_arguments(self.model) or {}
        checks.refuse_steps_per_epoch(arguments.get("steps_per_epoch"))
        if self._resumed and self.initial_step:
            size = self.model.steps_per_execution
            checks.check_position(self._resumed, self.params.get("steps"), size)
        self._at_checkpoint = self._is_first_step = True
        if not _compat.in_multi_worker_mode(self.model.distribute_strategy):
            # Workers can only save together, and a signal reaches one of them: there it
            # ends the process, and the others stop because it is gone.
            self._signals = checks.take_signals()
            self._signals.act_in_fit(self.model, self._on_signal)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._step, self._passed_over = epoch, 0, 0
        _compat.set_initial_epoch(self.model, None)  # for the next `fit`
        if self._resumed and epoch == self.initial_epoch:
            self._resume_epoch()
        self._resumed = None

    def on_train_batch_end(self, batch, logs=None):
        self._is_first_step = False
        num_steps = self.params.get("steps") or batch + 1
        step = min(batch + 1, num_steps)  # the last execution may take fewer steps
        if step <= self._passed_over:
            return
        before = self._total_steps
        self._total_steps += step - max(self._step, self._passed_over)
        self._step = step
        self._at_checkpoint = False
        if self.every and before // self.every < self._total_steps // self.every:
            self._save()
        self._stop_if_asked()

    def on_test_begin(self, logs=None):
        if self._epoch is not None:  # `fit` evaluates with the same metrics
            self._metrics = checks.read(self._metric_variables())

    def on_test_batch_end(self, batch, logs=None):
        if self._epoch is not None:
            self._stop_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        self._metrics = None
        logs = {name: checks.plain(value) for name, value in (logs or {}).items()}
        history = self._history()
        for name, value in logs.items():  # Keras's own history comes after this
            history.setdefault(name, []).append(value)
        self._epoch, self._step = epoch + 1, 0
        self._save(history, logs.get(self.monitor))
        if self.monitor and self.monitor not in logs:
            raise UserError(
                f"the logs have no `{self.monitor}` to choose the best by, but "
                f"{', '.join(logs)}"
            )
        self._stop_if_asked()

    def on_train_end(self, logs=None):
        self._epoch = None
        if self._signals is not None:
            self._signals.act_in_fit(None, None)
            if not self._signals.ends_process:
                self._signals.restore()

    # ---- What a program may call --------------------------------------------------

    def begin_epoch_anew(self):
        """Makes `fit` begin with the first batch of the epoch: the data are others."""
        self.initial_step = 0

    def save(self):
        """Writes a checkpoint after an error of `fit`, if the state is exactly known.

        An execution of several steps may have been left amid them.
        """
        is_whole = self._epoch is not None and self.model.steps_per_execution == 1
        if is_whole and not self._at_checkpoint:
            self._save()

    # ---- Stopping -----------------------------------------------------------------

    def _on_signal(self):
        # Later an exception could come amid what TensorFlow does; a step is soon over.
        if self._is_first_step:
            self._stop()

    def _stop_if_asked(self):
        if self._signals is not None and self._signals.received is not None:
            if not self._at_checkpoint:
                self._save()
            self._stop()

    def _stop(self):
        self._epoch = None
        signals = self._signals
        error = stop_signals.TrainingStopped(signals.received, self.newest)
        raise signals.raising(error)

    # ---- Saving -------------------------------------------------------------------

    def _save(self, history=None, score=None):
        weights = checks.read(self._weights())
        checks.check_finite(self.model.weights, weights)
        groups = {
            "weight": weights,
            "random": checks.read(self._random_states()),
            "metric": self._metrics or checks.read(self._metric_variables()),
        }
        arrays = {
            f"{k}_{i}": v for k, group in groups.items() for i, v in enumerate(group)
        }
        states, callback_arrays = state.collect(self._other_callbacks())
        arrays |= callback_arrays
        values = {
            "epoch": self._epoch,
            "step": self._step,
            "total_steps": self._total_steps,
            "steps_per_epoch": self.params.get("steps"),
            "steps_per_execution": self.model.steps_per_execution,
            "history": history or self._history(),
            "score": score,
            "callbacks": states,
            "versions": {
                "keras": keras.__version__,
                "python": platform.python_version(),
            },
        }
        self.newest = self.store.write(values, arrays)
        self._at_checkpoint = True

    def _weights(self):
        """The weights, and what every optimizer keeps."""
        optimizers = find_optimizers(self.model)
        return [*self.model.weights, *(v for o in optimizers for v in o.variables)]

    def _random_states(self):
        saved = {id(v) for v in (*self._weights(), *self._metric_variables())}
        return [v for v in self.model.variables if id(v) not in saved]

    def _metric_variables(self):
        return [v for metric in self.model.metrics for v in metric.variables]

    def _history(self):
        """A copy, in numbers of Python: integers stay integers."""
        history = self.model.history.history if self.model.history else {}
        return {n: [checks.plain(v) for v in values] for n, values in history.items()}

    def _other_callbacks(self):
        return [callback for callback in self.callbacks if callback is not self]

    # ---- Resuming -----------------------------------------------------------------

    def _load_weights(self):
        optimizer = self.model.optimizer
        if optimizer is not None and not optimizer.built:  # it would have no slots yet
            optimizer.build(self.model.trainable_variables)
        self._resumed.assign("weight", self._weights())
        self._resumed.assign("random", self._random_states())

    def _resume_epoch(self):
        # Only now: `fit` resets metrics, and callbacks their state, when they begin.
        self._load_history(self._resumed.state["history"])
        saved = self._resumed.state["callbacks"]
        state.restore(self._other_callbacks(), saved, self._resumed.arrays)
        self._passed_over = self.initial_step
        if self._passed_over:
            self._pass_over(self._passed_over)

    def _load_history(self, history):
        if self.model.history:
            self.model.history.history = {k: [*v] for k, v in history.items()}
            self.model.history.epoch = list(range(self.initial_epoch))

    def _pass_over(self, num_steps):
        """Makes the next calls of Keras's training function read batches only."""
        left, checkpoint = num_steps, self._resumed

        def read(iterator):
            nonlocal left
            for _ in range(min(self.model.steps_per_execution, left)):
                batch = next(iterator)
                left -= 1
            if not left:
                self._load_metrics(checkpoint, batch)
                _compat.replace_train_function(self.model, train)
            return self.model.get_metrics_result()

        train = _compat.replace_train_function(self.model, read)

    def _load_metrics(self, checkpoint, batch):
        if len(self._metric_variables()) != len(checkpoint.group("metric")):
            # Those of `compile` make their variables when they first see a batch.
            self.model.test_on_batch(*keras.utils.unpack_x_y_sample_weight(batch))
        checkpoint.assign("metric", self._metric_variables())
