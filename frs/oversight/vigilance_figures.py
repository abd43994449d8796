"""How reviewers did on known pairs: hits and false accepts of each, with exact intervals.

A decision belongs to the period in which it was made. It counts for the reviewer who made it, whether or not a second
one decided the same check; it stays when the pair is removed. A check that a reviewer did not decide counts for nobody.

The two rates are those of a yes/no task (Green and Swets, "Signal Detection Theory and Psychophysics", 1966): who says
*true* to everything has all the hits and all the false accepts, so neither rate means anything without the other.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import sqlalchemy as sa

from frs.oversight.counting import Scope
from frs.oversight.figures import VigilanceFigures
from frs.oversight.intervals import rate
from frs.oversight.tallying import response_times
from frs.store.schema import review_case, review_decision, vigilance_pair


@dataclass(slots=True)
class _Done:
    """What one reviewer decided, by whether the pair shows one person."""

    shown: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    taken_for_true: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    cannot_tell: int = 0
    look: array[float] = field(default_factory=lambda: array("d"))


def vigilance(connection: sa.Connection, scope: Scope) -> tuple[VigilanceFigures, ...]:
    """Return the figures of every reviewer who decided a check within the period, by name."""
    done = review_decision.c
    query = (
        sa.select(done.reviewer, vigilance_pair.c.matching, done.decision, done.look_seconds)
        .join(review_case, review_case.c.id == done.case_id)
        .join(vigilance_pair, vigilance_pair.c.id == review_case.c.pair_id)
        .where(review_case.c.kind == "vigilance", done.decision.is_not(None), scope.covers(done.decided_at))
    )
    found: dict[str, _Done] = {}
    for reviewer, matching, decision, look_seconds in connection.execute(query):
        each = found.setdefault(reviewer, _Done())
        each.shown[matching] += 1
        each.taken_for_true[matching] += decision == "true"
        each.cannot_tell += decision == "cannot-tell"
        if look_seconds is not None:
            each.look.append(look_seconds)
    return tuple(_figures(reviewer, found[reviewer]) for reviewer in sorted(found))


def _figures(reviewer: str, done: _Done) -> VigilanceFigures:
    return VigilanceFigures(
        reviewer=reviewer,
        checks=sum(done.shown.values()),
        hits=rate(done.taken_for_true[True], done.shown[True]),
        false_accepts=rate(done.taken_for_true[False], done.shown[False]),
        cannot_tell=done.cannot_tell,
        look=response_times(done.look),
    )
