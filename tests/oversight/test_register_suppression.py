"""What a breakdown leaves out cannot be computed, by subtracting nor by knowing the rule."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.oversight.suppression import Breakdown, Cell, published

NAMES = ("a", "b", "c", "d", "e", "f")


def cells(*values: tuple[int, int], faces: int = 0) -> list[Cell]:
    """Return parts of (alerts, false alerts), in order of their names."""
    return [Cell(alerts, wrong, faces, name) for name, (alerts, wrong) in zip(NAMES, values, strict=False)]


def names(found: Breakdown) -> str:
    return "".join(cell.name for cell in found.cells)


@pytest.mark.parametrize(
    ("values", "kept", "suppressed"),
    [
        ([], "", False),
        ([(10, 1), (20, 2)], "ab", False),
        ([(9, 1), (10, 1), (50, 2)], "c", True),  # the ten goes too, or 9 were 69 less 60
        ([(9, 1), (3, 1), (50, 2), (40, 1)], "c", True),  # nine and three alone would be known to be below ten
        ([(9, 0), (10, 0), (50, 0)], "c", True),  # no false alert at all: the total says so already
        ([(9, 0), (10, 0), (50, 4), (60, 0)], "d", True),  # else two parts were known to have none of the four
        ([(9, 9), (10, 10), (50, 4), (60, 60)], "d", True),  # and here, to have nothing but false alerts
        ([(9, 1), (10, 1), (10, 1), (50, 2)], "d", True),  # of two that are equal neither is preferred
        ([(3, 0)], "", True),
        ([(0, 0), (0, 0), (30, 1), (40, 1)], "d", True),
    ],
)
def test_which_parts_are_left_out(values: list[tuple[int, int]], kept: str, suppressed: bool) -> None:
    """Small parts, then as many others as it takes."""
    found = published(cells(*values), 10)
    assert (names(found), found.suppressed) == (kept, suppressed)


def _tables(count: int, most: int) -> Iterable[tuple[tuple[int, int], ...]]:
    each = [(alerts, wrong) for alerts in range(most + 1) for wrong in range(alerts + 1)]
    return itertools.product(each, repeat=count)


@pytest.mark.parametrize(("least", "count", "most"), [(2, 3, 5), (3, 3, 6), (2, 4, 3)])
def test_who_knows_the_rule_learns_no_part_that_was_left_out(least: int, count: int, most: int) -> None:
    """Of all small tables, those that are published alike leave each part left out with more than one value.

    Whoever knows the totals, the rule and which parts there are can do no better than to compare all such tables.
    Where the totals alone decide (no false alert, or nothing else), they say it without any breakdown.
    """
    alike: dict[tuple[tuple[int, int], tuple[Cell, ...]], list[tuple[tuple[int, int], ...]]] = defaultdict(list)
    for table in _tables(count, most):
        found = published(cells(*table), least)
        if found.suppressed and found.cells:
            total = (sum(a for a, _ in table), sum(f for _, f in table))
            alike[total, found.cells].append(table)
    assert len(alike) > 100
    for ((alerts, wrong), kept), tables in alike.items():
        shown = {cell.name for cell in kept}
        for position, name in enumerate(NAMES[:count]):
            if name in shown:
                continue
            assert len({table[position][0] for table in tables}) > 1, (tables, name)
            if 0 < wrong < alerts:
                assert len({table[position][1] for table in tables}) > 1, (tables, name)


PARTS = st.lists(
    st.integers(0, 40).flatmap(
        lambda alerts: st.tuples(st.just(alerts), st.integers(0, alerts), st.integers(alerts, 400))
    ),
    max_size=6,
)


def ranges(total: int, shown: int, hidden: int) -> tuple[int, int]:
    """Return the least and the greatest value of one of ``hidden`` parts that share what was not shown."""
    rest = total - shown
    return (rest, rest) if hidden == 1 else (0, rest)


@given(values=PARTS, least=st.integers(1, 15))
def test_totals_less_what_is_published_reveal_nothing(values: Sequence[tuple[int, int, int]], least: int) -> None:
    """Of no measure is the value of a part left out determined, unless the total has none of it at all."""
    parts = [Cell(*value, name) for name, value in zip(NAMES, values, strict=False)]
    found = published(parts, least)
    assert all(cell in parts and cell.alerts >= least for cell in found.cells)
    hidden = len(parts) - len(found.cells)
    assert found.suppressed == (hidden > 0)
    if not any(part.alerts < least for part in parts):
        assert hidden == 0
    if hidden == 0 or not found.cells:  # without a single part the totals are all there is
        return
    for measure in (lambda part: part.alerts, lambda part: part.false_alerts, lambda part: part.protected[1]):
        total, shown = sum(map(measure, parts)), sum(map(measure, found.cells))
        low, high = ranges(total, shown, hidden)
        assert low < high or total == 0
    left_out = [part for part in parts if part not in found.cells]
    assert min(part.alerts for part in left_out) < least <= max(part.alerts for part in left_out)


@given(values=PARTS, least=st.integers(1, 15), order=st.permutations(NAMES))
def test_names_do_not_decide(values: Sequence[tuple[int, int, int]], least: int, order: Sequence[str]) -> None:
    """Under other names the same figures are left out, so that nothing follows from a name."""
    parts = [Cell(*value, name) for name, value in zip(NAMES, values, strict=False)]
    renamed = [replace(part, name=name) for part, name in zip(parts, order, strict=False)]

    def figures(found: Breakdown) -> list[tuple[int, int, int]]:
        return sorted((cell.alerts, cell.false_alerts, cell.faces_seen) for cell in found.cells)

    assert figures(published(parts, least)) == figures(published(renamed[::-1], least))
