"""The part of an export that an interruption leaves: whatever byte it ends at, it is taken up behind its last line."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frs.audit.canonical import canonical
from frs.cli.export_spool import Spool, make_header, reopen
from frs.cli.export_tables import write_csv, write_parquet
from frs.errors import FrsError
from frs.types import Json
from frs.v1 import oversight_pb2 as pb

NOTE = "example.org/log\n30\nAAAA\n\n— example.org/log AAAAAAAA\n"
EVENTS = [
    pb.Event(
        index=3 * number,
        leaf=b'{"seq":1}',
        inclusion_proof=[bytes([number]) * 32] * 5,
        payload_json='{"name":"Zo\u00eb \u2028 #"}' if number % 2 else "",
        payload_nonce=bytes(32) if number % 2 else b"",
    )
    for number in range(10)
]
ANYWHERE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def begin(path: Path) -> Spool:
    spool = Spool(path)
    checkpoint = pb.Checkpoint(signed_note=NOTE, verifier_key="example.org/log+00000000+AAAA")
    asked = {"filter": {"action": "alert"}, "recipient": "the Commissioner", "reason": "review"}
    spool.begin(make_header(checkpoint, asked, payloads=True, proofs=True))  # type: ignore[arg-type]
    return spool


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("spool") / "whole.part"
    spool = begin(path)
    for event in EVENTS:
        spool.add(event)
    spool.finish()
    spool.close()
    return path.read_bytes()


@ANYWHERE
@given(data=st.data())
def test_an_interruption_at_any_byte_is_taken_up(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """What is fetched again makes the file that an uninterrupted export would have made, byte for byte."""
    part = tmp_path / "any.part"
    end = data.draw(st.integers(0, len(whole)))
    noise = data.draw(st.sampled_from([b"", bytes(64), b"\xff{", b"\n\n"]))  # what a power cut may leave behind it
    part.write_bytes(whole[:end] + noise)
    spool = reopen(part)
    assert spool.whole == (whole[:end] + noise).startswith(whole)
    if not spool.header:
        assert spool.last_index == -1
        spool.close()
        return
    assert spool.tree_size == 30
    for event in EVENTS:
        if event.index > spool.last_index and not spool.whole:
            spool.add(event)
    spool.finish()
    assert (spool.events, spool.payloads) == (10, 5)
    spool.close()
    assert part.read_bytes() == whole


def test_what_is_no_part_of_an_export_is_begun_anew(tmp_path: Path) -> None:
    """Another file under the name of the part, or one whose header was cut off."""
    for content in (b"", b"hello\n", b'{"format":"other","version":1}\n', b"[]\n", b"[" * 5000 + b"\n", b"null\n"):
        (tmp_path / "x.part").write_bytes(content)
        spool = reopen(tmp_path / "x.part")
        assert (spool.header, spool.events, spool.whole) == ({}, 0, False)
        spool.close()
        assert (tmp_path / "x.part").read_bytes() == b""


def test_a_line_that_was_changed_ends_what_is_kept(whole: bytes, tmp_path: Path) -> None:
    """The events behind it are fetched again: an export never has a hole."""
    lines = whole.splitlines(keepends=True)
    for number, changed in ((4, lines[2]), (4, b"{}\n"), (4, lines[4][:-1] + b" \n"), (11, b'{"end":true}\n')):
        (tmp_path / "x.part").write_bytes(b"".join([*lines[:number], changed, *lines[number + 1 :]]))
        spool = reopen(tmp_path / "x.part")
        assert (spool.events, spool.whole) == (number - 1, False)
        spool.close()
        assert (tmp_path / "x.part").read_bytes() == b"".join(lines[:number])


def test_one_command_writes_a_part_at_a_time(tmp_path: Path) -> None:
    """Two would mix their lines; and the part is for its owner alone."""
    spool = begin(tmp_path / "x.part")
    with pytest.raises(FrsError, match="another export is writing"):
        Spool(tmp_path / "x.part")
    spool.close()
    assert (tmp_path / "x.part").stat().st_mode & 0o777 == 0o600


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Have every write beyond fail, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_leaves_a_part_that_can_be_resumed(whole: bytes, tmp_path: Path) -> None:
    """Closing it is no second failure; when there is room again the export goes on behind the last whole line."""
    spool = begin(tmp_path / "x.part")
    with files_no_larger_than(1000):
        for event in EVENTS:
            spool.add(event)
        with pytest.raises(OSError, match="too large"):
            spool.finish()
        spool.close()
    resumed = reopen(tmp_path / "x.part")
    assert 0 < resumed.events < len(EVENTS)
    for event in EVENTS[resumed.events :]:
        resumed.add(event)
    resumed.finish()
    resumed.close()
    assert (tmp_path / "x.part").read_bytes() == whole


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_table_is_whole_or_absent(write: Callable[..., None], tmp_path: Path) -> None:
    """What was written of it is removed: it may hold opened payloads. The spool stays, to be tried again."""
    spool = begin(tmp_path / "x.part")
    leaf = {"time": "2027-03-01T09:00:00.000000Z", "action": "a", "operation": "b", "actor": "c"}
    refs: dict[str, Json] = {"watchlists": [], "subjects": []}
    refs |= {"deployment": None, "alert": None, "search": None, "job": None}
    for number in range(200):
        noise = hashlib.sha256(str(number).encode()).hexdigest()
        spool.add(pb.Event(index=number, leaf=canonical({**leaf, "refs": refs, "noise": noise})))
    spool.finish()
    with files_no_larger_than(4000), pytest.raises(OSError, match="too large"):
        write(spool, tmp_path / "x.table", lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["x.part"]
    write(spool, tmp_path / "x.table", lambda _: None)
    spool.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.part", "x.table"]
