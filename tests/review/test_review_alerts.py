"""Alerts are decided by people: once, in order, and on the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from frs.audit.checkpoints import CheckpointSigner
from frs.audit.log import AuditLog, EventFilter
from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.alerting import PROBE, REFERENCE
from frs.match.bell import Bell
from frs.review.alerts import Alert, Alerts, AlertState
from frs.review.cases import Cases
from frs.review.pictures import CasePictures
from frs.settings import Settings
from frs.store.keyring import create_keyring
from frs.store.opening import Store, open_store
from frs.store.schema import alert, alert_feed, deployment
from frs.store.transaction import Transaction
from frs.types import Actor, Quality, Role, new_id
from frs.watchlist.registry import Watchlists
from tests.deciding import adjudicate, open_case

QUALITY = Quality(size=90.0, sharpness=210.0, pose=0.1, brightness=120.0, detector_score=0.9)
REVIEWER = Actor("rita", frozenset({Role.REVIEWER}), "certificate:01")
OTHER = Actor("omar", frozenset({Role.REVIEWER}), "certificate:02")


class MovingClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@dataclass
class Desk:
    store: Store
    audit: AuditLog
    alerts: Alerts
    cases: Cases
    clock: MovingClock

    @classmethod
    def over(cls, settings: Settings, engine: FaceEngine) -> Desk:
        """Lay out a data directory and open it."""
        clock = MovingClock()
        settings.data_dir.mkdir()
        create_keyring(settings.keyring_path)
        store = open_store(settings, clock)
        database, vault, bell = store.database, store.vault, Bell()
        signer = CheckpointSigner.open(store.keyring, settings, database.installation_id)
        audit = AuditLog(database, vault, signer, clock)
        watchlists = Watchlists(database, vault, audit, Galleries(engine.model.dimension), engine, settings, clock)
        cases = Cases(database, vault, audit, CasePictures(vault, watchlists), settings, clock, lambda: 7)
        cases.on_settled(lambda tx, _: tx.after_commit(bell.ring))
        alerts = Alerts(database, vault, audit, bell, clock, settings.statistics.groups)
        return cls(store, audit, alerts, cases, clock)

    def adjudicate(self, actor: Actor, alert_id: str, decision: bool, reason: str) -> Alert:
        """Have a reviewer decide an alert, and return it as it stands then."""
        adjudicate(self.store.database, self.cases, actor, alert_id, decision, reason)
        return next(item for item in self.alerts.list(page_size=1000).items if item.id == alert_id)

    def deployment(self) -> str:
        name, now = new_id(), self.clock.now()
        who = {"purpose": "p", "place": "Square", "authorising_officer": "AO", "opened_by": "ada"}
        when = {"starts_at": now, "ends_at": now + timedelta(hours=1), "opened_at": now, "cooldown_seconds": 60.0}
        row = {"id": name, "state": "open", **who, **when}
        self.store.database.write(lambda tx: tx.connection.execute(sa.insert(deployment).values(row)))
        return name

    def alert(self, where: str) -> str:
        """Put an alert there as live matching leaves it, without the rest of its transaction."""
        name, now = new_id(), self.clock.now()

        def act(tx: Transaction) -> None:
            seal = self.store.vault.seal
            place = {"deployment_id": where, "camera_id": "cam-1", "track_id": "t-1"}
            when = {"captured_at": now, "first_seen_at": now, "decided_at": now, "created_at": now}
            whom = {"watchlist_id": "wanted", "watchlist_version": 3, "subject_id": new_id(), "nominal": "N-100"}
            how = {"score": 0.97, "threshold": 0.95, "frames": 5, "model": "m@1", "profile": "plain", "notice": ""}
            reference = {"reference_id": new_id(), "grading": "red", "reference_quality": QUALITY.as_json()}
            pictures = {
                "probe_quality": QUALITY.as_json(),
                "probe_sealed": seal(f"alert:{name}", b"probe picture", PROBE),
                "reference_sealed": seal(f"alert:{name}", b"reference picture", REFERENCE),
            }
            row = {"id": name, "state": "pending", **place, **when, **whom, **how, **reference, **pictures}
            tx.connection.execute(sa.insert(alert).values(row))
            tx.connection.execute(sa.insert(alert_feed).values(alert_id=name, kind="raised", created_at=now))
            open_case(tx, self.cases, name)

        self.store.database.write(act)
        return name

    def events(self, name: str) -> list[str]:
        """Return what the log says of an alert itself, oldest first; the steps of its case are another test's."""
        found = [event.action for event in self.audit.list(EventFilter(alert=name), 100, "").items]
        return [action for action in found if action.startswith("alert.")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, engine: FaceEngine) -> Iterator[Desk]:
    desk = Desk.over(Settings(data_dir=tmp_path_factory.mktemp("desk") / "data"), engine)
    yield desk
    desk.store.close()


