"""The signals that stop a start: counted, so that the second hurries and the third ends it. Knows no process."""

import asyncio
import signal
from collections.abc import Callable

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """`asked` is set by the first signal; each later one calls what `hurry` was given."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._hurry: Callable[[], None] = _nothing

    def listen(self) -> None:
        """From now on signals come here."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_IGN:  # started with nohup: the terminal's end is no reason
                continue
            loop.add_signal_handler(number, self._arrived)

    def on_hurry(self, call: Callable[[], None]) -> None:
        """What the second and every later signal does."""
        self._hurry = call

    def _arrived(self) -> None:
        if self.asked.is_set():
            self._hurry()
        self.asked.set()


def _nothing() -> None:
    pass
