"""Work in a child process that may die: a fork, so that it starts at once with everything imported."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import TextIO


class Child:
    """A forked process that runs ``work`` with a stream to its parent, and ends with status 0 or 1."""

    def __init__(self, work: Callable[[TextIO], None]) -> None:
        read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(read)
            _run(work, write)
        os.close(write)
        self.output = os.fdopen(read, "r", encoding="utf-8")

    def kill(self) -> None:
        """Kill -9."""
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end and return its exit status; negative is the signal that killed it."""
        _, status = os.waitpid(self._pid, 0)
        self.output.close()
        return os.waitstatus_to_exitcode(status)


def _run(work: Callable[[TextIO], None], write: int) -> None:
    status = 1
    try:
        with os.fdopen(write, "w", encoding="utf-8") as stream:
            work(stream)
        status = 0
    except BaseException:  # noqa: BLE001  # a child never returns into the test
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)
