"""Uploads: received in pieces that survive a break, sealed, checked, and destroyed after use."""

from __future__ import annotations

import hashlib
import resource
import secrets
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frs.audit.checkpoints import CheckpointSigner
from frs.audit.log import AuditLog, EventFilter
from frs.errors import FrsError, Reason
from frs.match.upload_records import MediaKind, Upload, UploadState
from frs.match.uploads import Uploads
from frs.settings import RetrospectiveSettings, Settings
from frs.store.keyring import create_keyring
from frs.store.opening import Store, open_store
from frs.store.schema import job, job_item
from frs.types import Actor, Role, new_id

IRIS = Actor("iris", frozenset({Role.INVESTIGATOR}), "certificate:01")
IVAN = Actor("ivan", frozenset({Role.INVESTIGATOR}), "certificate:02")
OLGA = Actor("olga", frozenset({Role.OFFICER}), "certificate:03")


class MovingClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@dataclass
class Desk:
    """A store with uploads that can be closed and opened again."""

    settings: Settings
    clock: MovingClock
    store: Store
    audit: AuditLog
    uploads: Uploads

    @classmethod
    def open(cls, settings: Settings, clock: MovingClock) -> Desk:
        store = open_store(settings, clock)
        signer = CheckpointSigner.open(store.keyring, settings, store.database.installation_id)
        audit = AuditLog(store.database, store.vault, signer, clock)
        return cls(settings, clock, store, audit, Uploads(store.database, store.vault, audit, settings, clock))

    def reopen(self) -> None:
        self.store.close()
        again = Desk.open(self.settings, self.clock)
        self.store, self.audit, self.uploads = again.store, again.audit, again.uploads

    def announce(self, data: bytes, kind: MediaKind = MediaKind.VIDEO, actor: Actor = IRIS) -> Upload:
        return self.uploads.create(actor, kind, "clip.mp4", len(data), hashlib.sha256(data).hexdigest())

    def send(self, data: bytes, piece: int = 1000) -> Upload:
        record = self.announce(data)
        for offset in range(0, len(data), piece):
            record = self.uploads.write(IRIS, record.id, offset, data[offset : offset + piece])
        return record

    def file(self, record: Upload) -> Path:
        return self.settings.data_dir / "uploads" / record.id

    def queue_job(self, *records: Upload) -> str:
        """Put a queued job there that needs the uploads."""
        name = new_id()
        why = {"reason": "r", "incident": "i", "authorisation": "a", "authorisation_expires_at": self.clock.now()}
        what = {"watchlists": [], "max_candidates": 1, "model": "m", "profile": "plain", "faces": 0}
        row = {"id": name, "state": "queued", "created_by": "iris", "created_at": self.clock.now(), **why, **what}
        counts = {"frames": 0, "faces": 0, "reached_ms": -1, "state": "queued", "job_id": name}
        items = [{"position": n, "upload_id": record.id, **counts} for n, record in enumerate(records)]
        self.store.database.write(lambda tx: tx.connection.execute(sa.insert(job).values(row)))
        self.store.database.write(lambda tx: tx.connection.execute(sa.insert(job_item), items))
        return name


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    retrospective = RetrospectiveSettings(max_upload_mib=1)
    settings = Settings(data_dir=tmp_path / "data", retrospective=retrospective)
    settings.data_dir.mkdir()
    create_keyring(settings.keyring_path)
    desk = Desk.open(settings, MovingClock())
    yield desk
    desk.store.close()


def test_an_upload_in_pieces_is_complete_with_its_last_byte(desk: Desk) -> None:
    """The committed size grows with each piece; the whole is there when the checksum agrees, and only then."""
    data = secrets.token_bytes(2500)
    record = desk.announce(data)
    assert (record.state, record.committed) == (UploadState.RECEIVING, 0)
    record = desk.uploads.write(IRIS, record.id, 0, data[:1000])
    assert (record.state, record.committed) == (UploadState.RECEIVING, 1000)
    with pytest.raises(FrsError) as early:
        desk.uploads.open(record.id)
    assert early.value.reason is Reason.UPLOAD_INCOMPLETE
    record = desk.uploads.write(IRIS, record.id, 1000, data[1000:])
    assert (record.state, record.committed) == (UploadState.COMPLETE, 2500)
    assert b"".join(desk.uploads.open(record.id)) == data
    assert desk.uploads.get(IRIS, record.id) == record


