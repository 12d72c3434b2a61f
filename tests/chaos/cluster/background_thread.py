"""A thread that does one thing again and again, and whose failure is not overlooked."""

import threading
from collections.abc import Callable


class Background:
    """Calls `look` every `interval` seconds from `start` to `stop`; `check` raises what it raised."""

    def __init__(self, name: str, look: Callable[[], None], interval: float) -> None:
        self._look, self._interval = look, interval
        self._end = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                self._look()
                self._end.wait(self._interval)
        except Exception as error:
            self._error = error
