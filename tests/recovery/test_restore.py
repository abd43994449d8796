"""Restoration of a log: a new origin, nothing erased comes back, and what is forged, old or damaged is refused."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest
import sqlalchemy as sa

from frs.audit.checkpoints import read_checkpoint
from frs.cli.main import main
from frs.errors import FrsError, Reason
from frs.recovery import restore as restoring
from frs.recovery import switching
from frs.recovery.archive import Kind
from frs.recovery.journal import WitnessWord
from frs.recovery.restore import Restoration
from frs.settings import Settings
from frs.store import durable
from frs.store.engines import make_engines
from frs.store.keyring import create_keyring
from frs.store.schema import audit_payload, key_destruction
from frs.store.transaction import Transaction
from tests.audit_house import AuditHouse, alert_event
from tests.forking import Child
from tests.manual_clock import ManualClock
from tests.recovery.recovering import back_up, restore, witness_word


def make(house: AuditHouse, path: Path, kind: Kind = Kind.DATA) -> None:
    back_up(house.store, house.log, house.settings, house.clock, path, kind)


def witness(house: AuditHouse, tmp_path: Path, current: bool = False) -> WitnessWord:
    return witness_word(house.store.database, house.store.keyring, house.log, tmp_path / "witness", current)


def destroy_payload(house: AuditHouse, seq: int) -> None:
    """Erase an event's payload as retention does."""

    def act(tx: Transaction) -> None:
        house.store.vault.destroy(house.log.origins.payload_owner(seq))
        tx.connection.execute(audit_payload.delete().where(audit_payload.c.seq == seq))

    house.store.database.write(act)


def reason_of(act: Callable[[], object]) -> Reason:
    with pytest.raises(FrsError) as caught:
        act()
    return caught.value.reason


@pytest.fixture
def lived(house: AuditHouse, tmp_path: Path) -> AuditHouse:
    """Ten events, a backup, five more, and payload 3 of before and payload 12 of after destroyed."""
    house.fill(10)
    make(house, tmp_path / "b.frs")
    house.fill(5)
    destroy_payload(house, 3)
    destroy_payload(house, 12)
    return house