def test_no_plain_byte_lies_on_the_disk(desk: Desk) -> None:
    """Every file of the data directory is searched for pieces of what was uploaded; sealed bytes are there."""
    data = secrets.token_bytes(5000)
    record = desk.send(data)
    assert desk.file(record).stat().st_size > len(data)
    held = b"".join(path.read_bytes() for path in desk.settings.data_dir.rglob("*") if path.is_file())
    assert not any(data[at : at + 16] in held for at in range(0, len(data) - 16, 16))


def test_a_write_elsewhere_than_the_committed_offset_is_refused_with_it(desk: Desk) -> None:
    """Whoever resumes wrongly is told where to go on, and nothing is changed."""
    data = secrets.token_bytes(300)
    record = desk.announce(data)
    desk.uploads.write(IRIS, record.id, 0, data[:100])
    for offset in (0, 99, 101, 300):
        with pytest.raises(FrsError) as refused:
            desk.uploads.write(IRIS, record.id, offset, b"x")
        assert refused.value.reason is Reason.UPLOAD_OFFSET_MISMATCH
        assert refused.value.metadata == {"committed_offset": "100"}
    desk.uploads.write(IRIS, record.id, 100, data[100:])
    with pytest.raises(FrsError) as over:
        desk.uploads.write(IRIS, record.id, 300, b"x")
    assert over.value.reason is Reason.UPLOAD_OFFSET_MISMATCH
    assert b"".join(desk.uploads.open(record.id)) == data


def test_an_upload_goes_on_after_a_restart(desk: Desk) -> None:
    """What was acknowledged is there when the service is back; the rest follows."""
    data = secrets.token_bytes(900)
    record = desk.announce(data)
    desk.uploads.write(IRIS, record.id, 0, data[:450])
    desk.reopen()
    assert desk.uploads.get(IRIS, record.id).committed == 450
    desk.uploads.write(IRIS, record.id, 450, data[450:])
    assert b"".join(desk.uploads.open(record.id)) == data


def test_an_unacknowledged_tail_is_cut_off_by_the_next_write(desk: Desk) -> None:
    """Bytes that reached the file in a write that was never acknowledged do not stand in the way."""
    data = secrets.token_bytes(600)
    record = desk.announce(data)
    desk.uploads.write(IRIS, record.id, 0, data[:300])
    with desk.file(record).open("ab") as file:
        file.write(secrets.token_bytes(77))
    desk.uploads.write(IRIS, record.id, 300, data[300:])
    assert b"".join(desk.uploads.open(record.id)) == data


def test_other_bytes_than_announced_are_refused_and_the_upload_starts_over(desk: Desk) -> None:
    """A checksum that differs keeps nothing; the right bytes may then be sent from the beginning."""
    data = secrets.token_bytes(500)
    record = desk.announce(data)
    with pytest.raises(FrsError) as refused:
        desk.uploads.write(IRIS, record.id, 0, data[:-1] + bytes([data[-1] ^ 1]))
    assert refused.value.reason is Reason.UPLOAD_CHECKSUM_MISMATCH
    assert refused.value.metadata == {"committed_offset": "0"}
    assert desk.uploads.get(IRIS, record.id).committed == 0
    assert not desk.file(record).exists()
    desk.uploads.write(IRIS, record.id, 0, data)
    assert b"".join(desk.uploads.open(record.id)) == data


def test_sizes_are_limited(desk: Desk) -> None:
    """More than the limit cannot be announced, and more than was announced cannot be sent."""
    with pytest.raises(FrsError, match="at most 1 MiB") as announced:
        desk.uploads.create(IRIS, MediaKind.VIDEO, "long.mp4", (1 << 20) + 1, "00" * 32)
    record = desk.announce(b"abc")
    with pytest.raises(FrsError, match="announced with 3 bytes") as sent:
        desk.uploads.write(IRIS, record.id, 0, b"abcd")
    assert announced.value.reason is sent.value.reason is Reason.UPLOAD_TOO_LARGE
    assert desk.uploads.write(IRIS, record.id, 0, b"abc").state is UploadState.COMPLETE


