"""Backups: consistent while the service writes, whole or absent, told of before they are made, and without any key."""

from __future__ import annotations

import io
import resource
import signal
import sqlite3
import tarfile
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TextIO

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from frs.audit.checkpoints import read_checkpoint
from frs.audit.verify import verify_database
from frs.errors import FrsError, Reason
from frs.recovery.archive import Kind, Manifest, read_archive
from frs.recovery.backup import Backups
from frs.recovery.saving import save
from frs.settings import Settings
from frs.store.database import Transaction
from frs.store.engines import make_engines
from frs.store.keyring import LOG_SIGNING_SECRET
from frs.store.schema import outside_copy, upload
from tests.audit_house import ALICE, AuditHouse, alert_event
from tests.forking import Child
from tests.manual_clock import ManualClock

UPLOAD = "ab" * 16


def backups(house: AuditHouse) -> Backups:
    return Backups(house.store.database, house.store.keyring, house.log, house.settings, house.clock)


def make(house: AuditHouse, path: Path, kind: Kind = Kind.DATA) -> Manifest:
    begun = backups(house).data(ALICE, "safe 3") if kind is Kind.DATA else backups(house).keyring(ALICE, "safe 4")
    return save(begun.chunks, path, kind)


def add_upload(house: AuditHouse, upload_id: str, content: bytes) -> None:
    """Store sealed media as the uploads' room does."""
    folder = house.settings.data_dir / "uploads"
    folder.mkdir(exist_ok=True)

    def act(tx: Transaction) -> None:
        sealed = house.store.vault.seal(f"upload:{upload_id}", content)
        (folder / upload_id).write_bytes(sealed + b"a tail that was never acknowledged")
        row = {"id": upload_id, "kind": "still", "file_name": "x.jpg", "size": len(content), "sha256": "0" * 64}
        more = {"committed": len(content), "stored": len(sealed), "state": "complete", "created_by": "alice"}
        tx.connection.execute(upload.insert().values(**row, **more, created_at=house.clock.now()))

    house.store.database.write(act)


def verify_copy(folder: Path, vkey: str) -> int:
    """Verify the log of an unpacked backup and return how many events it has."""
    engines = make_engines(Settings(data_dir=folder))
    with engines.reader.connect() as connection:
        report = verify_database(connection, vkey)
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    engines.dispose()
    assert report.problems == ()
    return report.events


def test_backup_holds_data_and_no_key(house: AuditHouse, tmp_path: Path) -> None:
    """Database, settings, verifier key and the acknowledged part of uploads are in it; keys are not."""
    house.fill(5)
    add_upload(house, UPLOAD, b"a photograph" * 100)
    (house.settings.data_dir / "frs.toml").write_text("[live]\nworkers = 2\n")
    (house.settings.data_dir / "log.vkey.old copy~").write_text("not ours")
    made = make(house, tmp_path / "b.frs")

    assert [member.name for member in made.members] == ["frs.toml", "log.vkey", "frs.sqlite", f"uploads/{UPLOAD}"]
    assert made.number("events") == 6  # the backup's own event is in it
    assert read_checkpoint(made.text("checkpoint"), house.log.vkey).size == 6
    made.require_signed(house.store.keyring.secret(LOG_SIGNING_SECRET))
    assert (tmp_path / "b.frs").stat().st_mode & 0o777 == 0o600

    out = tmp_path / "out"
    read_archive(tmp_path / "b.frs", Kind.DATA, out)
    assert verify_copy(out, house.log.vkey) == 6
    sealed = (out / "uploads" / UPLOAD).read_bytes()
    assert house.store.vault.open(f"upload:{UPLOAD}", sealed) == b"a photograph" * 100
    text = (tmp_path / "b.frs").read_bytes()
    wrapped = house.store.keyring._file.wrapped("event:1")
    kek = (house.settings.keyring_path / "kek").read_bytes().split(b"\n")[1]
    assert wrapped is not None
    assert wrapped not in text
    assert kek not in text


def test_any_tar_program_reads_it(house: AuditHouse, tmp_path: Path) -> None:
    """The archive is plain tar."""
    make(house, tmp_path / "b.frs")
    with tarfile.open(tmp_path / "b.frs") as tar:
        assert tar.getnames() == ["log.vkey", "frs.sqlite", "manifest.json", "manifest.note"]


