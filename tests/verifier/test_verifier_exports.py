"""An export verifies with the public key alone, in each format; whatever is changed in it is found and named."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from frs_verify import export_format
from frs_verify.checkpoint import Trust
from frs_verify.encoding import canonical
from frs_verify.export import ExportReport, verify_export
from frs_verify.failure import CannotVerifyError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frs.audit.log import EventFilter
from frs.cli import export_tables
from frs.cli.export_tables import write_csv, write_parquet
from tests.audit_house import AuditHouse
from tests.verifier.exported import export_file, spool_of
from tests.verifier.test_verifier_bundles import mutations

WITHIN_A_TEST = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(house: AuditHouse, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the lines of an export of the whole log with payloads."""
    path = export_file(house, tmp_path_factory.mktemp("export") / "whole.ndjson")
    return path.read_text().splitlines()


def check(path: Path, trust: Trust, lines: list[str], *, ended: bool = True) -> ExportReport:
    path.write_bytes(("\n".join(lines) + ("\n" if ended else "")).encode("utf-8", "surrogatepass"))
    return verify_export(path, trust)


def sealed(lines: list[str]) -> list[str]:
    """Return lines with a trailer that fits them: the sum finds damage, and no forger is stopped by it."""
    digest = hashlib.sha256("".join(f"{line}\n" for line in lines[:-1]).encode("utf-8", "surrogatepass")).hexdigest()
    return [*lines[:-1], canonical({"end": True, "events": len(lines) - 2, "sha256": digest})]


