"""The log: appended with the act, in order, found again, proven, signed."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from frs.audit import tree
from frs.audit.proofs import verify_consistency, verify_inclusion
from frs.audit.query import EventFilter
from frs.audit.timer import CheckpointTimer
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import CommitParticipant, Transaction
from frs.store.schema import audit_head, audit_node
from frs.types import Event, ListVersion, References
from tests.audit_house import ALICE, BOB, AuditHouse, alert_event
from tests.manual_clock import ManualClock


def everything(house: AuditHouse, wanted: EventFilter, newest_first: bool = False, page_size: int = 7) -> list[int]:
    """All indexes that a listing gives, page by page."""
    found: list[int] = []
    token = ""
    while True:
        page = house.log.list(wanted, page_size, token, newest_first)
        assert len(page.items) <= page_size
        found += [event.seq for event in page.items]
        token = page.next_token
        if not token:
            return found
        assert len(page.items) == page_size


# --- appending ----------------------------------------------------------------------------------------------------


def test_indexes_count_from_zero_without_gaps(house: AuditHouse) -> None:
    """Events get consecutive indexes, across acts and restarts."""
    assert house.append(alert_event(0), alert_event(1)) == [0, 1]
    assert house.append(alert_event(2)) == [2]
    house.restart()
    assert house.append(alert_event(3)) == [3]
    assert house.log.size() == 4
    assert house.verify().problems == ()


def test_event_happens_with_its_act_or_not_at_all(house: AuditHouse) -> None:
    """An act that fails after logging leaves no event, and the next act takes the index."""

    def act(tx: Transaction) -> None:
        house.log.append(tx, alert_event(0))
        house.log.append(tx, alert_event(1))
        raise ValueError("the act failed")

    with pytest.raises(ValueError, match="the act failed"):
        house.store.database.write(act)
    assert house.log.size() == 0
    assert house.append(alert_event(2)) == [0]
    stored = house.log.get(0, True)
    assert json.loads(stored.leaf)["refs"]["alert"] == "a2"
    assert house.verify().verified


def test_failed_acts_between_others_leave_an_unbroken_log(house: AuditHouse) -> None:
    """In group commits where every third act fails, the events of the others are consecutive and verify."""
    failed = threading.Event()

    def work(worker: int) -> None:
        for number in range(30):

            def act(tx: Transaction, number: int = number) -> None:
                house.log.append(tx, alert_event(worker * 100 + number))
                house.log.append(tx, alert_event(worker * 100 + number, BOB))
                if number % 3 == 0:
                    failed.set()
                    raise ValueError

            try:
                house.store.database.write(act)
            except ValueError:
                continue

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed.is_set()
    assert house.log.size() == 6 * 20 * 2
    report = house.verify()
    assert report.verified
    assert report.payloads_opened == 240


def test_group_that_cannot_commit_leaves_no_events(house: AuditHouse) -> None:
    """When the commit fails, its events are forgotten and the next ones fit the tree."""
    house.fill(3)

    class Fails(CommitParticipant):
        armed = True

        def prepare(self) -> None:
            if self.armed:
                raise OSError(28, "No space left on device")

    fails = Fails()
    house.store.database._writer._participants += (fails,)
    with pytest.raises(FrsError) as caught:
        house.append(alert_event(4))
    assert caught.value.reason is Reason.STORAGE_FULL
    fails.armed = False
    assert house.append(alert_event(5)) == [3]
    assert house.verify().verified


def test_full_disk_fails_the_act_and_the_log_goes_on_later(house: AuditHouse) -> None:
    """Without room for the event the act gets STORAGE_FULL and did not happen; with room again the log goes on."""
    house.fill(5)

    def limit(tx: Transaction) -> None:
        pages = int(tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one())
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 3}")

    house.store.database.write(limit)
    acts: list[int] = []

    def append_on() -> None:
        while len(acts) < 1000:
            acts.extend(house.append(alert_event(0, note="x" * 2000)))

    with pytest.raises(FrsError) as caught:
        append_on()
    assert caught.value.reason is Reason.STORAGE_FULL
    assert house.log.size() == 5 + len(acts)
    house.restart()
    assert house.append(alert_event(0)) == [5 + len(acts)]
    assert house.verify().verified


def test_time_never_goes_back(house: AuditHouse, clock: ManualClock) -> None:
    """When the clock goes back, events keep the latest time seen until it has caught up, also after a restart."""
    house.append(alert_event(0))
    clock.advance(hours=-1)
    house.append(alert_event(1))
    house.restart()
    house.append(alert_event(2))
    clock.advance(hours=2)
    house.append(alert_event(3))

    times = [house.log.get(seq, False).time for seq in range(4)]
    start = ManualClock().now()
    assert times == [start, start, start, start + timedelta(hours=1)]
    assert house.verify().verified


def test_head_moved_by_another_writer_is_noticed(house: AuditHouse) -> None:
    """If the head is not where the group found it, the group fails instead of forking the log."""

    def act(tx: Transaction) -> None:
        house.log.append(tx, alert_event(0))
        tx.connection.execute(sa.update(audit_head).values(size=5))

    with pytest.raises(FrsError, match="Another writer"):
        house.store.database.write(act)
    assert house.log.size() == 0


def test_two_thousand_events_in_a_group_are_fast(house: AuditHouse) -> None:
    """Appending costs well under a millisecond of CPU an event in groups."""
    house.fill(100)
    started = time.process_time()
    house.fill(2000)
    assert time.process_time() - started < 3.0


# --- reading ------------------------------------------------------------------------------------------------------


def test_event_is_read_with_and_without_its_payload(house: AuditHouse, clock: ManualClock) -> None:
    """The leaf is for every reader; the payload opens only when asked for, with the nonce that proves it."""
    house.append(alert_event(1))
    sealed, opened = house.log.get(0, False), house.log.get(0, True)

    assert (sealed.seq, sealed.time, sealed.action, sealed.operation) == (0, clock.now(), "alert.raised", "combination")
    assert sealed.payload is None
    assert sealed.nonce is None
    assert not sealed.erased
    assert opened.leaf == sealed.leaf
    assert opened.payload is not None
    assert opened.payload["details"] == {"score": 0.71, "reason": "free text 1"}
    assert opened.nonce is not None
    assert len(opened.nonce) == 32


def test_erased_payload_leaves_the_event(house: AuditHouse) -> None:
    """When an event's key is destroyed its leaf is still read and verified, and says that the payload is gone."""
    house.fill(3)
    house.store.vault.destroy("event:1")

    stored = house.log.get(1, True)
    assert stored.erased
    assert stored.payload is None
    report = house.verify()
    assert report.verified
    assert (report.payloads_opened, report.payloads_erased) == (2, 1)


