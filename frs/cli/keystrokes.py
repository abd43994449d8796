"""A person's choices: one keystroke each at a terminal, one line each where the input is a pipe or a file.

At a terminal whoever asks is told every second that passes, so that a prompt can say what is about to end. What the
person types into a line is read with the terminal's own editing.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self

try:
    import termios
    import tty
except ImportError:  # no POSIX terminal: lines only
    termios = tty = None  # type: ignore[assignment]

ENTER = "\n"
_TICK_SECONDS = 1.0


class InputEndedError(Exception):
    """Nobody answers any more: the pipe is closed, or Ctrl-D was pressed."""


class Keystrokes:
    """Where choices come from: standard input, as it is when this is made. A context: leaving it mends the terminal."""

    def __init__(self) -> None:
        self._input = sys.stdin
        self.interactive = termios is not None and self._input.isatty()
        """Whether single keys are read."""
        self._as_found: list[Any] | None = None

    def __enter__(self) -> Self:
        if self.interactive:
            self._as_found = termios.tcgetattr(self._input.fileno())
            self._give_keys()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_lines()

    def choose(self, allowed: Mapping[str, str], tick: Callable[[], None] = lambda: None) -> str:
        """Return the key that was chosen of ``allowed``, a word for each; :data:`ENTER` is a key too.

        At a terminal other keys are ignored and ``tick`` is called each second. A line names a key or its word (up to
        a colon); one that names neither is passed over. Raises InputEndedError.
        """
        while True:
            given = self._key(tick) if self.interactive else self._line().strip()
            if given in {"", "\r", ENTER}:
                if ENTER in allowed:
                    return ENTER
                continue
            lowered = given.lower()
            if lowered in allowed:
                return lowered
            for key, word in allowed.items():
                if lowered in {word.lower(), word.lower().partition(":")[0]}:
                    return key

    def line(self) -> str:
        """Return a line that the person types, without its end. Raises InputEndedError."""
        self._give_lines()
        try:
            return self._line().strip()
        finally:
            if self._as_found is not None:
                self._give_keys()

    def poll(self, seconds: float) -> str:
        """Return a key pressed within this time, or an empty text; only at a terminal."""
        return self._pressed(seconds)

    def _line(self) -> str:
        line = self._input.readline()
        if not line:
            raise InputEndedError
        return line.rstrip("\n")

    def _key(self, tick: Callable[[], None]) -> str:
        while not (pressed := self._pressed(_TICK_SECONDS)):
            tick()
        return pressed

    def _pressed(self, seconds: float) -> str:
        number = self._input.fileno()
        if not select.select([number], [], [], seconds)[0]:
            return ""
        pressed = os.read(number, 1)
        if pressed in {b"", b"\x04"}:
            raise InputEndedError
        if pressed == b"\x1b":
            self._pass_over_sequence(number)
            return ""
        return pressed.decode(errors="replace")

    def _pass_over_sequence(self, number: int) -> None:
        """Read the rest of what an arrow or a function key sends (ECMA-48), and nothing after it."""

        def more() -> bytes:
            return os.read(number, 1) if select.select([number], [], [], 0)[0] else b""

        if more() in {b"[", b"O"}:
            while (each := more()) and not b"@" <= each <= b"~":
                pass

    def _give_keys(self) -> None:
        """Have the terminal give each key at once, unseen; Ctrl-C interrupts, and what was typed ahead stays."""
        tty.setcbreak(self._input.fileno(), termios.TCSADRAIN)

    def _give_lines(self) -> None:
        if self._as_found is not None:
            termios.tcsetattr(self._input.fileno(), termios.TCSADRAIN, self._as_found)
