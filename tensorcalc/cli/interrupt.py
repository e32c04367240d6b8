"""Ctrl-C while a kernel runs: Python hears of it when the kernel has ended, this thread at once."""

from __future__ import annotations

import os
import signal
from threading import Thread

INTERRUPTED = 130


def end_at_second_interrupt() -> None:
    """Let a second Ctrl-C end the process, whatever runs. For the main thread, on POSIX."""
    if os.name != "posix":  # elsewhere a wakeup needs a socket
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    Thread(target=_watch, args=(reader,), daemon=True).start()


def _watch(reader: int) -> None:
    interrupts = 0
    while received := os.read(reader, 64):  # the numbers of signals
        interrupts += received.count(signal.SIGINT)
        if interrupts > 1:
            os._exit(INTERRUPTED)
