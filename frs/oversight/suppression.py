"""Which parts of a breakdown may be published, so that no part left out can be computed from the total and the rest.

A part with fewer alerts than ``least`` is left out (primary suppression). The totals are published, so the sum of what
is left out is known to everybody; therefore (complementary suppression):

- the smallest other part is left out too, with all that have as many alerts: what is left out then differs in size,
  and nothing says which is which;
- while what is left out has no false alert although the total has some, or nothing but false alerts although the total
  has others, the smallest part that has one is left out too: else that zero were known of each part left out.

Parts are chosen by their numbers of alerts alone, never by name or by the order of figures that are to be protected.
So exchanging the parts left out gives a table that is published alike; where no zero decided, so does moving a false
alert from one to another. Neither names nor the number of the parts left out are published. What the totals alone tell
stays told: a total without a false alert is one for each part. A breakdown is protected against whoever knows this
rule, and not against a second publication over an overlapping period: publish for periods that do not overlap.

References: Hundepool and others, "Statistical Disclosure Control" (Wiley, 2012), chapter 4, on secondary suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frs.oversight.figures import NamedFigures


@dataclass(frozen=True, slots=True)
class Cell:
    """What is published of a part of a breakdown."""

    alerts: int
    false_alerts: int
    """Adjudicated false or confirmed false."""
    faces_seen: int
    name: str

    @property
    def protected(self) -> tuple[int, int]:
        """False alerts and all others: a sum of zero over the parts left out would give each of them away."""
        return self.false_alerts, self.alerts - self.false_alerts


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
    kept = [part for part in parts if part.alerts >= least]
    out = [part for part in parts if part.alerts < least]
    if out and kept:
        _leave_out(min(part.alerts for part in kept), kept, out)
    while out and (needed := _given_away(out, kept)):
        _leave_out(min(part.alerts for part in needed), kept, out)
    return Breakdown(tuple(sorted(kept, key=lambda part: part.name)), bool(out))


def _leave_out(alerts: int, kept: list[Cell], out: list[Cell]) -> None:
    """Move all parts of this size: which of equals was taken would tell something of the names."""
    out.extend(part for part in kept if part.alerts == alerts)
    kept[:] = [part for part in kept if part.alerts != alerts]


def _given_away(out: Sequence[Cell], kept: Sequence[Cell]) -> list[Cell]:
    """Return the published parts that have something of which the parts left out have none."""
    for number in range(2):
        if not any(part.protected[number] for part in out) and (has := [p for p in kept if p.protected[number]]):
            return has
    return []
