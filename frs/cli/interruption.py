"""Interrupting: a Ctrl-C ends a stream, wherever the signal finds the process; other ends clean up as it does.

gRPC runs Python code of its own between messages, destructors and callbacks among it, where Python reports a
``KeyboardInterrupt`` as ignored and goes on. So the signal also cancels the call, and is raised again when the call
has ended for that.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def interruptible(stream: Any) -> Iterator[None]:
    """Have SIGINT cancel ``stream``, a gRPC call, and leave the block with ``KeyboardInterrupt``."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    interrupted = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        stream.cancel()
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception:
        if interrupted.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted.is_set():
        raise KeyboardInterrupt


@contextmanager
def leaving_cleanly() -> Iterator[None]:
    """Have SIGTERM, and SIGHUP when the terminal is closed, leave the block as Ctrl-C does: what it must clean up is.

    A signal that is ignored, as under ``nohup``, stays so.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # signals are the main thread's
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before.setdefault(number, signal.signal(number, signal.default_int_handler))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
