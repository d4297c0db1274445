"""Ctrl-C and SIGTERM as requests to stop at the next safe place."""

import signal
import threading

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(KeyboardInterrupt):
    """Training was asked to stop, and did after it had saved its state.

    Attributes:
        signal_number: `signal.SIGINT` or `signal.SIGTERM`.
        checkpoint: Folder of the newest checkpoint, or None.
    """

    def __init__(self, signal_number, checkpoint):
        name = signal.Signals(signal_number).name
        super().__init__(f"{name}: training stopped; its state is in {checkpoint}")
        self.signal_number = signal_number
        self.checkpoint = checkpoint


class StopSignals:
    """Notes the first SIGINT or SIGTERM in `fit`; a second one acts as ever.

    Attributes:
        received: The signal's number, or None.

    Args:
        on_signal: Function without arguments that is called when one arrives.
    """

    def __init__(self, on_signal):
        self.received = None
        self._on_signal = on_signal
        self._model = None
        self._handlers = {}

    def install(self, model):
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets no other thread do it
        self.received = None
        self._model = model
        for number in _SIGNALS:
            self._handlers[number] = signal.signal(number, self._note)

    def restore(self):
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def _note(self, number, frame):
        self.restore()
        if not _is_fitting(self._model, frame):  # it was left by an exception
            signal.raise_signal(number)
            return
        self.received = number
        self._on_signal()


def _is_fitting(model, frame):
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            return True
        frame = frame.f_back
    return False
