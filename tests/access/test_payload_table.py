"""The table of who may open which payload: every action, every role."""

from __future__ import annotations

import pytest

from frs.access.payloads import PAYLOADS, may_open, openers
from frs.audit.actions import Action
from frs.types import Actor, Role

OF_PROTECTION = {
    "policy.changed",
    "subject.access-given",
    "log.exported",
    "log.origin-started",
    "retention.read",
    "retention.run",
    "hold.placed",
    "hold.released",
    "erasure.requested",
    "erasure.decided",
    "erasure.done",
    "backup.made",
    "keyring.backed-up",
    "keyring.rotated",
}


def test_the_table_covers_every_action_and_nothing_else() -> None:
    """Each action has a row, and each row an action."""
    assert all(openers(action) for action in Action)
    for row in PAYLOADS:
        assert any(action == row or action.startswith(f"{row}.") for action in Action), row


@pytest.mark.parametrize("role", list(Role))
def test_who_may_open_what(role: Role) -> None:
    """Oversight opens every payload, the data protection officer those of their work, and nobody else any."""
    opened = {str(action) for action in Action if may_open(Actor("ana", frozenset({role}), "certificate:1"), action)}
    expected = {Role.OVERSIGHT: {str(action) for action in Action}, Role.DATA_PROTECTION_OFFICER: OF_PROTECTION}
    assert opened == expected.get(role, set())


@pytest.mark.parametrize("action", ["", ".", "watchlists.created", "erasures", "made.up"])
def test_an_unknown_action_is_opened_by_nobody(action: str) -> None:
    """Not even by an identity with every role."""
    assert not may_open(Actor("ana", frozenset(Role), "certificate:1"), action)


def test_one_of_several_roles_is_enough() -> None:
    """An actor with no role opens nothing."""
    both = Actor("ana", frozenset({Role.OFFICER, Role.OVERSIGHT}), "certificate:1")
    assert may_open(both, "operator.search")
    assert not may_open(Actor("ana", frozenset(), "certificate:1"), "operator.search")
