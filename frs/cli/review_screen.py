"""What a reviewer's terminal shows: a page for each case, and below it a panel that is drawn anew at each keystroke.

Fits 80 by 24. Over a pipe there is no panel: each question is one line, so that a script reads what it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from frs.cli.keystrokes import ENTER, Keystrokes

WARN_SECONDS = 60
"""Left of a claim when the reviewer is warned."""
_BELL = "\a"
_OTHER_ROWS = 11  # three of the header, four of the form, the question, its choices in two, and the cursor's
_LEAST_ROWS, _MOST_ROWS = 6, 32


class Screen:
    """Prints, and asks with :class:`~frs.cli.keystrokes.Keystrokes`."""

    def __init__(self, console: Console, keys: Keystrokes) -> None:
        self._console, self._keys = console, keys
        self.in_place = keys.interactive and console.is_terminal
        self._drawn = 0
        self._until: datetime | None = None
        self._warned = False

    @property
    def columns(self) -> int:
        """How many characters a line has."""
        return self._console.width

    @property
    def picture_rows(self) -> int:
        """How many lines pictures may have so that header, form and question fit below each other."""
        return min(_MOST_ROWS, max(_LEAST_ROWS, self._console.height - _OTHER_ROWS))

    def begin(self, lines: Sequence[Text]) -> None:
        """Begin a page."""
        if self.in_place:
            self._console.file.write("\x1b[2J\x1b[3J\x1b[H")  # nothing of the case before stays to be scrolled to
        self._drawn = 0
        for line in lines:
            self._print(line)

    def say(self, text: str, style: str = "") -> None:
        """Print lines that stay."""
        self._clear()
        self._console.print(Text(text, style), highlight=False, soft_wrap=not self.in_place)

    def draw_raw(self, drawing: str) -> None:
        """Print what draws pictures."""
        self._clear()
        self._console.file.write(drawing)
        self._console.file.flush()

    def claim_ends(self, at: datetime | None) -> None:
        """Set until when the case is the reviewer's; every prompt tells when that is about to end."""
        self._until, self._warned = at, False

    def ask(
        self,
        question: str,
        choices: Mapping[str, str],
        panel: Callable[[], Sequence[Text]] = lambda: (),
        also: Mapping[str, str] | None = None,
    ) -> str:
        """Return the key chosen of ``choices``, a word for each, or of ``also``, which are not listed.

        ``panel`` is drawn above the question.
        """

        def draw() -> None:
            self._draw([*panel(), self._question(question), *_listed(choices, self.columns)])

        if not self.in_place:
            self._say_if_ending()
            offered = ", ".join(f"{_name(key)} {word}" for key, word in choices.items())
            self.say(f"{question} ({offered})")
        else:
            draw()
        chosen = self._keys.choose({**choices, **(also or {})}, draw)
        self._clear()
        return chosen

    def line(self, question: str) -> str:
        """Return a line that the person types."""
        self._clear()
        self._say_if_ending()
        self._console.print(Text(f"{question} ", "bold"), end="" if self.in_place else "\n", highlight=False)
        return self._keys.line()

    def waiting(self, text: str, seconds: float) -> str:
        """Show a line while nothing is to be done; returns a key pressed meanwhile, at a terminal."""
        if not self.in_place:
            return ""
        self._draw([Text(text, "dim")])
        return self._keys.poll(seconds)

    def _left(self) -> float | None:
        return None if self._until is None else (self._until - datetime.now(UTC)).total_seconds()

    def _question(self, question: str) -> Text:
        left, text = self._left(), Text(question, "bold")
        if left is None:
            return text
        ending = left < WARN_SECONDS
        if ending and not self._warned:
            self._console.file.write(_BELL)
            self._warned = True
        told = claim_text(left)
        padding = max(2, self.columns - 1 - text.cell_len - len(told))
        return text.append(" " * padding).append(told, "bold red" if ending else "dim")

    def _say_if_ending(self) -> None:
        left = self._left()
        if left is not None and left < WARN_SECONDS and not self._warned:
            self._warned = True
            self.say(claim_text(left), "bold red")

    def _draw(self, lines: Sequence[Text]) -> None:
        self._clear()
        for line in lines:
            self._print(line)
        self._drawn = len(lines)
        self._console.file.flush()

    def _clear(self) -> None:
        if self._drawn:
            self._console.file.write(f"\x1b[{self._drawn}A\r\x1b[J")
        self._drawn = 0

    def _print(self, line: Text) -> None:
        if self.in_place:
            line.truncate(self.columns - 1, overflow="ellipsis")
        self._console.print(line, highlight=False, soft_wrap=True)


def claim_text(left: float) -> str:
    """Return how long a claim lasts, for people."""
    if left <= 0:
        return "your claim has ended: x takes the case again"
    told = f"{int(left) // 60}:{int(left) % 60:02d}"
    return f"your claim ends in {told}: x keeps it" if left < WARN_SECONDS else f"yours for {told}"


def _name(key: str) -> str:
    return "Enter" if key == ENTER else key


def _listed(choices: Mapping[str, str], columns: int) -> list[Text]:
    """Return the choices in as many lines as they need."""
    lines = [Text(" ")]
    for key, word in choices.items():
        choice = Text(" ").append(_name(key), "bold cyan").append(f" {word} ")
        if lines[-1].cell_len + choice.cell_len >= columns:
            lines.append(Text(" "))
        lines[-1].append_text(choice)
    return lines