def test_a_look_at_the_pictures_is_logged(desk: Desk) -> None:
    """Who is shown both pictures is in the log as having seen them; a listing shows none and logs none."""
    name = desk.alert(desk.deployment())
    assert [item.id for item in desk.alerts.list(page_size=1).items] == [name]
    assert desk.events(name) == []
    case = desk.alerts.get(REVIEWER, name)
    assert (case.probe, case.reference) == (b"probe picture", b"reference picture")
    assert case.alert.candidate.nominal == "N-100"
    assert desk.events(name) == ["alert.viewed"]
    newest = desk.audit.list(EventFilter(alert=name), 1, "").items[0]
    payload = desk.audit.get(newest.seq, open_payload=True).payload
    assert payload is not None
    assert isinstance(payload["actor"], dict)
    assert payload["actor"]["name"] == "rita"


def test_an_alert_is_adjudicated_once(desk: Desk) -> None:
    """A decision needs a pending alert; the second one is told what the first decided and changes nothing."""
    name = desk.alert(desk.deployment())
    decided = desk.adjudicate(REVIEWER, name, decision=False, reason="another nose")
    assert (decided.state, decided.adjudicated_by, decided.adjudication_reason) == ("false", "rita", "another nose")
    with pytest.raises(FrsError) as refused:
        desk.adjudicate(OTHER, name, decision=True, reason="the same nose")
    assert refused.value.reason is Reason.CASE_CLOSED
    assert desk.alerts.get(OTHER, name).alert.adjudicated_by == "rita"
    assert desk.events(name) == ["alert.adjudicated", "alert.viewed"]


@pytest.mark.parametrize(
    ("engagement", "state"),
    [("confirmed-true", "confirmed-true"), ("confirmed-false", "confirmed-false"), ("not-engaged", "unconfirmed")],
)
def test_an_engagement_follows_a_true_adjudication(desk: Desk, engagement: str, state: str) -> None:
    """What came of speaking to the person is recorded once, after the alert was adjudicated true."""
    name = desk.alert(desk.deployment())
    with pytest.raises(FrsError, match="is pending, not true"):
        desk.alerts.engage(OTHER, name, engagement)
    desk.adjudicate(REVIEWER, name, decision=True, reason="same scar")
    engaged = desk.alerts.engage(OTHER, name, engagement, "spoke at the fountain")
    assert (engaged.state, engaged.engagement_by, engaged.engagement_note) == (state, "omar", "spoke at the fountain")
    with pytest.raises(FrsError, match="not true"):
        desk.alerts.engage(OTHER, name, engagement)


def test_a_self_defined_group_is_recorded_with_the_engagement(desk: Desk) -> None:
    """What the person said is on the alert and in the event's payload; the leaf does not hold it."""
    name = desk.alert(desk.deployment())
    desk.adjudicate(REVIEWER, name, decision=True, reason="same scar")
    engaged = desk.alerts.engage(OTHER, name, "confirmed-true", "spoke at the fountain", "mixed")
    assert engaged.self_defined_group == "mixed"
    assert desk.alerts.get(REVIEWER, name).alert.self_defined_group == "mixed"
    (event,) = desk.audit.list(EventFilter(alert=name, action="alert.engagement"), 10, "").items
    opened = desk.audit.get(event.seq, open_payload=True)
    assert opened.payload is not None
    assert opened.payload["details"] == {
        "state": "confirmed-true",
        "engagement": "confirmed-true",
        "note": "spoke at the fountain",
        "self_defined_group": "mixed",
    }
    assert b"mixed" not in event.leaf


