"""The plan of an apply: what a person confirms."""

from __future__ import annotations

from frs.watchlist.definition import parse_definition
from frs.watchlist.plan import PresentImage, PresentSubject, PresentWatchlist, definition_fields, make_plan

TEXT = """\
purpose: find people
category: wanted
legal_basis: common law
authorising_officer: Supt A
expires: 2027-01-31T18:00:00Z
thresholds: {live: default, operator: {score: 0.5}}
entries:
  - {nominal: N1, justification: warrant, lawfully_held: true, images: [{path: a, source: s, taken_on: 2026-01-02}]}
  - {nominal: N2, justification: warrant, lawfully_held: true, images: [{path: b, source: s, taken_on: 2026-01-02}]}
"""
DEFINITION = parse_definition("list-a", TEXT.encode(), "watchlist.yaml")
DIGESTS = {"a": "aa", "b": "bb"}
SERVER_FIELDS = definition_fields(DEFINITION) | {"threshold.operator": "0.500000 pack@1 mirror"}


def subject(nominal: str, *digests: str, justification: str = "warrant") -> PresentSubject:
    """Return a subject as the server has it."""
    images = tuple(PresentImage(f"images/{digest}", digest) for digest in digests)
    return PresentSubject(f"subjects/{nominal}", nominal, justification, "amber", False, "", images)


def test_a_new_list_adds_everything() -> None:
    """With nothing on the server the plan creates the list and adds every entry."""
    plan = make_plan(DEFINITION, DIGESTS, None)
    assert plan.creates
    assert [e.nominal for e in plan.added] == ["N1", "N2"]
    assert not plan.empty


def test_applying_twice_changes_nothing() -> None:
    """The state that a definition made gives an empty plan, whatever model the server filled in."""
    plan = make_plan(DEFINITION, DIGESTS, PresentWatchlist(SERVER_FIELDS, (subject("N1", "aa"), subject("N2", "bb"))))
    assert plan.empty
    assert plan.unchanged == 2


def test_added_changed_and_removed_are_told_apart() -> None:
    """A new picture, another justification, a person who is gone and one who is new each stand in their place."""
    present = PresentWatchlist(
        SERVER_FIELDS | {"purpose": "another"}, (subject("N1", "old", justification="rumour"), subject("N9", "zz"))
    )
    plan = make_plan(DEFINITION, DIGESTS, present)
    assert [(c.field, c.before, c.after) for c in plan.fields] == [("purpose", "another", "find people")]
    assert [e.nominal for e in plan.added] == ["N2"]
    assert [s.nominal for s in plan.removed] == ["N9"]
    (change,) = plan.changed
    assert [i.path for i in change.added] == ["a"]
    assert [i.sha256 for i in change.removed] == ["old"]
    assert change.reenrol == ("justification",)