def with_line(lines: list[str], number: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> list[str]:
    """Return an export in which one line is changed, and everything that is not signed fits again."""
    return sealed([*lines[:number], canonical(change(json.loads(lines[number]))), *lines[number + 1 :]])


def messages(report: ExportReport) -> list[str]:
    return [problem.message for problem in report.problems]


def test_a_whole_log_verifies_in_every_format(house: AuditHouse, trust: Trust, tmp_path: Path) -> None:
    """And the three tell the same: CSV and Parquet give the very lines of NDJSON again."""
    spool = spool_of(house, tmp_path / "log.ndjson")
    write_csv(spool, tmp_path / "log.csv", lambda _: None)
    write_parquet(spool, tmp_path / "log.parquet", lambda _: None)
    spool.close()
    reports = [verify_export(tmp_path / f"log.{kind}", trust) for kind in ("ndjson", "csv", "parquet")]
    for report in reports:
        assert messages(report) == []
        assert report.header is not None
        assert report.header.complete
        assert report.events == report.payloads == spool.events
    assert reports[0] == reports[1] == reports[2]
    assert export_tables.COLUMNS == export_format.COLUMNS


@pytest.mark.parametrize(("proofs", "payloads"), [(True, False), (False, True), (False, False)])
def test_proofs_and_payloads_may_be_left_out(
    house: AuditHouse, trust: Trust, tmp_path: Path, proofs: bool, payloads: bool
) -> None:
    """Without proofs the events prove each other together: their root is the one that was signed."""
    spool = spool_of(house, tmp_path / "log.ndjson", proofs=proofs, payloads=payloads)
    write_csv(spool, tmp_path / "log.csv", lambda _: None)
    write_parquet(spool, tmp_path / "log.parquet", lambda _: None)
    spool.close()
    for kind in ("ndjson", "csv", "parquet"):
        report = verify_export(tmp_path / f"log.{kind}", trust)
        assert messages(report) == []
        assert (report.events, report.payloads) == (spool.events, spool.events * payloads)
    lines = (tmp_path / "log.ndjson").read_text().splitlines()
    changed = with_line(
        lines, 5, lambda fields: {**fields, "leaf": fields["leaf"].replace('"combination"', '"combinatiom"')}
    )
    found = messages(check(tmp_path / "changed", trust, changed))
    assert found == (
        ["Event 4 is not in the log that was signed: the event or its proof was altered."] * proofs
        + ["The events together are not the log that was signed."]
    )


def test_an_export_with_a_filter_verifies(house: AuditHouse, trust: Trust, tmp_path: Path) -> None:
    """Each event against the tree; one that does not pass the filter that the header names is found."""
    path = export_file(house, tmp_path / "some.ndjson", EventFilter(deployment="d1", action="alert"))
    report = verify_export(path, trust)
    assert messages(report) == []
    assert report.events == 7
    assert report.header is not None
    assert not report.header.complete
    lines = path.read_text().splitlines()
    for other, told in (
        ({"deployment": "deployments/d2"}, "deployment"),
        ({"action": "watchlist"}, "action"),
        ({"until": "2020-01-01T00:00:00+00:00"}, "until"),
        ({"since": "2120-01-01T00:00:00+00:00"}, "since"),
        ({"watchlist": "watchlists/other"}, "watchlist"),
    ):
        changed = with_line(lines, 0, lambda header, other=other: {**header, "filter": other})  # type: ignore[misc]
        found = check(tmp_path / "changed", trust, changed)
        assert found.problems[0].event == 1
        assert f"own filter ({told})" in found.problems[0].message


def test_no_field_of_an_event_can_be_changed(whole: list[str], trust: Trust, tmp_path: Path) -> None:
    """Though the trailer's sum is made to fit: the failure names the event, or the line where there is none."""
    fields = json.loads(whole[9])
    for what, changed in mutations(fields):
        lines = sealed([*whole[:9], json.dumps(changed, sort_keys=True, separators=(",", ":")), *whole[10:]])
        report = check(tmp_path / "changed", trust, lines)
        assert report.problems, what
        told = report.problems[0]
        assert "8" in told.message or "ine 10" in told.message or told.event is not None, (what, told.message)
    leaf = json.loads(fields["leaf"])
    for what, changed in mutations(leaf):
        lines = with_line(whole, 9, lambda line, changed=changed: {**line, "leaf": canonical(changed)})  # type: ignore[misc]
        assert check(tmp_path / "changed", trust, lines).problems[0].event == 8, what


def test_no_field_of_header_and_trailer_can_be_changed(whole: list[str], trust: Trust, tmp_path: Path) -> None:
    """Recipient, reason and filter are the sender's word: they are found changed by the sum, unless that fits too."""
    unsigned = {"recipient", "reason", "payloads", "filter", "complete", "proofs"}
    for number in (0, len(whole) - 1):
        for what, changed in mutations(json.loads(whole[number])):
            lines = [*whole[:number], canonical(changed), *whole[number + 1 :]]
            assert check(tmp_path / "changed", trust, lines).problems, what
            if number == 0 and what.partition(" ")[0] not in unsigned:
                assert check(tmp_path / "changed", trust, sealed(lines)).problems, what


def test_events_left_out_added_repeated_or_moved_are_found(whole: list[str], trust: Trust, tmp_path: Path) -> None:
    """Though every sum that is not signed fits: a complete export is the whole tree and nothing else."""
    for what, lines, told in (
        ("left out", [*whole[:5], *whole[6:]], "Event 5 stands where event 4 belongs."),
        ("the last left out", [*whole[:-2], whole[-1]], "were signed"),
        ("the first left out", [whole[0], *whole[2:]], "Event 1 stands where event 0 belongs."),
        ("repeated", [*whole[:5], whole[4], *whole[5:]], "Event 3 stands where event 4 belongs."),
        ("moved", [*whole[:4], whole[5], whole[4], *whole[6:]], "Event 4 stands where event 3 belongs."),
        ("all left out", [whole[0], whole[-1]], "has 0 events"),
    ):
        found = messages(check(tmp_path / "changed", trust, sealed(lines)))
        assert any(told in message for message in found), (what, found)
    some = json.loads(whole[0]) | {"complete": False, "filter": {"action": "alert"}}
    partial = [canonical(some), *whole[1:6], whole[-1]]
    assert messages(check(tmp_path / "changed", trust, sealed(partial))) == []
    moved = [*partial[:2], partial[3], partial[2], *partial[4:]]
    assert "out of order" in messages(check(tmp_path / "changed", trust, sealed(moved)))[0]


def test_an_export_that_was_cut_off_is_told_from_a_whole_one(whole: list[str], trust: Trust, tmp_path: Path) -> None:
    """Between two lines by the missing trailer, within a line by its missing end; what stands behind it is refused."""
    assert "trailer is missing" in messages(check(tmp_path / "cut", trust, whole[:-1]))[-1]
    assert "cut off after 0 events" in messages(check(tmp_path / "cut", trust, whole[:1]))[0]
    text = "\n".join(whole) + "\n"
    for end in range(1, len(text), 397):
        (tmp_path / "cut").write_text(text[:end])
        assert verify_export(tmp_path / "cut", trust).problems
    (tmp_path / "cut").write_text(text[:-1])
    assert "cut off in line" in messages(verify_export(tmp_path / "cut", trust))[0]
    assert "behind the trailer" in messages(check(tmp_path / "cut", trust, [*whole, whole[3]]))[0]
    (tmp_path / "cut").write_bytes(b"")
    assert verify_export(tmp_path / "cut", trust).problems
    with pytest.raises(CannotVerifyError, match="cannot be read"):
        verify_export(tmp_path / "nowhere", trust)


def test_an_earlier_checkpoint_must_be_continued(house: AuditHouse, trust: Trust, tmp_path: Path) -> None:
    """A regulator who kept one notices a log that was rewritten in between, though it is signed."""
    earlier = house.log.checkpoint()
    house.fill(3)
    path = export_file(house, tmp_path / "log.ndjson", proofs=False)
    assert messages(verify_export(path, trust, earlier)) == []
    lines = path.read_text().splitlines()
    header = json.loads(lines[0])
    partial = [canonical(header | {"complete": False, "proofs": True, "filter": {"action": "alert"}}), lines[-1]]
    check(tmp_path / "partial", trust, sealed(partial))
    assert "Only a complete export" in messages(verify_export(tmp_path / "partial", trust, earlier))[0]
    later = house.log.checkpoint()
    assert "only" in messages(verify_export(path, trust, later))[0]


def test_a_column_for_people_says_what_the_leaf_says(house: AuditHouse, trust: Trust, tmp_path: Path) -> None:
    """A table in which only the readable column was changed would deceive whoever reads that."""
    spool = spool_of(house, tmp_path / "log.ndjson")
    write_csv(spool, tmp_path / "log.csv", lambda _: None)
    spool.close()
    text = (tmp_path / "log.csv").read_text()
    for old, new, told in (
        (",alert.raised,", ",alert.viewed,", "'action'"),
        (",d1,", ",d2,", "'deployment'"),
        (",combination,", ",review,", "'operation'"),
    ):
        (tmp_path / "changed.csv").write_text(text.replace(old, new, 1))
        report = verify_export(tmp_path / "changed.csv", trust)
        assert report.problems[0].event in {0, 1}
        assert told in report.problems[0].message
    for old, new in (("index,time", "time,index"), ("\n1,", "\n01,"), ("\n1,", "\nx,"), (",alert.raised,", ",")):
        (tmp_path / "changed.csv").write_text(text.replace(old, new, 1))
        assert verify_export(tmp_path / "changed.csv", trust).problems
    (tmp_path / "changed.csv").write_text(text.rpartition("# ")[0])
    assert "trailer is missing" in messages(verify_export(tmp_path / "changed.csv", trust))[-1]


def test_a_damaged_parquet_file_is_told(house: AuditHouse, trust: Trust, tmp_path: Path) -> None:
    """Cut off, or with bytes changed anywhere: nothing but a report comes out."""
    spool = spool_of(house, tmp_path / "log.ndjson", payloads=False)
    write_parquet(spool, tmp_path / "log.parquet", lambda _: None)
    spool.close()
    data = (tmp_path / "log.parquet").read_bytes()
    for end in (4, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "changed").write_bytes(data[:end])
        assert verify_export(tmp_path / "changed", trust).problems
    for place in range(4, len(data), max(1, len(data) // 150)):
        (tmp_path / "changed").write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        verify_export(tmp_path / "changed", trust)  # some bytes carry nothing; none may raise


@WITHIN_A_TEST
@given(data=st.data())
def test_no_file_breaks_the_reader(whole: list[str], trust: Trust, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is put in place of a line, or of bytes anywhere: a report with a problem, and never an exception."""
    number = data.draw(st.integers(0, len(whole) - 1))
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    )
    fields = json.loads(whole[number])
    name = data.draw(st.sampled_from(sorted(fields)))
    value = data.draw(values)
    if value == fields[name] and type(value) is type(fields[name]):
        return
    line = json.dumps({**fields, name: value}, sort_keys=True, separators=(",", ":"))
    assert check(tmp_path / "any", trust, [*whole[:number], line, *whole[number + 1 :]]).problems
    raw = bytearray("\n".join(whole).encode() + b"\n")
    place = data.draw(st.integers(0, len(raw) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=6))
    if bytes(raw[place : place + len(noise)]) != noise:
        raw[place : place + len(noise)] = noise
        (tmp_path / "any").write_bytes(bytes(raw))
        assert verify_export(tmp_path / "any", trust).problems


@WITHIN_A_TEST
@given(noise=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_noise_is_no_export(trust: Trust, tmp_path: Path, noise: bytes) -> None:
    """Also when it begins like CSV or like Parquet."""
    for beginning in (b"", b"# ", b"PAR1", b"{"):
        (tmp_path / "noise").write_bytes(beginning + noise)
        assert verify_export(tmp_path / "noise", trust).problems


def test_hashes_are_compared_whole(whole: list[str], trust: Trust, tmp_path: Path) -> None:
    """A proof of another length, of other lengths of hashes, or in another order proves nothing."""
    proof = json.loads(whole[9])["proof"]
    short = base64.b64encode(bytes(31)).decode()
    for other in (proof[:-1], [*proof, proof[0]], proof[::-1], [*proof[:-1], short], None, "x", [1]):
        lines = with_line(whole, 9, lambda line, other=other: {**line, "proof": other})  # type: ignore[misc]
        assert check(tmp_path / "changed", trust, lines).problems[0].event == 8