@pytest.mark.parametrize(
    ("engagement", "group", "told"),
    [
        ("confirmed-true", "martian", "asian, black, mixed, white, other, not-stated"),
        ("confirmed-true", "Black", "asian, black"),
        ("not-engaged", "white", "Nobody spoke to the person"),
    ],
)
def test_a_group_is_one_of_the_policy_and_said_by_the_person(
    desk: Desk, engagement: str, group: str, told: str
) -> None:
    """A group that the policy does not have is refused with those that it has; so is one that nobody can have said."""
    name = desk.alert(desk.deployment())
    desk.adjudicate(REVIEWER, name, decision=True, reason="same scar")
    with pytest.raises(FrsError, match=told) as refused:
        desk.alerts.engage(OTHER, name, engagement, group=group)
    assert (refused.value.reason, refused.value.metadata["field"]) == (Reason.INVALID_FIELD, "self_defined_group")
    assert desk.events(name) == ["alert.adjudicated"]
    assert desk.alerts.engage(OTHER, name, engagement).self_defined_group is None


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda alerts, _: alerts.engage(REVIEWER, "f" * 32, "confirmed-true"), Reason.ALERT_NOT_FOUND),
        (lambda alerts, _: alerts.get(REVIEWER, "f" * 32), Reason.ALERT_NOT_FOUND),
        (lambda alerts, name: alerts.engage(REVIEWER, name, "arrested"), Reason.INVALID_FIELD),
        (lambda alerts, _: alerts.list(page_token="x"), Reason.INVALID_PAGE_TOKEN),
    ],
)
def test_what_is_refused_changes_nothing(desk: Desk, call: Callable[[Alerts, str], object], reason: Reason) -> None:
    """Unknown alerts, empty reasons and unknown words are refused; no event, no entry in the feed."""
    name = desk.alert(desk.deployment())
    size, last = desk.audit.size(), desk.alerts.feed(0, limit=10_000)[-1].position
    with pytest.raises(FrsError) as refused:
        call(desk.alerts, name)
    assert refused.value.reason is reason
    assert (desk.audit.size(), desk.alerts.feed(last)) == (size, ())


def test_listing_pages_newest_first_and_by_filter(desk: Desk) -> None:
    """Pages follow on without gaps while new alerts come, and hold what the filter asks for."""
    where = desk.deployment()
    names = [desk.alert(where) for _ in range(5)]
    desk.alert(desk.deployment())
    desk.adjudicate(REVIEWER, names[2], decision=True, reason="same ear")
    first = desk.alerts.list(deployment=where, page_size=2)
    late = desk.alert(where)
    second = desk.alerts.list(deployment=where, page_size=2, page_token=first.next_token)
    third = desk.alerts.list(deployment=where, page_size=2, page_token=second.next_token)
    assert [a.id for page in (first, second, third) for a in page.items] == names[::-1]
    assert third.next_token == ""
    pending = desk.alerts.list(AlertState.PENDING, where).items
    assert [a.id for a in pending] == [late, names[4], names[3], names[1], names[0]]
    with pytest.raises(FrsError) as refused:
        desk.alerts.list(AlertState.TRUE, where, 2, first.next_token)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


def test_the_feed_resumes_from_any_position(desk: Desk) -> None:
    """Reading on from each position seen gives every change once, in order, with the alert as it stands now."""
    where = desk.deployment()
    one, two = desk.alert(where), desk.alert(where)
    desk.adjudicate(REVIEWER, one, decision=True, reason="same mole")
    desk.alerts.engage(OTHER, one, "confirmed-true")
    desk.adjudicate(REVIEWER, two, decision=False, reason="other jaw")
    changes, position = [], 0
    while entries := desk.alerts.feed(position, where, limit=2):
        changes += [(entry.change, entry.alert.id, str(entry.alert.state)) for entry in entries]
        assert position < entries[0].position <= entries[-1].position
        position = entries[-1].position
    assert changes == [
        ("raised", one, "confirmed-true"),
        ("raised", two, "false"),
        ("adjudicated", one, "confirmed-true"),
        ("engaged", one, "confirmed-true"),
        ("adjudicated", two, "false"),
    ]