def test_restored_log_begins_a_new_origin(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """The log goes on over the backup's events under a new name, and says what was witnessed and restored."""
    said = witness(lived, tmp_path)
    old = lived.log.origin
    lived.close()
    (lived.settings.data_dir / "log.seen").write_text("a checkpoint")
    clock.advance(days=1)
    done = restore(lived.settings, tmp_path / "b.frs", said, clock)

    lived.open()
    assert lived.log.origin == done.origin != old
    assert done.origin.startswith(f"{old}/r-")
    event = lived.log.get(11, open_payload=True)  # ten alerts and the backup's own event before it
    assert event.action == "log.origin-started"
    assert event.payload is not None
    details = event.payload["details"]
    assert isinstance(details, dict)
    assert details["previous_origins"] == [old]
    assert said.witnessed is not None
    seen = read_checkpoint(said.witnessed, done.vkey, [old])
    assert details["witnessed"] == {"origin": old, "size": seen.size, "root": seen.root.hex()}
    assert details["last_signed"] == details["witnessed"]
    assert (done.witnessed, done.backup_events, done.journal) == (seen, 11, 2)
    assert lived.verify().problems == ()
    assert lived.log.checkpoint().startswith(done.origin)
    folder = lived.settings.data_dir
    assert (folder / "log.vkey").read_text().strip() == done.vkey == lived.log.vkey
    assert (folder / "log.vkey.0").read_text().startswith(f"{old}+")
    assert (folder / "log.seen.0").exists()
    assert sorted(path.name for path in folder.iterdir() if "restor" in path.name) == []


def test_erased_payloads_stay_erased(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """A payload destroyed after the backup is neither readable nor there; the journal is whole again."""
    said = witness(lived, tmp_path)
    lived.close()
    done = restore(lived.settings, tmp_path / "b.frs", said, clock)
    assert done.cleaned == {"payloads": 1}
    lived.open()
    assert lived.log.get(3, open_payload=True).erased
    with lived.store.database.read() as connection:
        assert connection.scalar(sa.select(audit_payload.c.seq).where(audit_payload.c.seq == 3)) is None
        rows = connection.execute(sa.select(key_destruction.c.position, key_destruction.c.owner)).all()
    assert [tuple(row) for row in rows] == [(1, "event:3"), (2, "event:12")]


def test_append_goes_on_where_lost_events_had_keys(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """Indices of lost events, whose payload keys live or were destroyed, are used again with keys of their own."""
    said = witness(lived, tmp_path)
    lived.close()
    restore(lived.settings, tmp_path / "b.frs", said, clock)
    lived.open()
    lived.fill(6)  # over 12, whose key was destroyed, and others, whose keys are there
    for seq in range(11, 18):
        assert lived.log.get(seq, open_payload=True).payload is not None
    report = lived.verify()
    assert report.problems == ()
    assert report.payloads_erased == 1
    lived.restart()
    assert lived.verify().problems == ()


def test_restoring_twice_keeps_every_name(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """A second restoration, from the first one's log or from the older backup, gives yet another name."""
    said = witness(lived, tmp_path)
    lived.close()
    first = restore(lived.settings, tmp_path / "b.frs", said, clock)
    lived.open()
    lived.fill(2)
    make(lived, tmp_path / "b2.frs")
    destroy_payload(lived, 12)
    said = witness(lived, tmp_path / "witness")
    lived.close()
    second = restore(lived.settings, tmp_path / "b2.frs", said, clock)
    assert second.previous_origin == first.origin
    lived.open()
    assert lived.verify().problems == ()
    assert len(lived.log.origins) == 3
    assert {path.name for path in lived.settings.data_dir.glob("log.vkey*")} == {"log.vkey", "log.vkey.0", "log.vkey.1"}
    lived.fill(2)
    said = witness(lived, tmp_path / "witness")
    lived.close()
    third = restore(lived.settings, tmp_path / "b.frs", said, clock)
    assert third.previous_origin == first.origin.rpartition("/r-")[0]
    lived.open()
    assert lived.verify().problems == ()
    assert lived.log.get(3, open_payload=True).erased


@pytest.mark.parametrize("change", ["entry", "dropped", "added", "note", "other log", "no journal"])
def test_forged_journal_is_refused(lived: AuditHouse, tmp_path: Path, clock: ManualClock, change: str) -> None:
    """A journal that the log's key did not sign as it stands restores nothing, and what lies there stays."""
    said = witness(lived, tmp_path)
    entries = list(said.entries)
    forged = {
        "entry": replace(said, entries=[replace(entries[0], owner="event:4"), entries[1]]),
        "dropped": replace(said, entries=entries[:1]),
        "added": replace(said, entries=[*entries, replace(entries[1], position=3)]),
        "note": replace(said, note=said.note.replace("\n2\n", "\n1\n"), entries=entries[:1]),
        "other log": replace(said, note=said.note.replace("frs.local", "frs.other")),
        "no journal": replace(said, note=str(said.witnessed)),
    }[change]
    lived.close()
    before = (lived.settings.data_dir / "frs.sqlite").read_bytes()
    assert reason_of(lambda: restore(lived.settings, tmp_path / "b.frs", forged, clock)) is Reason.JOURNAL_REQUIRED
    assert (lived.settings.data_dir / "frs.sqlite").read_bytes() == before
    lived.open()
    assert lived.verify().problems == ()


def test_journal_older_than_the_backup_is_refused(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """An exported journal that ends before the backup may lack newer erasures; the witness itself may lag."""
    old = witness(lived, tmp_path)
    destroy_payload(lived, 5)
    make(lived, tmp_path / "late.frs")
    lived.close()
    assert reason_of(lambda: restore(lived.settings, tmp_path / "late.frs", old, clock)) is Reason.JOURNAL_REQUIRED
    restore(lived.settings, tmp_path / "late.frs", replace(old, current=True), clock)
    lived.open()
    assert lived.log.get(5, open_payload=True).erased


def test_keyring_remembers_what_the_witness_was_not_told(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """An erasure after the last word to the witness is in the keyring's record: it is carried into the new journal."""
    said = witness(lived, tmp_path)
    destroy_payload(lived, 7)
    lived.close()
    restore(lived.settings, tmp_path / "b.frs", said, clock)
    lived.open()
    assert lived.log.get(7, open_payload=True).erased
    with lived.store.database.read() as connection:
        owners = connection.scalars(sa.select(key_destruction.c.owner).order_by(key_destruction.c.position)).all()
    assert owners == ["event:3", "event:12", "event:7"]


def test_witnessed_log_that_differs_is_refused(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """A backup whose log is not the one that the witness saw at that size is not restored."""
    other = AuditHouse(Settings(data_dir=_copy(lived, tmp_path / "other")), clock)
    said = witness(lived, tmp_path)
    other.fill(30)
    make(other, tmp_path / "other.frs")
    other.close()
    lived.close()
    refused = reason_of(lambda: restore(lived.settings, tmp_path / "other.frs", said, clock))
    assert refused is Reason.WITNESS_CONFLICT


def _copy(house: AuditHouse, target: Path) -> Path:
    house.close()
    shutil.copytree(house.settings.data_dir, target)
    house.open()
    house.fill(3)
    return target


def test_existing_database_is_destroyed_only_when_asked(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """Without --replace a database is not touched; with it nothing of it stays aside."""
    said = witness(lived, tmp_path)
    lived.append(alert_event(77, planted="planted-in-the-lost-log"))
    uploads = lived.settings.data_dir / "uploads"
    uploads.mkdir()
    (uploads / ("ee" * 16)).write_bytes(b"lost media")
    lived.close()
    backup = tmp_path / "b.frs"
    refused = reason_of(lambda: restore(lived.settings, backup, said, clock, replace=False))
    assert refused is Reason.ALREADY_INITIALISED
    restore(lived.settings, backup, said, clock)
    assert not list(uploads.glob("*"))
    names = {path.name for path in lived.settings.data_dir.iterdir()} - {"keyring", "lock", "uploads"}
    assert names == {"frs.sqlite", "log.vkey", "log.vkey.0"}


def test_running_service_is_not_restored_over(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """While a process holds the data directory nothing is begun."""
    said = witness(lived, tmp_path)
    refused = reason_of(lambda: restore(lived.settings, tmp_path / "b.frs", said, clock))
    assert refused is Reason.DATA_DIRECTORY_IN_USE


def test_damaged_backup_leaves_everything(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """An archive with a changed byte in its database is refused before anything is touched."""
    said = witness(lived, tmp_path)
    lived.close()
    content = bytearray((tmp_path / "b.frs").read_bytes())
    content[30_000] ^= 1
    (tmp_path / "b.frs").write_bytes(content)
    refused = reason_of(lambda: restore(lived.settings, tmp_path / "b.frs", said, clock))
    assert refused is Reason.BACKUP_INVALID
    lived.open()
    assert lived.log.size() == 16
    assert not (lived.settings.data_dir / ".restoring").exists()


def test_backup_of_another_installation_is_refused(
    lived: AuditHouse, tmp_path: Path, clock: ManualClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A whole backup that another keyring's key signed is not taken."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("other"))
    create_keyring(settings.keyring_path)
    other = AuditHouse(settings, clock)
    make(other, tmp_path / "other.frs")
    other.close()
    said = witness(lived, tmp_path)
    lived.close()
    refused = reason_of(lambda: restore(lived.settings, tmp_path / "other.frs", said, clock))
    assert refused is Reason.BACKUP_INVALID


# --- the keyring's copy ---


def test_copy_of_the_keyring_is_restored(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """With the wrapped keys lost, a copy brings back what was not erased since; nothing else opens again."""
    make(lived, tmp_path / "k.frs", Kind.KEYRING)
    destroy_payload(lived, 8)  # its key is alive in the copy
    said = witness(lived, tmp_path)
    lived.close()
    for path in lived.settings.keyring_path.glob("keyring.sqlite*"):
        path.unlink()
    done = restore(lived.settings, tmp_path / "b.frs", said, clock, copy=tmp_path / "k.frs")
    assert done.notes
    assert done.keys_lost == 0
    lived.open()
    assert lived.verify().problems == ()
    erased = [seq for seq in range(10) if lived.log.get(seq, open_payload=True).erased]
    assert erased == [3, 8]


def test_copy_older_than_the_backup_loses_keys_honestly(house: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """Data whose keys the copy does not have yet is counted as lost, and its payloads as erased."""
    house.fill(4)
    make(house, tmp_path / "k.frs", Kind.KEYRING)
    house.fill(3)
    make(house, tmp_path / "b.frs")
    said = witness(house, tmp_path)
    house.close()
    done = restore(house.settings, tmp_path / "b.frs", said, clock, copy=tmp_path / "k.frs")
    assert done.keys_lost == 4  # three alerts and the backup's own event
    house.open()
    assert house.verify().problems == ()
    assert [house.log.get(seq, open_payload=True).erased for seq in range(9)] == [False] * 5 + [True] * 4


def test_expired_copy_of_the_keyring_is_refused(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """After its days a copy is not restored, however whole."""
    make(lived, tmp_path / "k.frs", Kind.KEYRING)
    said = witness(lived, tmp_path)
    lived.close()
    clock.advance(days=7)
    backup, copy = tmp_path / "b.frs", tmp_path / "k.frs"
    refused = reason_of(lambda: restore(lived.settings, backup, said, clock, copy=copy))
    assert refused is Reason.BACKUP_EXPIRED


def test_copy_from_before_a_rotation_opens_nothing(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """Stolen data, an old copy of the keyring and the present key-encryption key together open nothing."""
    make(lived, tmp_path / "k.frs", Kind.KEYRING)
    lived.store.keyring.rotate("the copy was lost")
    said = witness(lived, tmp_path)
    lived.close()
    backup, copy = tmp_path / "b.frs", tmp_path / "k.frs"
    refused = reason_of(lambda: restore(lived.settings, backup, said, clock, copy=copy))
    assert refused is Reason.KEY_WRONG
    lived.open()
    assert lived.verify().problems == ()


# --- interruption ---

STEPS = ["unpacked", "journal", "cleaned", "marked", "database gone", "database moved", "checkpoint", "keys"]


def die_at(step: str) -> None:
    """Have this process kill itself at a step of a restoration."""

    def kill(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    move, write = switching._move, durable.write_file

    def moved(source: Path, target: Path) -> None:
        move(source, target)
        kill()

    def written(path: Path, content: bytes) -> None:
        write(path, content)
        ends = {"marked": "restoring", "checkpoint": "checkpoint", "keys": "log.vkey.0"}
        if path.name == ends.get(step) and "signed" not in path.parts:
            kill()

    patches: dict[str, tuple[object, str, object]] = {
        "unpacked": (Restoration, "run", kill),
        "journal": (restoring, "signer_of_backup", kill),
        "cleaned": (restoring, "vkey_files", kill),
        "database gone": (switching, "_move", kill),
        "database moved": (switching, "_move", moved),
    }
    target, name, value = patches.get(step, (switching, "write_file", written))
    setattr(target, name, value)


@pytest.mark.parametrize("step", STEPS)
def test_interrupted_restoration_is_run_again(lived: AuditHouse, tmp_path: Path, clock: ManualClock, step: str) -> None:
    """Killed at any step: either the old data is still served, or the service refuses until it is run again."""
    said = witness(lived, tmp_path)
    lived.close()

    def work(stream: TextIO) -> None:
        die_at(step)
        restore(lived.settings, tmp_path / "b.frs", said, clock)

    assert Child(work).wait() == -signal.SIGKILL
    marked = (lived.settings.data_dir / "restoring").exists()
    assert marked == (STEPS.index(step) >= STEPS.index("marked"))
    if not marked:
        lived.open()
        assert lived.verify().problems == ()
        assert lived.log.size() == 16
        lived.close()
    done = restore(lived.settings, tmp_path / "b.frs", said, clock, replace=not marked)
    lived.open()
    assert lived.log.origin == done.origin
    assert lived.verify().problems == ()
    assert lived.log.get(3, open_payload=True).erased
    lived.fill(3)
    assert not (lived.settings.data_dir / "restoring").exists()


def test_old_keyring_is_there_until_its_copy_is(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """Killed just before the copy takes its place: what the old keyring alone remembers is not lost."""
    make(lived, tmp_path / "k.frs", Kind.KEYRING)
    said = witness(lived, tmp_path)
    lived.store.vault.destroy("event:14")  # of which no journal tells
    lived.close()

    def work(stream: TextIO) -> None:
        move = switching._move

        def killing(source: Path, target: Path) -> None:
            if target.name == "keyring.sqlite":
                os.kill(os.getpid(), signal.SIGKILL)
            move(source, target)

        switching._move = killing
        restore(lived.settings, tmp_path / "b.frs", said, clock, copy=tmp_path / "k.frs")

    assert Child(work).wait() == -signal.SIGKILL
    restore(lived.settings, tmp_path / "b.frs", said, clock, copy=tmp_path / "k.frs")
    lived.open()
    assert lived.store.keyring.destroyed("event:14")
    assert lived.verify().problems == ()


def test_service_refuses_a_half_restored_directory(lived: AuditHouse) -> None:
    """Between the marks neither ``frs serve`` nor ``frs init`` goes on."""
    from frs.server.folders import require_initialised
    from frs.server.installation import initialise

    (lived.settings.data_dir / "restoring").touch()
    with pytest.raises(FrsError, match="run the same"):
        require_initialised(lived.settings)
    with pytest.raises(FrsError, match="run the same"):
        initialise(lived.settings, lived.clock)


def test_database_elsewhere_is_restored_there(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """``store.url`` may name an SQLite file on another volume; another database is refused with its own tool's name."""
    said = witness(lived, tmp_path)
    lived.close()
    place = tmp_path / "volume" / "records.sqlite"
    store = lived.settings.store.model_copy(update={"url": f"sqlite:///{place}"})
    settings = lived.settings.model_copy(update={"store": store})
    restore(settings, tmp_path / "b.frs", said, clock)
    engines = make_engines(settings)
    with engines.reader.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_origin").scalar() == 2
    engines.dispose()
    assert (lived.settings.data_dir / "frs.sqlite").exists()  # which is none of this installation's

    store = store.model_copy(update={"url": "postgresql+psycopg://h/d"})
    other = lived.settings.model_copy(update={"store": store})
    with pytest.raises(FrsError, match="pg_dump"):
        restore(other, tmp_path / "b.frs", said, clock)


def test_full_disk_leaves_everything(lived: AuditHouse, tmp_path: Path, clock: ManualClock) -> None:
    """Without room to unpack nothing is touched, and nothing stays beside."""
    said = witness(lived, tmp_path)
    lived.close()

    def work(stream: TextIO) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            restore(lived.settings, tmp_path / "b.frs", said, clock)
        except FrsError as error:
            stream.write(error.reason)

    child = Child(work)
    assert child.output.read() == Reason.STORAGE_FULL
    assert child.wait() == 0
    assert not (lived.settings.data_dir / ".restoring").exists()
    lived.open()
    assert lived.log.size() == 16


def test_restoration_on_a_new_machine(
    lived: AuditHouse, tmp_path: Path, clock: ManualClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A fresh installation takes the saved key-encryption key, the copy of the keyring and the backup."""
    make(lived, tmp_path / "k.frs", Kind.KEYRING)
    said = witness(lived, tmp_path)
    fresh = Settings(data_dir=tmp_path_factory.mktemp("new"))
    create_keyring(fresh.keyring_path)
    made = AuditHouse(fresh, clock)
    made.log.checkpoint()
    (fresh.data_dir / "log.vkey").write_text(made.log.vkey)
    made.close()
    shutil.copy(lived.settings.keyring_path / "kek", fresh.keyring_path / "kek")
    with restoring.restoration(fresh.data_dir, tmp_path / "b.frs", lambda *_: None) as work:
        assert work.latest_origin(fresh) == lived.log.origin
    done = restore(fresh, tmp_path / "b.frs", said, clock, copy=tmp_path / "k.frs")
    assert len(done.notes) == 2  # neither that keyring nor its checkpoint was of use
    made.open()
    assert made.verify().problems == ()
    assert made.log.origin == done.origin
    assert made.store.database.installation_id == lived.store.database.installation_id


def test_interrupted_switch_still_knows_whom_to_ask_about(
    lived: AuditHouse, tmp_path: Path, clock: ManualClock
) -> None:
    """Run again after the switch had written its own new name, a restoration asks the witness for the lost log."""
    said = witness(lived, tmp_path)
    origin = lived.log.origin
    lived.close()

    def work(stream: TextIO) -> None:
        die_at("checkpoint")
        restore(lived.settings, tmp_path / "b.frs", said, clock)

    assert Child(work).wait() == -signal.SIGKILL
    assert not (lived.settings.keyring_path / "checkpoint").read_text().startswith(f"{origin}\n")
    with restoring.restoration(lived.settings.data_dir, tmp_path / "b.frs", lambda *_: None) as again:
        assert again.latest_origin(lived.settings) == origin


def test_settings_of_a_backup_that_is_refused_are_not_left(
    house: AuditHouse, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where there are none, the backup's settings are taken; they go again when the restoration fails."""
    (house.settings.data_dir / "frs.toml").write_text("[live]\nworkers = 2\n")
    make(house, tmp_path / "b.frs")
    data = tmp_path_factory.mktemp("new")
    arguments = ["restore", str(tmp_path / "b.frs"), "--data", str(data), "--journal", str(tmp_path / "none")]
    assert main(arguments) != 0
    assert not (data / "frs.toml").exists()
    (data / "frs.toml").write_text("[live]\nworkers = 3\n")
    assert main(arguments) != 0
    assert (data / "frs.toml").read_text() == "[live]\nworkers = 3\n"


def test_a_backup_does_not_say_what_keeps_the_keys(
    house: AuditHouse, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its signature cannot be verified before the keys are opened: a module that it names is never loaded."""
    (house.settings.data_dir / "frs.toml").write_text("[store]\nkek = 'tests.recovery.nowhere:Evil'\n")
    make(house, tmp_path / "b.frs")
    data = tmp_path_factory.mktemp("new")
    arguments = ["restore", str(tmp_path / "b.frs"), "--data", str(data), "--journal", str(tmp_path / "none")]
    assert main(arguments) == 1
    assert "store.kek" in capsys.readouterr().err
    assert not (data / "frs.toml").exists()
