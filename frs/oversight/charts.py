"""Charts as inline SVG: bars, rates with intervals, times. Pure text; no script, no font, nothing from elsewhere.

Each is an image with a title and a description for readers who do not see it (WAI-ARIA graphics, SVG 2 section 5.7),
in colours that stay apart for the colour-blind (Okabe and Ito) and with every value in figures beside its mark, so that
colour alone never tells. The page repeats all values in a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT = 760, 220, 600
_ROW, _TOP, _AXIS = 26, 8, 34
_LABEL_LETTERS = 32


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of stacked bars."""

    label: str
    values: tuple[int, ...]
    """One for each series."""
    note: str
    """What stands beside the bar."""


@dataclass(frozen=True, slots=True)
class Span:
    """A row with a mark and a line around it: a rate and its interval, a median and what nine of ten stay within."""

    label: str
    mark: float | None
    """None draws the line alone."""
    low: float
    high: float
    note: str


def bars(name: str, title: str, about: str, series: Sequence[str], rows: Sequence[Bar]) -> str:
    """Return stacked horizontal bars; ``name`` is the chart's own id on the page."""
    most = max((sum(row.values) for row in rows), default=0)
    scale = _Scale(most or 1)
    drawn = []
    for number, row in enumerate(rows):
        y, x = _TOP + number * _ROW, float(_LEFT)
        drawn.append(_label(row.label, y))
        for index, value in enumerate(row.values):
            width = scale.x(value) - _LEFT
            drawn.append(f'<rect class="s{index}" x="{x:.1f}" y="{y + 5}" width="{width:.1f}" height="16"/>')
            x += width
        drawn.append(_note(row.note, x, y))
    legend = "".join(
        f'<rect class="s{index}" x="{_LEFT + index * 120}" y="0" width="12" height="12"/>'
        f'<text x="{_LEFT + 18 + index * 120}" y="10">{escape(text)}</text>'
        for index, text in enumerate(series)
    )
    axis = _axis(scale, len(rows), lambda value: f"{value:,.0f}")
    foot = f'<g transform="translate(0 {_height(rows)})">{legend}</g>'
    return _chart(name, title, about, _height(rows) + 20, f"{axis}{''.join(drawn)}{foot}")


def spans(
    name: str,
    title: str,
    about: str,
    rows: Sequence[Span],
    tick: Callable[[float], str],
    guide: tuple[float, str] | None = None,
) -> str:
    """Return marks on lines; ``tick`` writes a value of the axis, ``guide`` is a value to compare with and its name.

    A line that leaves the axis ends in an arrow: one deployment of which little is known does not flatten the others.
    """
    scale = _Scale(_reach(rows, guide[0] if guide else 0.0))
    drawn = []
    for number, row in enumerate(rows):
        y = _TOP + number * _ROW
        middle = y + 13
        beyond = row.high > scale.most
        end = scale.x(min(row.high, scale.most))
        drawn.append(_label(row.label, y))
        drawn.append(f'<line class="span" x1="{scale.x(row.low):.1f}" y1="{middle}" x2="{end:.1f}" y2="{middle}"/>')
        if beyond:
            drawn.append(f'<path class="span" d="M{end - 6:.1f} {middle - 4}L{end:.1f} {middle}l-6 4"/>')
        if row.mark is not None and row.mark <= scale.most:
            drawn.append(f'<circle class="mark" cx="{scale.x(row.mark):.1f}" cy="{middle}" r="4.5"/>')
        drawn.append(_note(row.note, end, y))
    if guide is not None:
        x = scale.x(guide[0])
        bottom = _TOP + len(rows) * _ROW
        drawn.append(f'<line class="guide" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        drawn.append(f'<text class="guide" x="{x + 4:.1f}" y="{bottom + 30}">{escape(guide[1])}</text>')
    return _chart(name, title, about, _height(rows) + 6, _axis(scale, len(rows), tick) + "".join(drawn))


class _Scale:
    """From 0 to a round number, on the width of the chart."""

    def __init__(self, most: float) -> None:
        raw = most / 4
        power = 10.0 ** math.floor(math.log10(raw))
        self.step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= raw * (1 - 1e-9))
        self.ticks = [number * self.step for number in range(math.ceil(most / self.step - 1e-9) + 1)]
        self.most = self.ticks[-1]

    def x(self, value: float) -> float:
        """Return where a value stands."""
        return _LEFT + (_RIGHT - _LEFT) * value / self.most


def _reach(rows: Sequence[Span], least: float) -> float:
    """Return how far the axis goes: every mark, and every interval but those much wider than the others."""
    marks = [row.mark for row in rows if row.mark is not None]
    known = sorted(row.high for row in rows if row.mark is not None)
    middle = known[len(known) // 2] if known else 1.0
    within = [high for high in known if high <= 4 * middle]
    return max([least, *marks, *within]) or 1.0


def _axis(scale: _Scale, rows: int, tick: Callable[[float], str]) -> str:
    bottom = _TOP + rows * _ROW
    return "".join(
        f'<line class="grid" x1="{scale.x(value):.1f}" y1="{_TOP}" x2="{scale.x(value):.1f}" y2="{bottom}"/>'
        f'<text class="tick" x="{scale.x(value):.1f}" y="{bottom + 16}">{escape(tick(value))}</text>'
        for value in scale.ticks
    )


def _label(text: str, y: int) -> str:
    shown = text if len(text) <= _LABEL_LETTERS else text[: _LABEL_LETTERS - 1] + "…"
    return f'<text class="label" x="{_LEFT - 10}" y="{y + 17}">{escape(shown)}</text>'


def _note(text: str, x: float, y: int) -> str:
    return f'<text x="{x + 8:.1f}" y="{y + 17}">{escape(text)}</text>'


def _height(rows: Sequence[object]) -> int:
    return _TOP + len(rows) * _ROW + _AXIS


def _chart(name: str, title: str, about: str, height: int, drawn: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{name}-title {name}-about">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-about">{escape(about)}</desc>{drawn}</svg>'
    )
