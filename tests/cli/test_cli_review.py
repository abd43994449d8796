"""The reviewer's desk without a service: keys and lines, the form, the screen, and pictures in a terminal."""

from __future__ import annotations

import io
import os
import pty
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from frs.cli.case_view import observation_text
from frs.cli.keystrokes import ENTER, InputEndedError, Keystrokes
from frs.cli.review_form import Form
from frs.cli.review_screen import Screen, claim_text
from frs.cli.terminal_pictures import Look, beside, drawn, look_of
from frs.errors import FrsError, Reason
from frs.v1 import review_pb2 as pb

CHOICES = {"a": "agrees", "v": "not visible", ENTER: "leave out"}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Keystrokes]:
    """Have a pipe or a file for standard input."""

    def make(text: str) -> Keystrokes:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        return Keystrokes()

    return make


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Have a terminal for standard input; gives the end that a person types into."""
    person, program = pty.openpty()
    with os.fdopen(program, "r") as standard_input:
        monkeypatch.setattr(sys, "stdin", standard_input)
        yield person
    os.close(person)


def test_over_a_pipe_a_line_is_a_choice(typed: Callable[[str], Keystrokes]) -> None:
    """By its key or its word; an empty one is Enter; what names nothing is passed over; the end is told."""
    keys = typed("a\nNot Visible\n\nzebra\nA\n")
    assert not keys.interactive
    assert [keys.choose(CHOICES) for _ in range(4)] == ["a", "v", ENTER, "a"]
    with pytest.raises(InputEndedError):
        keys.choose(CHOICES)


def test_at_a_terminal_a_key_is_a_choice(terminal: int) -> None:
    """Without Enter, typed ahead or not; arrows and other keys choose nothing; lines are read as lines in between."""
    with Keystrokes() as keys:
        assert keys.interactive
        os.write(terminal, b"z\x1b[Av")
        assert keys.choose(CHOICES) == "v"
        os.write(terminal, b"same scar\n")
        assert keys.line() == "same scar"
        os.write(terminal, b"\ra")
        assert [keys.choose(CHOICES), keys.choose(CHOICES)] == [ENTER, "a"]
        os.write(terminal, b"\x04")
        with pytest.raises(InputEndedError):
            keys.choose(CHOICES)


class Script:
    """Answers questions from a list, and notes them."""

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)
        self.questions: list[str] = []

    def __call__(self, question: str, choices: Mapping[str, str], panel: Callable[[], Sequence[Text]]) -> str:
        self.questions.append(question)
        answer = next(self._answers)
        assert answer in choices
        assert len(panel()) == 4
        return answer


REST = ("g", "p", ENTER, ENTER)


def test_the_form_is_filled_in_by_keys() -> None:
    """Each feature once, left out or not; a step back changes an answer; what hides the face is switched on and off."""
    script = Script(
        "a", "b", "d", ENTER, "v", *[ENTER] * 6, "b", "a", "g", "b", "u", "p", "1", "3", "1", ENTER, "n", ENTER
    )
    seen = Form("the picture").fill(script, lambda _: "scar over the left eye")
    told = observation_text(seen)
    assert told.startswith("differs: face shape; not visible: eyebrows; agrees: marks; quality: usable against poor")
    assert told.endswith("hidden by: mask; scar over the left eye")
    assert script.questions[:3] == ["1/9 face shape", "2/9 forehead and hairline", "1/9 face shape"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["a", "d", "v", ENTER, "b"]), max_size=40))
def test_however_the_form_is_filled_in_it_is_well_formed(answers: list[str]) -> None:
    """No feature twice, an occlusion at least, both qualities."""
    seen = Form("the picture").fill(_finishing(answers), lambda _: "")
    features = [each.feature for each in seen.features]
    assert len(features) == len(set(features)) <= 9
    assert list(seen.occlusions) == [pb.OCCLUSION_NONE]
    assert (seen.probe_quality, seen.reference_quality) == (pb.SEEN_QUALITY_GOOD, pb.SEEN_QUALITY_GOOD)


def _finishing(answers: list[str]) -> Callable[..., str]:
    left = iter(answers)

    def ask(question: str, choices: Mapping[str, str], panel: Callable[[], Sequence[Text]]) -> str:
        answer = next(left, ENTER)
        if question.startswith("How good"):
            return "g"
        return answer if answer in choices and not question.startswith("What") else ENTER

    return ask


def test_a_prompt_over_a_pipe_is_one_line(typed: Callable[[str], Keystrokes]) -> None:
    """With its choices, without control codes, and with a warning when the claim is about to end."""
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80), typed("a\na\n"))
    screen.claim_ends(datetime.now(UTC) + timedelta(seconds=200))
    screen.ask("nose", CHOICES, lambda: [Text("a panel")])
    screen.claim_ends(datetime.now(UTC) + timedelta(seconds=30))
    screen.ask("nose", CHOICES)
    first, warning, second = out.getvalue().splitlines()
    assert first == second == "nose (a agrees, v not visible, Enter leave out)"
    assert warning.startswith("your claim ends in 0:")
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (299, "yours for 4:59"),
        (59, "your claim ends in 0:59: x keeps it"),
        (-1, "your claim has ended: x takes the case again"),
    ],
)
def test_a_claim_is_told_by_what_is_left_of_it(left: float, told: str) -> None:
    """Plainly while there is time, with what to do when it ends."""
    assert claim_text(left) == told


def picture(width: int, height: int) -> bytes:
    drawing = np.random.default_rng(7).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", drawing)[1].tobytes()


@pytest.mark.parametrize(
    ("environment", "look"),
    [
        ({"TERM": "xterm-kitty"}, Look.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app", "COLORTERM": "truecolor"}, Look.ITERM),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1", "COLORTERM": "truecolor"}, Look.BLOCKS),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, Look.BLOCKS),
        ({"TERM": "linux"}, Look.FILES),
    ],
)
def test_a_terminal_shows_pictures_as_it_can(environment: dict[str, str], look: Look) -> None:
    """What it says of itself decides; what is no terminal shows none."""
    assert look_of(environment, terminal=True) is look
    assert look_of(environment, terminal=False) is Look.FILES


@pytest.mark.parametrize("sizes", [[(112, 112), (112, 112)], [(640, 200), (90, 300), (200, 200)], [(1, 600)]])
def test_pictures_beside_each_other_fit(sizes: list[tuple[int, int]]) -> None:
    """Within columns and rows, in every way of drawing; half blocks are a line of cells each."""
    canvas = beside([picture(*size) for size in sizes], 78, 12)
    assert canvas.shape[0] <= 12 * 32
    assert canvas.shape[1] <= 78 * 16
    lines = drawn(canvas, Look.BLOCKS).splitlines()
    assert len(lines) <= 12
    assert all(0 < line.count("\u2580") <= 78 and line.endswith("\x1b[0m") for line in lines)
    assert drawn(canvas, Look.KITTY).startswith("\x1b_Ga=T,f=100")
    assert max(map(len, drawn(canvas, Look.KITTY).split("\x1b\\"))) < 4200
    assert drawn(canvas, Look.ITERM).startswith("\x1b]1337;File=inline=1;width=")
    assert drawn(canvas, Look.FILES) == ""


def test_what_is_no_picture_is_refused() -> None:
    """With the decoder's reason."""
    with pytest.raises(FrsError) as refused:
        beside([b"no picture"], 80, 10)
    assert refused.value.reason is Reason.PICTURE_UNREADABLE