def test_to_others_an_upload_does_not_exist(desk: Desk) -> None:
    """Only its creator and investigators may use an upload; the refusal is that of an unknown name."""
    record = desk.announce(b"abc")
    attempts: tuple[Callable[[], object], ...] = (
        lambda: desk.uploads.get(OLGA, record.id),
        lambda: desk.uploads.write(OLGA, record.id, 0, b"abc"),
        lambda: desk.uploads.delete(OLGA, record.id),
        lambda: desk.uploads.get(OLGA, "unknown"),
    )
    for attempt in attempts:
        with pytest.raises(FrsError, match="There is no such upload") as refused:
            attempt()
        assert refused.value.reason is Reason.UPLOAD_NOT_FOUND
    assert desk.uploads.get(IVAN, record.id).created_by == "iris"
    own = desk.announce(b"xyz", actor=OLGA)
    assert desk.uploads.write(OLGA, own.id, 0, b"xyz").state is UploadState.COMPLETE


def test_a_deleted_upload_loses_its_key_and_its_file(desk: Desk) -> None:
    """Deleting destroys the key first, so that no copy of the file can be opened; it is logged."""
    record = desk.send(secrets.token_bytes(1500))
    copy = desk.file(record).read_bytes()
    assert desk.uploads.delete(IRIS, record.id).state is UploadState.DESTROYED
    assert not desk.file(record).exists()
    desk.file(record).write_bytes(copy)
    with pytest.raises(FrsError) as gone:
        desk.uploads.open(record.id)
    assert gone.value.reason is Reason.UPLOAD_NOT_FOUND
    with pytest.raises(FrsError) as locked:
        desk.store.vault.open(f"upload:{record.id}", copy[8 : 8 + 1029], (0).to_bytes(8, "big"))
    assert locked.value.reason is Reason.KEY_MISSING
    assert desk.uploads.delete(IRIS, record.id).state is UploadState.DESTROYED
    events = desk.audit.list(EventFilter(action="upload"), 10, "").items
    assert [event.action for event in events] == ["upload.created", "upload.destroyed"]


def test_an_upload_that_an_open_job_needs_stays(desk: Desk) -> None:
    """No deletion takes media from a job that has not finished."""
    record = desk.send(b"x" * 100)
    name = desk.queue_job(record)
    with pytest.raises(FrsError) as refused:
        desk.uploads.delete(IRIS, record.id)
    assert refused.value.reason is Reason.UPLOAD_IN_USE
    desk.clock.at += timedelta(hours=25)
    desk.store.database.write(lambda tx: tx.connection.execute(sa.update(job).values(state="done")))
    other = desk.queue_job(record)
    desk.store.database.write(lambda tx: desk.uploads.destroy_unneeded(tx, IRIS, [record.id], name))
    assert desk.uploads.get(IRIS, record.id).state is UploadState.COMPLETE
    desk.store.database.write(lambda tx: tx.connection.execute(sa.update(job).values(state="done")))
    desk.store.database.write(lambda tx: desk.uploads.destroy_unneeded(tx, IRIS, [record.id], other))
    assert desk.uploads.get(IRIS, record.id).state is UploadState.DESTROYED
    assert not desk.file(record).exists()


def test_an_upload_that_is_held_stays(desk: Desk) -> None:
    """What keeps an upload keeps it from deletion and from the end of its last job."""
    record = desk.send(b"x" * 100)
    kept = {record.id}
    desk.uploads.heed(lambda _connection, ids: kept & set(ids))
    with pytest.raises(FrsError, match="A hold keeps") as refused:
        desk.uploads.delete(IRIS, record.id)
    assert refused.value.reason is Reason.UPLOAD_IN_USE
    desk.store.database.write(lambda tx: desk.uploads.destroy_unneeded(tx, IRIS, [record.id], "job"))
    assert b"".join(desk.uploads.open(record.id)) == b"x" * 100
    kept.clear()
    assert desk.uploads.delete(IRIS, record.id).state is UploadState.DESTROYED


