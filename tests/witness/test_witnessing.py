"""The log's way to its witness: what is taken there, what is found at start, and what only proof can do."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from frs.audit.chosen_witness import make_client
from frs.audit.erasure_journal import check_journal
from frs.audit.witness_client import WitnessClient
from frs.errors import FrsError, Reason
from frs.settings import AuditSettings
from tests.manual_clock import ManualClock
from tests.witness.conftest import WitnessedHouse, WitnessHouse, open_witnessed


def refused(house: WitnessedHouse, reason: Reason) -> FrsError:
    """Expect that the service would not start."""
    with pytest.raises(FrsError) as caught:
        house.witnessing.compare()
    assert caught.value.reason is reason
    house.close()
    return caught.value


def journal_at(witness: WitnessHouse, house: WitnessedHouse) -> list[str]:
    """Return the owners in the witness's copy of the journal, verified."""
    found = WitnessClient(witness.url, witness.vkey).erasures(house.log.origin, house.log.vkey)
    assert found is not None
    check_journal(*found, house.log.vkey)
    return [entry.owner for entry in found[1]]


def test_each_checkpoint_is_cosigned_and_kept(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """The note with both signatures is in the database, and a verifier who knows the log's key alone accepts it."""
    house.witnessing.compare()
    for count in (1, 4, 7):
        house.grow(count)
        house.witnessing.sync()
    note = house.log.latest_checkpoint()
    assert note is not None
    assert make_client(house.settings.audit).verifier.verify(note) > 0  # type: ignore[union-attr]
    assert house.log.read(note).size == 12
    state = house.witnessing.state()
    assert (state.cosigned, state.lag_seconds, state.failure, state.refusal) == (12, 0.0, None, None)
    assert witness.records.logs()[0].size == 12


def test_a_restart_goes_on_where_it_was(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """Nothing is sent twice, and what the witness stored and the service never heard of is taken over."""
    house.witnessing.compare()
    house.grow(3)
    house.witnessing.sync()
    house.restart()
    house.tamper("UPDATE audit_checkpoint SET cosigned = NULL")
    house.restart()
    assert house.witnessing.state().cosigned == 0
    house.witnessing.compare()
    assert house.witnessing.state().cosigned == 3
    house.grow(2)
    house.witnessing.sync()
    assert house.witnessing.state().cosigned == 5


def test_destroyed_keys_reach_the_witness_in_order_and_once(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """Over restarts and while the witness is away; an empty journal is known as one."""
    house.fill(30)
    house.witnessing.sync()
    assert journal_at(witness, house) == []
    owners = [f"event:{number}" for number in range(20)]
    house.destroy(*owners[:2])
    house.witnessing.sync()
    house.destroy(*owners[2:9])
    witness.stop()
    with pytest.raises(FrsError):
        house.witnessing.sync()
    house.destroy(*owners[9:])
    house.restart()
    witness.start()
    house.witnessing.compare()
    house.witnessing.sync()
    assert journal_at(witness, house) == owners
    assert house.witnessing.state().erasures == 20


def test_a_new_witness_is_given_everything(house: WitnessedHouse, witness: WitnessHouse, tmp_path: Path) -> None:
    """Another witness begins with nothing: the whole journal, and the tree as it is, come to it."""
    house.grow(9)
    house.destroy("event:0", "event:3")
    house.witnessing.sync()
    other = WitnessHouse(tmp_path / "other")
    try:
        other.records.add_log(house.log.origin, house.log.vkey)
        clone = house.copy("clone", witness_url=other.url, witness_vkey=other.vkey)
        clone.witnessing.compare()
        clone.witnessing.sync()
        assert journal_at(other, clone) == ["event:0", "event:3"]
        assert other.records.logs()[0].size == 9
        clone.close()
    finally:
        other.stop()


def test_many_entries_go_in_several_submissions(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """More than one page of destroyed keys, each page signed."""
    house.fill(1)
    house.destroy(*(f"subject:{number}" for number in range(2100)))
    house.witnessing.sync()
    assert len(journal_at(witness, house)) == 2100
    house.restart()
    house.witnessing.compare()


def test_an_old_copy_of_everything_is_found_by_the_witness_alone(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """Database and keyring put back together: their own check is content, the witness's is not."""
    house.grow(5)
    house.witnessing.sync()
    old = house.copy("old")
    house.open()
    house.grow(4)
    house.witnessing.sync()
    error = refused(old, Reason.WITNESS_CONFLICT)
    assert "holds a checkpoint of 9 events" in error.message
    assert "but this database holds 5" in error.message
    assert "cosigned at 20" in error.message
    assert (error.metadata["witnessed"], error.metadata["events"]) == ("9", "5")


def test_an_old_copy_that_grew_again_is_found(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """Other events in place of those that were witnessed, however many: roots differ and are named."""
    house.grow(5)
    house.witnessing.sync()
    old = house.copy("old")
    house.open()
    house.grow(4)
    house.witnessing.sync()
    old.grow(20)
    error = refused(old, Reason.WITNESS_CONFLICT)
    assert "the first 9 of this database's 25" in error.message
    assert error.metadata["root"] != error.metadata["witnessed_root"]


def test_of_two_copies_the_second_is_refused_and_proven(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """Both started from the same state: one is cosigned, the other stops, and the witness keeps its signed note."""
    house.grow(5)
    house.witnessing.sync()
    fork = house.copy("fork")
    house.open()
    house.witnessing.compare()
    fork.witnessing.compare()  # nothing differs yet
    house.grow(2)
    house.witnessing.sync()
    note = fork.grow(3)
    with pytest.raises(FrsError) as caught:
        fork.witnessing.sync()
    assert caught.value.reason is Reason.WITNESS_CONFLICT
    house.grow(1)
    house.witnessing.sync()
    assert witness.records.logs()[0].size == 8
    assert not witness.records.evidence()  # it asked from 5, where the witness was no more
    client = make_client(fork.settings.audit)
    assert client is not None
    with pytest.raises(Exception, match="refuses"):
        client.add_checkpoint(note, 8, [])
    (evidence,) = witness.records.evidence()
    assert evidence.note == note
    fork.close()


def test_a_fork_stops_the_running_log(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """While it runs: no more events are taken, and the reason is told."""
    house.grow(5)
    house.witnessing.sync()
    fork = house.copy("fork")
    house.open()
    house.grow(2)
    house.witnessing.sync()
    fork.grow(1)
    fork.witnessing.start()
    for _ in range(200):
        if fork.log.failure is not None:
            break
        fork.witnessing.hurry()
        time.sleep(0.02)
    with pytest.raises(FrsError) as caught:
        fork.fill(1)
    assert caught.value.reason is Reason.WITNESS_CONFLICT
    refusal = fork.witnessing.state().refusal
    assert refusal is not None
    assert refusal.reason is Reason.WITNESS_CONFLICT
    fork.witnessing.close()
    fork.close()


def test_a_database_that_forgot_destroyed_keys_is_found(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """The same events, but fewer destroyed keys than the witness has: a restoration must not undo erasures."""
    house.grow(5)
    house.witnessing.sync()
    old = house.copy("old")
    house.open()
    house.destroy("event:1", "event:2")
    house.witnessing.sync()
    error = refused(old, Reason.WITNESS_CONFLICT)
    assert "journal of 2 destroyed keys" in error.message
    assert "knows of 0" in error.message


def test_other_destroyed_keys_are_found(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """As many, but not the same."""
    house.grow(5)
    old = house.copy("old")
    house.open()
    house.destroy("event:1")
    house.witnessing.sync()
    old.destroy("event:2")
    assert "they are others" in refused(old, Reason.WITNESS_CONFLICT).message


@pytest.mark.parametrize("policy", ["warn", "stop"])
def test_a_witness_that_is_down_at_start_is_a_matter_of_policy(
    house: WitnessedHouse, witness: WitnessHouse, policy: str, clock: ManualClock
) -> None:
    """Warn starts and goes on by itself when the witness is back; stop does not start."""
    house.grow(3)
    witness.stop()
    again = house.copy("again", witness_policy=policy)
    if policy == "stop":
        refused(again, Reason.WITNESS_UNAVAILABLE)
        return
    again.witnessing.compare()
    state = again.witnessing.state()
    assert state.failure is not None
    assert (state.failure.reason, state.refusal) == (Reason.WITNESS_UNAVAILABLE, None)
    clock.advance(hours=5)
    assert again.witnessing.state().lag_seconds == 5 * 3600
    assert again.witnessing.state().refusal is None
    witness.start()
    again.witnessing.sync()
    assert (again.witnessing.state().cosigned, again.witnessing.state().lag_seconds) == (3, 0)
    again.close()


def test_setting_the_clock_back_buys_no_grace(
    tmp_path: Path, blank_data: Path, witness: WitnessHouse, clock: ManualClock
) -> None:
    """What waits then seems to lie ahead: the time counts for which the witness has not answered."""
    house = open_witnessed(tmp_path, blank_data, witness, clock, witness_policy="stop", witness_grace_seconds=0)
    house.witnessing.compare()
    witness.stop()
    house.grow(1)
    house.witnessing._round()
    clock.advance(hours=-5)
    refusal = house.witnessing.state().refusal
    assert refusal is not None
    assert refusal.reason is Reason.WITNESS_UNAVAILABLE
    house.close()


def test_a_witness_that_goes_away_stops_the_service_after_its_grace(
    tmp_path: Path, blank_data: Path, witness: WitnessHouse, clock: ManualClock
) -> None:
    """Under stop: within the grace nothing happens, then everything is refused, and all is well when it is back."""
    house = open_witnessed(tmp_path, blank_data, witness, clock, witness_policy="stop", witness_grace_seconds=60)
    house.witnessing.compare()
    house.grow(3)
    house.witnessing.sync()
    witness.stop()
    clock.advance(hours=1)
    assert house.witnessing.state().refusal is None  # nothing waits
    house.grow(1)
    house.witnessing._round()
    clock.advance(seconds=60)
    assert house.witnessing.state().refusal is None
    clock.advance(seconds=1)
    refusal = house.witnessing.state().refusal
    assert refusal is not None
    assert refusal.reason is Reason.WITNESS_UNAVAILABLE
    assert "61 seconds" in refusal.message
    assert house.log.failure is None
    witness.start()
    house.witnessing._round()
    state = house.witnessing.state()
    assert (state.refusal, state.failure, state.cosigned) == (None, None, 4)
    house.close()


def test_a_log_that_the_witness_does_not_know_is_told_so(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """As after a restoration, until whoever runs the witness adds the new name."""
    witness.records._run("DELETE FROM log_key")
    witness.records._run("DELETE FROM log")
    house.witnessing.compare()  # warn
    failure = house.witnessing.state().failure
    assert failure is not None
    assert failure.reason is Reason.WITNESS_UNAVAILABLE
    assert "frs witness add-log" in failure.message


def test_a_witness_whose_records_were_put_back_is_not_trusted(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """It cosigned more than it now shows; the log itself goes on."""
    house.grow(3)
    house.witnessing.sync()
    file = witness.folder / "witness.sqlite"
    witness.stop()
    shutil.copy(file, witness.folder / "old")
    witness.start()
    house.grow(3)
    house.witnessing.sync()
    witness.stop()
    (witness.folder / "old").replace(file)
    witness.start()
    house.grow(1)
    with pytest.raises(FrsError) as caught:
        house.witnessing.sync()
    assert caught.value.reason is Reason.WITNESS_UNTRUSTED
    assert "cosigned 6 events and now says that it has seen 3" in caught.value.message
    house.fill(1)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"witness_url": "ftp://x", "witness_vkey": "KEY"}, Reason.SETTINGS_INVALID),
        ({"witness_url": "http://", "witness_vkey": "KEY"}, Reason.SETTINGS_INVALID),
        ({"witness_url": "http://x:99999", "witness_vkey": "KEY"}, Reason.SETTINGS_INVALID),
        ({"witness_url": "http://x?y", "witness_vkey": "KEY"}, Reason.SETTINGS_INVALID),
        ({"witness_url": "http://x/wítness", "witness_vkey": "KEY"}, Reason.SETTINGS_INVALID),
        ({"witness_url": "http://x"}, Reason.SETTINGS_INVALID),
        ({"witness_url": "http://x", "witness_vkey": "/no/such/file"}, Reason.SETTINGS_INVALID),
        ({"witness_url": "http://x", "witness_vkey": "a+b+c"}, Reason.WITNESS_UNTRUSTED),
    ],
)
def test_settings_that_cannot_be_used_are_named(witness: WitnessHouse, given: dict[str, Any], reason: Reason) -> None:
    """An address that is none, a key that is none."""
    given = {name: value.replace("KEY", witness.vkey) for name, value in given.items()}
    with pytest.raises(FrsError) as caught:
        make_client(AuditSettings(**given))
    assert caught.value.reason is reason


def test_a_log_that_stands_still_notices_what_becomes_of_its_witness(
    house: WitnessedHouse, witness: WitnessHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked now and then without anything to send: gone, or shown a fork, it is noticed."""
    house.grow(3)
    house.witnessing.sync()
    monkeypatch.setattr("frs.audit.witnessing.LOOK_SECONDS", 0.0)
    witness.stop()
    with pytest.raises(FrsError) as caught:
        house.witnessing.sync()
    assert caught.value.reason is Reason.WITNESS_UNAVAILABLE
    witness.start()
    house.witnessing.sync()
    fork = house.copy("fork")
    fork.grow(1)
    fork.witnessing.sync()
    fork.close()
    house.open()
    with pytest.raises(FrsError) as caught:
        house.witnessing.sync()
    assert caught.value.reason is Reason.WITNESS_CONFLICT


def test_no_witness_is_asked_for_where_none_is_set(witness: WitnessHouse) -> None:
    """And the key may be a file."""
    assert make_client(AuditSettings()) is None
    client = make_client(AuditSettings(witness_url="http://x/w", witness_vkey=str(witness.folder / "witness.vkey")))
    assert client is not None
    assert client.verifier.vkey == witness.vkey
