"""SIGINT (Ctrl-C), SIGTERM and SIGHUP as requests to stop, none of which is lost.

The handler notes the signal and acts: it raises `Stopped` or, while `fit` runs, calls
what a callback has put there. An exception of a handler can get lost where it happens
to be raised: in C++ that clears Python's errors (TensorFlow's `Flatten`), or in an
`except` of a library. So a timer checks whether the exception still propagates, and
acts again if it does not. While TensorFlow's own Python runs, which its C++ may have
called, the exception waits for a better moment, a second at most: one of about forty
such exceptions was seen to end in a crash.
"""

import os
import signal
import socket
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

from tfgen._compat import fit_arguments

_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]
_RETRY_SECONDS = 0.5
_WAIT_SECONDS, _MOST_WAITS = 0.02, 50

_installed: "StopSignals | None" = None


class Stopped(KeyboardInterrupt):
    """The process was asked to stop.

    Attributes:
        signal_number: Such as `signal.SIGINT`.
    """

    def __init__(self, signal_number: int, message: str | None = None) -> None:
        name = signal.Signals(signal_number).name
        super().__init__(message or f"stopped by {name}")
        self.signal_number = signal_number


class TrainingStopped(Stopped):
    """Training was asked to stop, and did after it had saved its state.

    Attributes:
        signal_number: Such as `signal.SIGINT`.
        checkpoint: Folder of the newest checkpoint, or None.
    """

    def __init__(self, signal_number: int, checkpoint: Any) -> None:
        name = signal.Signals(signal_number).name
        message = f"{name}: training stopped; its state is in {checkpoint}"
        super().__init__(signal_number, message)
        self.checkpoint = checkpoint


class StopSignals:
    """Notes the first signal; a second one acts as if this object were not there.

    Signals that the process ignores (`nohup`, a shell's background) stay ignored. In
    other threads than the main one it does nothing: Python lets no other thread handle
    signals.

    Args:
        ends_process: Whether a second signal ends the process at once, by its default
            action, rather than go to the handlers of before.

    Attributes:
        received: The signal's number, or None.
    """

    def __init__(self, ends_process: bool = False) -> None:
        self.received: int | None = None
        self.ends_process = ends_process
        self._model: Any = None
        self._action: Callable[[], None] | None = None
        self._raised: Callable[[], Any] | None = None
        self._waits = 0
        self._handlers: dict[int, Any] = {}
        self._writer: socket.socket | None = None
        self._former_fd = -1

    def __enter__(self) -> "StopSignals":
        self.install()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.restore()

    def install(self) -> None:
        """Begins to note signals."""
        global _installed
        if threading.current_thread() is not threading.main_thread():
            return
        self.received = self._raised = None
        self._waits = 0
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._note)
        if self.ends_process:
            self._watch_for_a_second()
        _installed = self

    def restore(self) -> None:
        """Gives signals back to the handlers of before."""
        global _installed
        if _installed is self:
            _installed = None
        self._restore_handlers()
        self._end_watch()
        self._set_timer(0)

    def act_in_fit(self, model: Any, action: Callable[[], None] | None) -> None:
        """Calls `action` at a signal, in place of raising, while `model.fit` runs."""
        self._model, self._action = model, action

    def raising(self, error: BaseException) -> BaseException:
        """Returns an exception that answers the signal, and is about to be raised."""
        self._raised = weakref.ref(error)
        return error

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.ends_process:
            for handled in self._handlers:
                signal.signal(handled, signal.SIG_DFL)
        elif _is_fitting(self._model, frame):
            self._restore_handlers()
        else:  # `fit` was left by an exception
            self.restore()
            signal.raise_signal(number)
            return
        self.received = number
        self._act(frame)

    def _retry(self, number: int, frame: FrameType | None) -> None:
        if self._raised is None or self._raised() is None:
            self._act(frame)

    def _act(self, frame: FrameType | None) -> None:
        if self._action is not None and _is_fitting(self._model, frame):
            self._action()
        elif self.ends_process:
            self._raise(frame)
        else:
            self._set_timer(0)

    def _raise(self, frame: FrameType | None) -> None:
        if _is_in_tensorflow(frame) and self._waits < _MOST_WAITS:
            self._waits += 1
            self._set_timer(_WAIT_SECONDS)
            if signal.getitimer(signal.ITIMER_REAL)[0]:  # it will ring
                return
        self._set_timer(_RETRY_SECONDS)
        raise self.raising(Stopped(self.received))

    def _restore_handlers(self) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def _set_timer(self, seconds: float) -> None:
        if not hasattr(signal, "setitimer"):
            return
        if threading.current_thread() is not threading.main_thread():
            return
        handler = signal.getsignal(signal.SIGALRM)
        # Else the program has its own alarm.
        if seconds and handler in (signal.SIG_DFL, self._retry):
            signal.signal(signal.SIGALRM, self._retry)
            signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
        elif not seconds and handler == self._retry:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _watch_for_a_second(self) -> None:
        """Ends the process at a second signal though the main thread may be in C++.

        Python runs handlers between two of its own instructions only.
        """
        reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._former_fd = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False
        )

        def watch() -> None:
            count = 0
            with reader:
                while byte := reader.recv(1):
                    count += byte[0] in _SIGNALS
                    if count > 1 and _installed is self and self.received is None:
                        os._exit(128 + byte[0])

        threading.Thread(target=watch, daemon=True).start()

    def _end_watch(self) -> None:
        """Ends the thread: it reads until the other end of its socket is closed."""
        if self._writer is not None:
            signal.set_wakeup_fd(self._former_fd)
            self._writer.close()
            self._writer = None


def installed() -> StopSignals | None:
    """Returns the object that notes signals now, if any."""
    return _installed


def _is_fitting(model: Any, frame: FrameType | None) -> bool:
    return model is not None and fit_arguments(model, frame) is not None


def _is_in_tensorflow(frame: FrameType | None) -> bool:
    """Returns whether the interrupted function is TensorFlow's, or a class hook."""
    file = "" if frame is None else frame.f_code.co_filename
    return "tensorflow" in file or "abc" in file or file.endswith("weakref.py")