def test_a_feed_that_could_only_be_silent_is_refused(desk: Desk) -> None:
    """A deployment that is not there has no alerts to list or await; a position not yet given out hides those to come.

    The last position given out is where a reviewer that has seen everything goes on.
    """
    where = desk.deployment()
    desk.alert(where)
    head = desk.alerts.feed(0, limit=10_000)[-1].position
    desk.alerts.require_feed(head, where)
    for ask in (lambda: desk.alerts.list(deployment="f" * 32), lambda: desk.alerts.require_feed(0, "f" * 32)):
        with pytest.raises(FrsError) as refused:
            ask()
        assert refused.value.reason is Reason.DEPLOYMENT_NOT_FOUND
    with pytest.raises(FrsError, match="after_position: the feed has not come to it; ask from 0") as beyond:
        desk.alerts.require_feed(head + 1)
    assert (beyond.value.reason, beyond.value.metadata["field"]) == (Reason.INVALID_FIELD, "after_position")


def test_the_bell_rings_after_the_commit(desk: Desk) -> None:
    """Who is woken finds the change; who has unsubscribed is left alone."""
    name = desk.alert(desk.deployment())
    last = desk.alerts.feed(0, limit=10_000)[-1].position
    found: list[str] = []
    unsubscribe = desk.alerts.bell.subscribe(lambda: found.extend(e.change for e in desk.alerts.feed(last)))
    desk.adjudicate(REVIEWER, name, decision=True, reason="same brow")
    unsubscribe()
    unsubscribe()
    desk.alerts.engage(REVIEWER, name, "not-engaged")
    assert found == ["adjudicated"]


STEPS = ["adjudicate-true", "adjudicate-false", "confirmed-true", "confirmed-false", "not-engaged"]
ARROWS = {
    ("pending", "adjudicate-true"): "true",
    ("pending", "adjudicate-false"): "false",
    ("true", "confirmed-true"): "confirmed-true",
    ("true", "confirmed-false"): "confirmed-false",
    ("true", "not-engaged"): "unconfirmed",
}


def _take(desk: Desk, name: str, step: str) -> str:
    if step.startswith("adjudicate"):
        return str(desk.adjudicate(REVIEWER, name, step == "adjudicate-true", "looked").state)
    return str(desk.alerts.engage(OTHER, name, step).state)


@hypothesis_settings(max_examples=10, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=6))
def test_states_move_along_the_arrows_only(desk: Desk, steps: list[str]) -> None:
    """Whatever is tried in whatever order: state, feed and log show exactly the moves that the definitions allow."""
    name, state, moves = desk.alert(desk.deployment()), "pending", []
    for step in steps:
        if (state, step) not in ARROWS:
            with pytest.raises(FrsError, match=f"is {state}, not|You have decided|The case is adjudicated"):
                _take(desk, name, step)
            continue
        state = ARROWS[state, step]
        assert _take(desk, name, step) == state
        moves.append("adjudicated" if step.startswith("adjudicate") else "engaged")
    entries = [entry for entry in desk.alerts.feed(0, limit=100_000) if entry.alert.id == name]
    assert [entry.change for entry in entries] == ["raised", *moves]
    assert {entry.alert.state for entry in entries} == {state}
    logged = {"adjudicated": "alert.adjudicated", "engaged": "alert.engagement"}
    assert desk.events(name) == [logged[move] for move in moves]


def test_what_cannot_be_logged_does_not_happen(tmp_path: Path, engine: FaceEngine) -> None:
    """When the log refuses, nobody is shown the pictures, no outcome is recorded and the feed says nothing."""
    broken = Desk.over(Settings(data_dir=tmp_path / "data"), engine)
    name = broken.alert(broken.deployment())
    broken.adjudicate(REVIEWER, name, True, "same chin")
    broken.store.database.write(lambda tx: tx.connection.execute(sa.text("DROP TABLE audit_payload")))
    for act in (lambda: broken.alerts.engage(OTHER, name, "confirmed-true"), lambda: broken.alerts.get(REVIEWER, name)):
        with pytest.raises(FrsError) as refused:
            act()
        assert refused.value.reason in (Reason.LOG_UNAVAILABLE, Reason.STORAGE_FAILED)
    assert broken.alerts.list().items[0].state == "true"
    assert [entry.change for entry in broken.alerts.feed(0)] == ["raised", "adjudicated"]
    broken.store.close()