def test_a_file_left_by_a_crash_is_swept(desk: Desk) -> None:
    """A file whose upload was destroyed, or that belongs to none, is removed."""
    record = desk.send(b"x" * 100)
    content = desk.file(record).read_bytes()
    desk.uploads.delete(IRIS, record.id)
    desk.file(record).write_bytes(content)
    (desk.settings.data_dir / "uploads" / "stray").write_bytes(b"?")
    desk.uploads.sweep()
    assert list((desk.settings.data_dir / "uploads").iterdir()) == []


def test_a_folder_that_cannot_be_listed_is_told(desk: Desk) -> None:
    """The sweep fails with a reason of the catalogue, and works when the folder is back."""
    folder = desk.settings.data_dir / "uploads"
    folder.rename(folder.with_name("away"))
    with pytest.raises(FrsError) as failed:
        desk.uploads.sweep()
    assert failed.value.reason is Reason.STORAGE_FAILED
    folder.with_name("away").rename(folder)
    desk.uploads.sweep()


def test_records_cannot_be_swapped(desk: Desk) -> None:
    """A piece put at another place of the file does not open: each is bound to its offset."""
    data = secrets.token_bytes(2000)
    record = desk.send(data, piece=1000)
    content = desk.file(record).read_bytes()
    half = len(content) // 2
    desk.file(record).write_bytes(content[half:] + content[:half])
    with pytest.raises(FrsError) as refused:
        b"".join(desk.uploads.open(record.id))
    assert refused.value.reason is Reason.KEY_WRONG
    desk.file(record).write_bytes(content[:half])
    with pytest.raises(FrsError, match="damaged") as damaged:
        b"".join(desk.uploads.open(record.id))
    assert damaged.value.reason is Reason.UPLOAD_CHECKSUM_MISMATCH