@pytest.mark.parametrize("seq", [-1, 3, 10**12])
def test_unknown_event_is_not_found(house: AuditHouse, seq: int) -> None:
    """There are no events before the first and after the last."""
    house.fill(3)
    with pytest.raises(FrsError) as caught:
        house.log.get(seq, True)
    assert caught.value.reason is Reason.EVENT_NOT_FOUND


def test_leaves_are_read_in_order(house: AuditHouse) -> None:
    """A range of leaves comes in order, as far as the log goes."""
    house.fill(2100)
    leaves = list(house.log.leaves(0, 10_000))

    assert [json.loads(leaf)["seq"] for leaf in leaves] == list(range(2100))
    assert list(house.log.leaves(5, 7)) == leaves[5:7]
    assert list(house.log.leaves(2100, 2200)) == []
    assert list(house.log.leaves(7, 7)) == []


# --- filters ------------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(house: AuditHouse, clock: ManualClock) -> list[Event]:
    """Sixty events of many kinds, a minute apart."""
    events = []
    for number in range(60):
        actor = BOB if number % 4 == 0 else ALICE
        action = ("watchlist.created", "watchlist.updated", "alert.raised", "search.still", "log.read")[number % 5]
        references = References(
            watchlists=tuple(ListVersion(f"w{n}", number) for n in range(number % 3)),
            subjects=tuple(f"N{n}" for n in range(number % 4)),
            deployment=f"d{number % 2}" if number % 5 == 2 else None,
            alert=f"a{number}" if number % 5 == 2 else None,
            search=f"s{number // 10}" if number % 5 == 3 else None,
            job="j1" if number == 33 else None,
        )
        events.append(Event(action, actor, references))
        house.append(events[-1])
        clock.advance(minutes=1)
    return events


FILTERS = [
    EventFilter(),
    EventFilter(actor="bob"),
    EventFilter(actor="nobody"),
    EventFilter(action="watchlist"),
    EventFilter(action="watchlist."),
    EventFilter(action="watchlist.created"),
    EventFilter(action="watch"),
    EventFilter(action="log", actor="bob"),
    EventFilter(watchlist="w1"),
    EventFilter(subject="N2"),
    EventFilter(subject="N2", watchlist="w1"),
    EventFilter(subject="N0", action="search", actor="alice"),
    EventFilter(deployment="d1"),
    EventFilter(alert="a12"),
    EventFilter(search="s3"),
    EventFilter(job="j1"),
    EventFilter(job="other"),
]