def test_backup_is_told_of_before_it_is_made(house: AuditHouse, tmp_path: Path) -> None:
    """Event and outside copy stand in the database, and in the copy itself, with where it is kept."""
    make(house, tmp_path / "b.frs")
    read_archive(tmp_path / "b.frs", Kind.DATA, tmp_path / "out")
    for folder in (house.settings.data_dir, tmp_path / "out"):
        engines = make_engines(Settings(data_dir=folder))
        with engines.reader.connect() as connection:
            row = connection.execute(sa.select(outside_copy)).one()
        engines.dispose()
        assert (row.kind, row.place, row.made_by, row.expires_at) == ("backup", "safe 3", "alice", None)
    event = house.log.get(0, open_payload=True)
    assert (event.action, event.operation) == ("backup.made", "disclosure")
    assert event.payload is not None
    assert event.payload["details"] == {"kept_at": "safe 3", "copy": row.id}


def test_backup_during_writes_is_one_snapshot(house: AuditHouse, tmp_path: Path) -> None:
    """While acts are committed in groups, each backup's log verifies and has every event before its own."""
    stop = threading.Event()
    written = [0]

    def work() -> None:
        number = 0
        while not stop.is_set():
            house.append(alert_event(number))
            number += 1
            written[0] += 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    before = []
    for n in range(3):
        before.append(written[0])
        make(house, tmp_path / f"{n}.frs")
    stop.set()
    for thread in threads:
        thread.join()
    for n in range(3):
        manifest = read_archive(tmp_path / f"{n}.frs", Kind.DATA, tmp_path / str(n))
        assert verify_copy(tmp_path / str(n), house.log.vkey) == manifest.number("events") > before[n]
    assert house.verify().problems == ()
    assert not list(house.settings.data_dir.glob(".frs.copy-*"))


def test_upload_that_is_gone_is_named(house: AuditHouse, tmp_path: Path) -> None:
    """A file that was destroyed or begun anew after the database was copied is left out, and the manifest says so."""
    add_upload(house, UPLOAD, b"x" * 500)
    add_upload(house, "cd" * 16, b"y" * 500)
    (house.settings.data_dir / "uploads" / UPLOAD).unlink()
    (house.settings.data_dir / "uploads" / ("cd" * 16)).write_bytes(b"begun anew")
    assert make(house, tmp_path / "b.frs").said["absent"] == [UPLOAD, "cd" * 16]


def test_copy_of_the_keyring_expires(house: AuditHouse, tmp_path: Path) -> None:
    """It holds wrapped keys alone, says by when it must be gone and which key opens it, and is told of."""
    house.fill(3)
    made = make(house, tmp_path / "k.frs", Kind.KEYRING)
    assert [member.name for member in made.members] == ["keyring.sqlite"]
    assert made.text("key_encryption_key") == house.store.keyring.kek_id
    assert made.text("expires") == (house.clock.now() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    made.require_signed(house.store.keyring.secret(LOG_SIGNING_SECRET))
    with pytest.raises(FrsError, match="it is no backup"):
        read_archive(tmp_path / "k.frs", Kind.DATA)
    kek = (house.settings.keyring_path / "kek").read_bytes().split(b"\n")[1]
    assert kek not in (tmp_path / "k.frs").read_bytes()
    read_archive(tmp_path / "k.frs", Kind.KEYRING, tmp_path / "out")
    with closing(sqlite3.connect(tmp_path / "out" / "keyring.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM owner_key").fetchone() == (4,)  # the copy's own event too
    with house.store.database.read() as reading:
        row = reading.execute(sa.select(outside_copy)).one()
    assert (row.kind, row.place, row.expires_at) == ("keyring-backup", "safe 4", house.clock.now() + timedelta(days=7))
    assert house.log.get(3, open_payload=False).action == "keyring.backed-up"


def test_signature_of_another_installation_is_refused(house: AuditHouse, tmp_path: Path) -> None:
    """A whole archive that the log's key did not sign is no backup of this installation."""
    made = make(house, tmp_path / "b.frs")
    with pytest.raises(FrsError, match="not made by this installation") as caught:
        made.require_signed(b"7" * 32)
    assert caught.value.reason is Reason.BACKUP_INVALID


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, blank_data: Path) -> bytes:
    """Return one backup's bytes, small enough to be altered everywhere."""
    import shutil

    folder = tmp_path_factory.mktemp("archive")
    shutil.copytree(blank_data, folder / "data")
    house = AuditHouse(Settings(data_dir=folder / "data"), ManualClock())
    (folder / "data" / "log.vkey").write_text(f"{house.log.vkey}\n")
    (folder / "data" / "frs.toml").write_text("")
    add_upload(house, UPLOAD, b"media")
    make(house, folder / "b.frs")
    house.close()
    return (folder / "b.frs").read_bytes()


def refused(path: Path, content: bytes, seed: bytes | None = None) -> None:
    path.write_bytes(content)
    with pytest.raises(FrsError) as caught:
        read_archive(path, Kind.DATA)
    assert caught.value.reason is Reason.BACKUP_INVALID


def test_each_altered_byte_is_found(archive: bytes, tmp_path: Path) -> None:
    """A changed byte of any member, header, padding or manifest is refused; of the note, by its signature or form."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = tar.getmembers()
    places = {0, len(archive) - 1}
    for member in members:
        end = member.offset_data + member.size
        places |= {member.offset, member.offset + 136, member.offset + 300, member.offset_data, end - 1}
        places |= {(member.offset_data + end) // 2, end} if end % 512 else set()
    note = next(member for member in members if member.name == "manifest.note")
    for place in sorted(places):
        if note.offset_data <= place < note.offset_data + note.size or place >= len(archive):
            continue  # the signature is checked with the key, below
        refused(tmp_path / "b.frs", archive[:place] + bytes([archive[place] ^ 1]) + archive[place + 1 :])


@hypothesis_settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_cut_or_lengthened_archive_is_refused(
    archive: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Truncated anywhere, or with anything behind its end, an archive is refused."""
    length = data.draw(st.integers(0, len(archive) - 1))
    path = tmp_path_factory.getbasetemp() / "cut.frs"
    refused(path, archive[:length])
    refused(path, archive + data.draw(st.binary(min_size=1, max_size=600)))


@hypothesis_settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=2000))
def test_any_other_file_is_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever the file holds, the answer is BACKUP_INVALID."""
    refused(tmp_path_factory.getbasetemp() / "other.frs", content)


def test_members_elsewhere_are_refused(tmp_path: Path) -> None:
    """A member whose name leads out of the folder, or is none of a backup's, is never written."""
    for name in ("../evil", "/etc/passwd", "uploads/../../x", "certs/ca.key", "keyring/kek"):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o600, 1
            tar.addfile(member, io.BytesIO(b"x"))
        refused(tmp_path / "b.frs", made.getvalue())