def test_a_full_disk_keeps_what_was_acknowledged(desk: Desk) -> None:
    """A write that does not fit is refused as such and can be repeated when there is room."""
    data = secrets.token_bytes(200_000)
    record = desk.announce(data)
    desk.uploads.write(IRIS, record.id, 0, data[:1000])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(FrsError) as refused:
            desk.uploads.write(IRIS, record.id, 1000, data[1000:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert refused.value.reason is Reason.STORAGE_FULL
    assert desk.uploads.get(IRIS, record.id).committed == 1000
    desk.uploads.write(IRIS, record.id, 1000, data[1000:])
    assert b"".join(desk.uploads.open(record.id)) == data


CRASHER = """
    import os, sys
    from pathlib import Path
    from frs.clock import SystemClock
    from tests.match.test_uploads import IRIS, Desk
    from frs.settings import Settings

    desk = Desk.open(Settings(data_dir=Path(sys.argv[1])), SystemClock())
    data = Path(sys.argv[2]).read_bytes()
    record = desk.announce(data)
    print(record.id, flush=True)
    for offset in range(0, len(data), 1000):
        print(desk.uploads.write(IRIS, record.id, offset, data[offset : offset + 1000]).committed, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """After kill -9 the committed size is at least what was acknowledged, and the upload goes on to the right sum."""
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    create_keyring(settings.keyring_path)
    data = secrets.token_bytes(400_000)
    (tmp_path / "media").write_bytes(data)
    command = [sys.executable, "-c", textwrap.dedent(CRASHER), str(settings.data_dir), str(tmp_path / "media")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        acknowledged = [int(process.stdout.readline()) for _ in range(20)]
        process.kill()
    desk = Desk.open(settings, MovingClock())
    record = desk.uploads.get(IRIS, name)
    assert acknowledged[-1] <= record.committed < len(data)
    record = desk.uploads.write(IRIS, name, record.committed, data[record.committed :])
    assert record.state is UploadState.COMPLETE
    assert b"".join(desk.uploads.open(name)) == data
    desk.store.close()


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("uploads") / "data")
    settings.data_dir.mkdir()
    create_keyring(settings.keyring_path)
    desk = Desk.open(settings, MovingClock())
    yield desk
    desk.store.close()


@hypothesis_settings(max_examples=25, deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6))
def test_any_pieces_make_the_file_that_was_sent(shared_desk: Desk, pieces: list[bytes]) -> None:
    """However an upload is cut into pieces, it opens as the bytes that were sent, a piece at a time."""
    record = shared_desk.announce(b"".join(pieces))
    offset = 0
    for piece in pieces:
        offset = shared_desk.uploads.write(IRIS, record.id, offset, piece).committed
    assert list(shared_desk.uploads.open(record.id)) == pieces


@hypothesis_settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10_000), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_never_opens_as_other_bytes(shared_desk: Desk, place: int, flip: int, cut: bool) -> None:
    """Any byte changed, or the end missing, is noticed: no piece comes out that was not sent."""
    data = bytes(range(250)) * 2
    record = shared_desk.send(data, piece=200)
    content = bytearray(shared_desk.file(record).read_bytes())
    place %= len(content)
    content[place] ^= flip
    shared_desk.file(record).write_bytes(content[:place] if cut else content)
    opened: list[bytes] = []
    with pytest.raises(FrsError) as refused:
        opened.extend(shared_desk.uploads.open(record.id))
    assert refused.value.reason in {Reason.KEY_WRONG, Reason.UPLOAD_CHECKSUM_MISMATCH}
    assert data.startswith(b"".join(opened))


class UploadLife(RuleBasedStateMachine):
    """An upload under any sequence of acts, against a model of what is committed."""

    desk: Desk

    @initialize(size=st.integers(1, 900))
    def announce(self, size: int) -> None:
        self.data = secrets.token_bytes(size)
        self.record = self.desk.announce(self.data)
        self.committed = 0
        self.destroyed = False

    @property
    def expected(self) -> UploadState:
        if self.destroyed:
            return UploadState.DESTROYED
        return UploadState.COMPLETE if self.committed == len(self.data) else UploadState.RECEIVING

    @rule(offset=st.integers(0, 950), size=st.integers(1, 400))
    def write_somewhere(self, offset: int, size: int) -> None:
        piece = self.data[offset : offset + size]
        if self.expected is UploadState.RECEIVING and offset == self.committed:
            self.committed = self.desk.uploads.write(IRIS, self.record.id, offset, piece).committed
            assert self.committed == offset + len(piece)
            return
        with pytest.raises(FrsError) as refused:
            self.desk.uploads.write(IRIS, self.record.id, offset, piece)
        assert refused.value.reason is (Reason.UPLOAD_NOT_FOUND if self.destroyed else Reason.UPLOAD_OFFSET_MISMATCH)

    @rule(size=st.integers(1, 400))
    def go_on(self, size: int) -> None:
        self.write_somewhere(self.committed, size)

    @rule()
    def send_other_bytes_to_the_end(self) -> None:
        rest = self.data[self.committed :]
        if self.expected is UploadState.RECEIVING:
            with pytest.raises(FrsError, match="not those announced"):
                self.desk.uploads.write(IRIS, self.record.id, self.committed, rest[:-1] + bytes([rest[-1] ^ 1]))
            self.committed = 0

    @rule()
    def lose_an_unacknowledged_tail(self) -> None:
        if self.expected is UploadState.RECEIVING and self.committed:
            with self.desk.file(self.record).open("ab") as file:
                file.write(b"tail")

    @rule()
    def delete(self) -> None:
        self.desk.uploads.delete(IRIS, self.record.id)
        self.destroyed = True

    @invariant()
    def agrees(self) -> None:
        seen = self.desk.uploads.get(IRIS, self.record.id)
        assert seen.state is self.expected
        assert self.destroyed or seen.committed == self.committed
        assert not (self.destroyed and self.desk.file(self.record).exists())
        if seen.state is UploadState.COMPLETE:
            assert b"".join(self.desk.uploads.open(self.record.id)) == self.data


def test_an_upload_under_any_acts(shared_desk: Desk) -> None:
    """Whatever the order of writes, wrong writes, crashes' tails and deletion, state and bytes are as they must be."""
    UploadLife.desk = shared_desk
    run_state_machine_as_test(
        UploadLife, settings=hypothesis_settings(max_examples=15, stateful_step_count=12, deadline=None)
    )