def matches(event: Event, wanted: EventFilter) -> bool:
    refs = event.references
    action = wanted.action.rstrip(".") if wanted.action else None
    return (
        (wanted.actor in (None, event.actor.name))
        and (action is None or event.action == action or event.action.startswith(f"{action}."))
        and (wanted.watchlist is None or wanted.watchlist in [listed.watchlist for listed in refs.watchlists])
        and (wanted.subject is None or wanted.subject in refs.subjects)
        and (wanted.deployment in (None, refs.deployment))
        and (wanted.alert in (None, refs.alert))
        and (wanted.search in (None, refs.search))
        and (wanted.job in (None, refs.job))
    )


def test_filters_find_exactly_what_matches(house: AuditHouse, busy: list[Event]) -> None:
    """Every filter, alone and combined, in both directions and with small pages, gives what a scan would give."""
    sizes = []
    for wanted in FILTERS:
        expected = [seq for seq, event in enumerate(busy) if matches(event, wanted)]
        sizes.append(len(expected))
        for page_size in (1, 7, 100):
            assert everything(house, wanted, False, page_size) == expected, wanted
            assert everything(house, wanted, True, page_size) == expected[::-1], wanted
    assert sorted(set(sizes))[:2] == [0, 1]
    assert max(sizes) == 60


def test_time_range_includes_its_start_and_not_its_end(house: AuditHouse, busy: list[Event]) -> None:
    """``since`` is the first instant, ``until`` the first instant beyond."""
    start = ManualClock().now()

    def between(since: float | None, until: float | None) -> list[int]:
        def at(minutes: float | None) -> datetime | None:
            return None if minutes is None else start + timedelta(minutes=minutes)

        return everything(house, EventFilter(since=at(since), until=at(until)))

    assert between(10, 15) == [10, 11, 12, 13, 14]
    assert between(9.5, 11.5) == [10, 11]
    assert between(57, None) == [57, 58, 59]
    assert between(None, 2) == [0, 1]
    assert between(60, None) == []
    assert between(None, 0) == []
    assert between(20, 20) == []


def test_events_of_one_instant_are_all_found(house: AuditHouse) -> None:
    """Many events of the same microsecond fall into a range together."""
    house.fill(20)
    now = ManualClock().now()
    assert everything(house, EventFilter(since=now, until=now + timedelta(microseconds=1))) == list(range(20))


def test_page_token_belongs_to_its_filter_and_order(house: AuditHouse) -> None:
    """A token of one listing is refused by another."""
    house.fill(20)
    token = house.log.list(EventFilter(subject="N1"), 2, "").next_token
    assert token

    for wanted, newest_first in ((EventFilter(subject="N2"), False), (EventFilter(subject="N1"), True)):
        with pytest.raises(FrsError) as caught:
            house.log.list(wanted, 2, token, newest_first)
        assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def test_listing_goes_on_where_it_was_while_the_log_grows(house: AuditHouse) -> None:
    """New events do not shift pages that are being read."""
    house.fill(10)
    first = house.log.list(EventFilter(), 4, "", newest_first=True)
    house.fill(5)
    second = house.log.list(EventFilter(), 4, first.next_token, newest_first=True)

    assert [event.seq for event in first.items + second.items] == [9, 8, 7, 6, 5, 4, 3, 2]


def test_filters_use_indexes(house: AuditHouse) -> None:
    """No filter reads the whole log: SQLite's plan of each names an index or the primary key."""
    house.fill(10)
    plans: list[str] = []

    def explain(connection: sa.Connection, *rest: object) -> None:
        statement, parameters = str(rest[1]), rest[2]
        if statement.startswith(("SELECT audit_", "SELECT count(*)")):
            rows = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[union-attr]
            plans.extend(str(row[3]) for row in rows)

    with house.store.database.read() as connection:
        engine = connection.engine
    sa.event.listen(engine, "before_cursor_execute", explain)
    for wanted in FILTERS:
        house.log.list(wanted, 5, "")
    sa.event.remove(engine, "before_cursor_execute", explain)
    assert len(plans) > 20
    reads = [plan for plan in plans if plan.startswith(("SEARCH", "SCAN"))]
    assert [plan for plan in reads if plan.startswith("SCAN") and not plan.startswith("SCAN anon_")] == []
    assert not any("TEMP B-TREE" in plan for plan in plans), plans


