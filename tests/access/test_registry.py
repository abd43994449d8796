"""Identities: what narrows and ends them, in memory at once and in the log; and who signs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from frs.access.actor import LOOPBACK, Identity, loopback_identity
from frs.access.admission import Admission
from frs.access.registry import Identities, IdentityState
from frs.access.sign_ins import SignIns
from frs.audit.log import EventFilter
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.types import Actor, Role, Scope
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock

ADMIN = Actor("root", frozenset({Role.ADMINISTRATOR}), "certificate:1")
OTHER_ADMIN = Actor("root-two", frozenset({Role.ADMINISTRATOR}), "certificate:2")
ANA = Actor("ana", frozenset({Role.REVIEWER, Role.OFFICER}), "certificate:a", Scope(watchlists=frozenset({"a", "b"})))
WATCH = "/frs.v1.OfficerService/WatchAssignments"


class Desk:
    """A registry over a log, with a clock and a counter of seconds that tests move."""

    def __init__(self, house: AuditHouse, clock: ManualClock) -> None:
        self.house, self.clock, self.seconds = house, clock, 0.0
        self.open()

    def open(self) -> None:
        self.identities = Identities(self.house.store.database, self.house.log, self.clock)
        self.sign_ins = SignIns(self.identities, 900.0, lambda: self.seconds)

    def of(self, actor: Actor) -> Identity:
        return Identity(actor, self.clock.now() - timedelta(days=1), self.clock.now() + timedelta(days=1))

    def events(self, action: str) -> list[dict[str, Any]]:
        found = self.house.log.list(EventFilter(action=action), 100, "").items
        return [dict(self.house.log.get(each.seq, open_payload=True).payload or {}) for each in found]


@pytest.fixture
def desk(settings: Settings, clock: ManualClock) -> Iterator[Desk]:
    house = AuditHouse(settings, clock)
    yield Desk(house, clock)
    house.close()


def refusal(act: Callable[[], object]) -> Reason:
    with pytest.raises(FrsError) as caught:
        act()
    return caught.value.reason


def test_a_limit_narrows_at_once_and_grants_nothing(desk: Desk) -> None:
    """Roles and scope are what both allow, also after a restart; lifted, the credential counts alone."""
    limit = Scope(watchlists=frozenset({"b", "c"}))
    roles = frozenset({Role.OFFICER, Role.ADMINISTRATOR})
    desk.identities.limit(ADMIN, "ana", roles, limit, "on other duties")
    for _ in range(2):
        narrowed = desk.identities.narrowed(desk.of(ANA)).actor
        assert narrowed.roles == {Role.OFFICER}
        assert narrowed.scope == Scope(watchlists=frozenset({"b"}))
        desk.house.restart()
        desk.open()
    desk.identities.limit(ADMIN, "ana", None, Scope(), "back")
    assert desk.identities.narrowed(desk.of(ANA)).actor == ANA
    newest, first = desk.events("identity.limited")[::-1]
    assert first["details"]["roles"] == ["administrator", "officer"]
    assert first["details"]["scope"] == {"watchlists": ["b", "c"], "deployments": None, "sites": None}
    assert first["details"]["reason"] == "on other duties"
    assert newest["details"]["before"]["roles"] == ["administrator", "officer"]


def test_a_suspended_identity_is_refused_with_every_credential(desk: Desk) -> None:
    """Until it is restored; its limits stand then as before."""
    desk.identities.limit(ADMIN, "ana", frozenset({Role.OFFICER}), Scope(), "on other duties")
    assert desk.identities.revoke(ADMIN, "ana", "left the force").state is IdentityState.REVOKED
    token = Actor("ana", ANA.roles, "token:7")
    for actor in (ANA, token):
        assert refusal(lambda actor=actor: desk.identities.narrowed(desk.of(actor))) is Reason.IDENTITY_REVOKED  # type: ignore[misc]
    desk.identities.restore(ADMIN, "ana", "came back")
    assert desk.identities.narrowed(desk.of(ANA)).actor.roles == {Role.OFFICER}
    assert [len(desk.events(f"identity.{what}")) for what in ("revoked", "restored")] == [1, 1]


def test_nobody_changes_their_own(desk: Desk) -> None:
    """Neither more nor less; nothing is written."""
    acts: list[Callable[[], object]] = [
        lambda: desk.identities.limit(ADMIN, "root", None, Scope(), "more"),
        lambda: desk.identities.revoke(ADMIN, "root", "by mistake"),
        lambda: desk.identities.restore(ADMIN, "root", "for myself"),
    ]
    assert [refusal(act) for act in acts] == [Reason.SEPARATION_OF_DUTIES] * 3
    assert desk.identities.list(10).items == ()


def test_who_was_revoked_a_moment_ago_changes_nothing(desk: Desk) -> None:
    """Two administrators at once: the first to be written wins, and one is always left."""
    desk.identities.revoke(ADMIN, "root-two", "they differ")
    assert refusal(lambda: desk.identities.revoke(OTHER_ADMIN, "root", "so do I")) is Reason.IDENTITY_REVOKED
    assert desk.identities.narrowed(desk.of(ADMIN)).actor == ADMIN


def test_an_identity_that_was_never_here_can_be_refused_beforehand_but_not_restored(desk: Desk) -> None:
    """The name is what counts."""
    assert refusal(lambda: desk.identities.restore(ADMIN, "ghost", "typing error")) is Reason.IDENTITY_NOT_FOUND
    desk.identities.revoke(ADMIN, "ghost", "must not come in")
    assert desk.identities.list(10).items[0].name == "ghost"


def test_a_change_that_cannot_be_logged_does_not_happen(desk: Desk) -> None:
    """Nor in memory."""
    told: list[int] = []
    desk.identities.on_changed(lambda: told.append(1))
    desk.house.close()
    with pytest.raises(FrsError):
        desk.identities.revoke(ADMIN, "ana", "left the force")
    assert desk.identities.narrowed(desk.of(ANA)).actor == ANA
    assert told == []


def test_the_list_is_by_name_in_pages(desk: Desk) -> None:
    """Who signed in, and who was limited."""
    for name in ("cy", "ana", "ben"):
        desk.sign_ins.sign_in(desk.of(Actor(name, frozenset({Role.FEED}), f"certificate:{name}")))
    desk.identities.revoke(ADMIN, "dora", "left the force")
    first = desk.identities.list(3)
    assert [each.name for each in first.items] == ["ana", "ben", "cy"]
    assert all(each.signed_in_at == desk.clock.now() for each in first.items)
    last = desk.identities.list(3, first.next_token)
    assert ([each.name for each in last.items], last.next_token) == (["dora"], "")
    assert refusal(lambda: desk.identities.list(3, "rubbish")) is Reason.INVALID_PAGE_TOKEN


# --- sign-ins ---


def test_the_first_call_and_the_first_after_a_pause_are_sign_ins(desk: Desk) -> None:
    """Use keeps a session going; the event says with what, until when, and beside which other credentials."""
    identity = desk.of(ANA)
    assert not desk.sign_ins.going_on(identity)
    desk.sign_ins.sign_in(identity)
    for _ in range(5):
        desk.seconds += 899
        assert desk.sign_ins.going_on(identity)
    desk.seconds += 900
    assert not desk.sign_ins.going_on(identity)
    desk.sign_ins.sign_in(identity)
    desk.sign_ins.sign_in(desk.of(Actor("ana", ANA.roles, "token:9")))
    third, _, first = desk.events("access.signed-in")[::-1]
    assert first["actor"]["credential"] == first["details"]["credential"] == "certificate:a"
    assert first["details"]["roles"] == ["officer", "reviewer"]
    assert first["details"]["scope"]["watchlists"] == ["a", "b"]
    assert first["details"]["valid_until"] == identity.not_after.isoformat()
    assert [each["details"]["other_credentials_in_use"] for each in (first, third)] == [0, 1]


def test_a_clock_that_is_set_back_begins_and_ends_no_session(desk: Desk) -> None:
    """Sessions are counted by a clock that nobody sets."""
    desk.sign_ins.sign_in(desk.of(ANA))
    desk.clock.advance(days=-3)
    assert desk.sign_ins.going_on(desk.of(ANA))
    desk.clock.advance(days=900)
    assert desk.sign_ins.going_on(desk.of(ANA))


def test_a_sign_in_that_cannot_be_logged_has_not_begun(desk: Desk) -> None:
    """The next call tries again."""
    desk.house.close()
    with pytest.raises(FrsError):
        desk.sign_ins.sign_in(desk.of(ANA))
    assert not desk.sign_ins.going_on(desk.of(ANA))


def test_memory_of_sign_ins_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest unused is forgotten, and signs in once more."""
    monkeypatch.setattr("frs.access.sign_ins._MOST_REMEMBERED", 3)
    people = [desk.of(Actor("ana", ANA.roles, f"token:{n}")) for n in range(5)]
    for each in people:
        desk.sign_ins.sign_in(each)
    assert [desk.sign_ins.going_on(each) for each in people] == [False, False, True, True, True]


