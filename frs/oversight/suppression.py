"""Which parts of a breakdown may be published, so that no part left out can be computed from the total and the rest.

A part with fewer alerts than ``least`` is left out (primary suppression). The totals are published, so the sum of what
is left out is known to everybody; therefore (complementary suppression):

- the smallest other part is left out too, with all that equal it: the parts left out then differ, and nothing says
  which of them is which;
- while what is left out has none of something that the total has (no false alert, or nothing but false alerts), the
  smallest part that has it is left out too: else the zero of each part left out were known.

Neither names nor the number of the parts left out are published. What the total alone tells stays told: a total of no
false alerts is one for each part. A breakdown is therefore protected against whoever knows this rule, and not against
a second publication over an overlapping period: publish for periods that do not overlap.

References: Hundepool and others, "Statistical Disclosure Control" (Wiley, 2012), chapter 4, on secondary suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frs.oversight.figures import NamedFigures


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What is published of a part of a breakdown."""

    alerts: int
    false_alerts: int
    """Adjudicated false or confirmed false."""
    faces_seen: int
    name: str

    @property
    def values(self) -> tuple[int, int, int]:
        """The figures without the name."""
        return self.alerts, self.false_alerts, self.faces_seen

    @property
    def measures(self) -> tuple[int, int, int, int]:
        """What a sum over the parts left out could give away, each at least 0."""
        return self.alerts, self.false_alerts, self.alerts - self.false_alerts, self.faces_seen


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The parts that are published, by name."""

    cells: tuple[Cell, ...]
    suppressed: bool
    """Whether any part was left out."""


def cell(part: NamedFigures) -> Cell:
    """Return what is published of a part."""
    figures = part.figures
    return Cell(figures.alerts, figures.false_alerts_per_alert.numerator, figures.faces_seen, part.name)


def published(parts: Sequence[Cell], least: int) -> Breakdown:
    """Return the breakdown as it may be published; ``least`` is the fewest alerts of a published part."""
    kept = sorted(part for part in parts if part.alerts >= least)
    out = [part for part in parts if part.alerts < least]
    if out and kept:
        _leave_out(kept[0], kept, out)
    while out and (given_away := _zeros(out, kept)):
        _leave_out(min(part for part in kept if part.measures[given_away[0]]), kept, out)
    return Breakdown(tuple(sorted(kept, key=lambda part: part.name)), bool(out))


def _leave_out(least: Cell, kept: list[Cell], out: list[Cell]) -> None:
    """Move a part and all that equal it: which of equals was taken would tell something of the names."""
    out.extend(part for part in kept if part.values == least.values)
    kept[:] = [part for part in kept if part.values != least.values]


def _zeros(out: Sequence[Cell], kept: Sequence[Cell]) -> list[int]:
    """Return the measures of which the parts left out have none and the others some."""
    hidden = [sum(values) for values in zip(*(part.measures for part in out), strict=True)]
    shown = [sum(values) for values in zip(*(part.measures for part in kept), strict=True)] or [0] * len(hidden)
    return [number for number, (h, s) in enumerate(zip(hidden, shown, strict=True)) if h == 0 < s]