# --- proofs and checkpoints ---------------------------------------------------------------------------------------


def test_proofs_hold_against_signed_checkpoints(house: AuditHouse) -> None:
    """Every event is proven in every checkpoint that covers it, and each checkpoint in every later one."""
    signed = []
    for size in (1, 6, 9):
        house.fill(size - house.log.size())
        signed.append(house.signer.read(house.log.checkpoint()))

    assert [checkpoint.size for checkpoint in signed] == [1, 6, 9]
    for checkpoint in signed:
        for seq in range(checkpoint.size):
            proof = house.log.inclusion_proof(seq, checkpoint.size)
            leaf = tree.leaf_hash(house.log.get(seq, False).leaf)
            verify_inclusion(seq, checkpoint.size, leaf, proof, checkpoint.root)
        for later in signed:
            if later.size >= checkpoint.size:
                proof = house.log.consistency_proof(checkpoint.size, later.size)
                verify_consistency(checkpoint.size, later.size, checkpoint.root, later.root, proof)


@pytest.mark.parametrize(("seq", "size"), [(3, 3), (-1, 3), (0, 4), (2, 2)])
def test_no_proof_for_what_is_not_there(house: AuditHouse, seq: int, size: int) -> None:
    """Proofs are for events within sizes that the log has had."""
    house.fill(3)
    with pytest.raises(FrsError) as caught:
        house.log.inclusion_proof(seq, size)
    assert caught.value.reason is Reason.EVENT_NOT_FOUND


@pytest.mark.parametrize(("old", "new"), [(2, 1), (-1, 2), (0, 4)])
def test_no_consistency_proof_for_sizes_that_were_not(house: AuditHouse, old: int, new: int) -> None:
    """The log has trees of 0 to 3 events and no others."""
    house.fill(3)
    with pytest.raises(FrsError) as caught:
        house.log.consistency_proof(old, new)
    assert caught.value.reason is Reason.EVENT_NOT_FOUND


def test_checkpoint_is_kept_in_database_and_keyring(house: AuditHouse, settings: Settings) -> None:
    """The newest signed note is the latest in the database and in the file beside the keys; older ones stay."""
    assert house.log.latest_checkpoint() is None
    house.fill(3)
    first = house.log.checkpoint()
    assert house.log.checkpoint() == first
    house.fill(1)
    second = house.log.checkpoint()

    assert house.log.latest_checkpoint() == second
    assert (settings.keyring_path / "checkpoint").read_text() == second
    assert house.log.checkpoint_at(3) == first
    with pytest.raises(FrsError) as caught:
        house.log.checkpoint_at(2)
    assert caught.value.reason is Reason.CHECKPOINT_NOT_FOUND


def test_timer_signs_while_the_log_grows_and_at_the_end(house: AuditHouse) -> None:
    """Events are signed within the interval; closing signs the rest."""
    timer = CheckpointTimer(house.log, 0.02)
    timer.start()
    house.fill(3)
    deadline = time.monotonic() + 10
    while house.log.latest_checkpoint() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert house.log.latest_checkpoint() is not None
    timer.close()
    house.fill(2)
    CheckpointTimer(house.log, 60).close()
    assert house.log.latest_checkpoint() == house.log.checkpoint_at(5)


def test_timer_outlives_a_defect(house: AuditHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception outside the catalogue is the timer's failure until the next signature, and not its end."""
    timer = CheckpointTimer(house.log, 0.02)

    def broken() -> str:
        raise ValueError("cannot sign")

    def until(wanted: Reason | None) -> None:
        deadline = time.monotonic() + 10
        while (timer.failure.reason if timer.failure else None) is not wanted:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    with monkeypatch.context() as defect:
        defect.setattr(house.log, "checkpoint", broken)
        timer.start()
        until(Reason.INTERNAL)
    until(None)
    timer.close()


def test_log_found_inconsistent_takes_no_more_events(house: AuditHouse) -> None:
    """When the tree no longer extends what was signed, nothing more is signed or logged, and acts fail."""
    house.fill(8)
    note = house.log.checkpoint()
    house.store.database.write(
        lambda tx: tx.connection.execute(sa.update(audit_node).where(audit_node.c.level == 3).values(hash=bytes(32)))
    )
    house.append(alert_event(9))
    with pytest.raises(FrsError, match="does not begin with the 8"):
        house.log.checkpoint()
    with pytest.raises(FrsError) as caught:
        house.append(alert_event(10))

    assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert house.log.failure is not None
    assert house.log.latest_checkpoint() == note