# --- whether a stream may go on ---


def test_a_stream_goes_on_while_nothing_that_it_rests_on_is_taken(desk: Desk) -> None:
    """A role that it does not need, and a limit lifted, end nothing."""
    admission = Admission(desk.identities)
    granted, now = desk.of(ANA), desk.clock.now()
    admission.require_still(ANA, WATCH, granted, None, now)
    desk.identities.limit(ADMIN, "ana", frozenset({Role.OFFICER}), Scope(), "no reviewer today")
    admission.require_still(ANA, WATCH, granted, None, now)
    desk.identities.limit(ADMIN, "ana", None, Scope(), "again")
    free = desk.of(Actor("ana", ANA.roles, "certificate:a"))
    admission.require_still(ANA, WATCH, free, None, now)


@pytest.mark.parametrize(
    ("roles", "scope", "method"),
    [
        (frozenset({Role.REVIEWER}), Scope(), WATCH),
        (None, Scope(watchlists=frozenset({"a"})), WATCH),
        (None, Scope(sites=frozenset({"north"})), WATCH),
        (frozenset({Role.OFFICER}), Scope(), "/frs.v1.OversightService/WatchEvents"),
    ],
)
def test_a_stream_ends_when_its_role_or_scope_is_taken(
    desk: Desk, roles: frozenset[Role] | None, scope: Scope, method: str
) -> None:
    """The role that lets it be called; the scope it was opened under; for the log, any role."""
    desk.identities.limit(ADMIN, "ana", roles, scope, "less")
    admission, now = Admission(desk.identities), desk.clock.now()
    ended = refusal(lambda: admission.require_still(ANA, method, desk.of(ANA), None, now))
    assert ended is Reason.PERMISSION_DENIED


def test_a_stream_ends_when_its_time_has_come_or_its_identity_is_suspended(desk: Desk) -> None:
    """By the wall clock here; the edge counts the seconds besides."""
    admission, granted = Admission(desk.identities), desk.of(ANA)
    late = desk.clock.now() + timedelta(days=2)
    assert refusal(lambda: admission.require_still(ANA, WATCH, granted, None, late)) is Reason.UNAUTHENTICATED
    desk.identities.revoke(ADMIN, "ana", "left the force")
    now = desk.clock.now()
    assert refusal(lambda: admission.require_still(ANA, WATCH, granted, None, now)) is Reason.IDENTITY_REVOKED


def test_whoever_can_use_this_machine_is_never_out_of_date(desk: Desk) -> None:
    """Without TLS there is no credential that could end."""
    far = desk.clock.now() + timedelta(days=100_000)
    assert Admission(desk.identities).admit(loopback_identity(), None, far).actor == LOOPBACK