@pytest.mark.parametrize("name", ["frs.sqlite", "manifest.json", "manifest.note"])
@pytest.mark.parametrize("size", [-1, -512])
def test_negative_sizes_are_refused(tmp_path: Path, name: str, size: int) -> None:
    """Tar can write a size below zero; reading so many bytes would read everything, or fail in another way."""
    headers = []
    for member_name, member_size in (
        (("manifest.json", 0), (name, size)) if name == "manifest.note" else ((name, size),)
    ):
        member = tarfile.TarInfo(member_name)
        member.size, member.mode = member_size, 0o600
        headers.append(member.tobuf(tarfile.GNU_FORMAT))
    (tmp_path / "b.frs").write_bytes(b"".join(headers) + bytes(4096))
    with pytest.raises(FrsError) as caught:
        read_archive(tmp_path / "b.frs", Kind.DATA)
    assert caught.value.reason is Reason.BACKUP_INVALID
    assert "cut short or damaged" in caught.value.message


def test_existing_file_is_not_replaced(house: AuditHouse, tmp_path: Path) -> None:
    """A backup never takes another's place."""
    (tmp_path / "b.frs").write_bytes(b"another")
    with pytest.raises(FrsError) as caught:
        make(house, tmp_path / "b.frs")
    assert caught.value.reason is Reason.INVALID_FIELD
    assert (tmp_path / "b.frs").read_bytes() == b"another"


def test_full_disk_leaves_no_file(settings: Settings, clock: ManualClock, tmp_path: Path) -> None:
    """When the archive does not fit, its caller is told, nothing of it stays, and the service goes on."""

    def work(stream: TextIO) -> None:
        house = AuditHouse(settings, clock)
        house.fill(50)
        begun = backups(house).data(ALICE, "safe 3")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            save(begun.chunks, tmp_path / "b.frs", Kind.DATA)
        except FrsError as error:
            stream.write(error.reason)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        house.fill(1)
        del begun
        house.close()

    child = Child(work)
    assert child.output.read() == Reason.STORAGE_FULL
    assert child.wait() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert not list(settings.data_dir.glob(".frs.copy-*"))


def test_leftover_copies_are_removed(house: AuditHouse) -> None:
    """What a crash left of a copy beside the database is gone at the next opening."""
    left = house.settings.data_dir / ".frs.copy-0011"
    left.write_bytes(b"names")
    backups(house)
    assert not left.exists()


def test_other_databases_have_their_own_tool(house: AuditHouse) -> None:
    """On PostgreSQL the command says what to use instead, and logs nothing."""
    settings = house.settings.model_copy(
        update={"store": house.settings.store.model_copy(update={"url": "postgresql+psycopg://h/d"})}
    )
    other = Backups(house.store.database, house.store.keyring, house.log, settings, house.clock)
    with pytest.raises(FrsError, match="pg_dump") as caught:
        other.data(ALICE, "safe 3")
    assert caught.value.reason is Reason.SETTINGS_INVALID
    assert house.log.size() == 0
