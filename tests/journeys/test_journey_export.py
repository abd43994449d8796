"""The log given to somebody outside: exports that are interrupted and resumed, watched events, and their verification.

A service of its own over a log of more than 20,000 events.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from frs_verify.cli import main as frs_verify

from frs.clock import SystemClock
from frs.settings import Settings
from frs.v1 import oversight_pb2 as pb
from frs.v1 import oversight_pb2_grpc
from tests.audit_house import AuditHouse, alert_event
from tests.journeys.asking import refusal
from tests.journeys.service import ROOT, Service, environment, prepare
from tests.journeys.terminal import Terminal
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey

EVENTS = 20_001  # of 5 people in 3 deployments
OF_ONE = 1334  # of them on the same person in the same deployment
TO = ("--recipient", "the Commissioner", "--reason", "annual review")
MOST_MEMORY = 64 * 1024  # KiB that a service may grow by, however much it gives out


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Service]:
    """Run a service over a log that was filled beforehand."""
    data = prepare(tmp_path_factory.mktemp("archive") / "data", models)
    house = AuditHouse(Settings(data_dir=data), SystemClock())
    for first in range(0, EVENTS, 2000):
        house.append(*(alert_event(number) for number in range(first, min(first + 2000, EVENTS))))
    house.close()
    with Service(data, models) as running:
        yield running


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the first test puts an export of the whole log."""
    return tmp_path_factory.mktemp("large") / "log.ndjson"


@pytest.fixture
def terminal(archive: Service) -> Terminal:
    return Terminal(archive)


@pytest.fixture
def key(archive: Service) -> str:
    return str(archive.data / "log.vkey")


def oversight(archive: Service) -> Any:
    return archive.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")


def running(archive: Service, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of oversight's in a process of its own."""
    command = [sys.executable, "-m", "frs.cli.main", *arguments, "--data", str(archive.data), "--identity", "oversight"]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(archive.data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def grown(path: Path, least: int, process: subprocess.Popen[str]) -> None:
    """Return when a file has so many bytes."""
    until = time.monotonic() + 30
    while not path.exists() or path.stat().st_size < least:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)


def peak_memory(archive: Service) -> int:
    """Return the most memory that the service has held so far, KiB."""
    status = Path(f"/proc/{archive.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def events_of(path: Path) -> list[dict[str, Any]]:
    """Return an export's events without their proofs, which lead to different trees, and without payloads."""
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:-1]]
    return [{"index": line["index"], "leaf": line["leaf"]} for line in lines]


def test_a_large_log_is_exported_within_bounded_memory_and_verifies(
    archive: Service, terminal: Terminal, key: str, large: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole and with payloads; the verifier needs the public key and the file."""
    before = peak_memory(archive)
    told = terminal.ask("audit", "export", "--output", str(large), *TO, "--payloads", identity="oversight")
    assert told["events"] == told["tree_size"] == told["payloads"] > EVENTS
    assert told["complete"]
    assert [path.name for path in large.parent.iterdir()] == ["log.ndjson"]
    assert peak_memory(archive) - before < MOST_MEMORY
    assert frs_verify(["export", str(large), "--key", key, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"] == told["events"]
    (newest,) = oversight(archive).ListEvents(pb.ListEventsRequest(page_size=1, action="log.exported")).events
    proven = oversight(archive).GetEvent(pb.GetEventRequest(name=newest.name))
    details = json.loads(proven.payload_json)["details"]
    assert (details["recipient"], details["reason"], details["tree_size"]) == (
        "the Commissioner",
        "annual review",
        told["tree_size"],
    )


def test_the_three_formats_agree(terminal: Terminal, key: str, tmp_path: Path) -> None:
    """Event for event, with a filter; each verifies."""
    choice = ("--deployment", "d1", "--nominal", "N1", "--action", "alert", "--payloads")
    counts = set()
    for kind in ("ndjson", "csv", "parquet"):
        path = tmp_path / f"some.{kind}"
        told = terminal.ask(
            "audit", "export", "--format", kind, "--output", str(path), *TO, *choice, identity="oversight"
        )
        counts.add(told["events"])
        assert frs_verify(["export", str(path), "--key", key]) == 0
    assert counts == {OF_ONE}
    from frs_verify.export_sources import open_source

    found = []
    for kind in ("ndjson", "csv", "parquet"):
        with (tmp_path / f"some.{kind}").open(encoding="utf-8", newline="\n") as file:
            source = open_source(tmp_path / f"some.{kind}", file)
            found.append([(line.index, line.leaf, line.payload, line.nonce) for line in source.lines()])
    assert found[0] == found[1] == found[2]


def test_a_killed_export_is_resumed_behind_its_last_whole_line(
    archive: Service, terminal: Terminal, key: str, large: Path, tmp_path: Path
) -> None:
    """The file has the same events as one that was never interrupted; nothing has its name before it is whole."""
    output, part = tmp_path / "log.ndjson", tmp_path / "log.ndjson.part"
    arguments = ("audit", "export", "--output", str(output), "--action", "alert", "--deployment", "d1", *TO)
    process = running(archive, *arguments)
    grown(part, 300_000, process)
    process.kill()
    process.communicate()
    assert not output.exists()
    data = part.read_bytes()
    part.write_bytes(data[: len(data) - 37])  # as a power cut leaves it
    again = terminal.run(*arguments, identity="oversight")
    assert (again.status, "--resume" in again.err) == (2, True)
    other = terminal.run(*arguments[:-1], "another reason", "--resume", identity="oversight")
    assert (other.status, "another reason" in other.err) == (2, True)
    told = terminal.ask(*arguments, "--resume", identity="oversight")
    assert 0 < told["resumed_after"] < told["events"] == EVENTS // 3
    assert frs_verify(["export", str(output), "--key", key]) == 0
    assert events_of(output) == [event for event in events_of(large) if '"deployment":"d1"' in event["leaf"]]
    once_more = terminal.run(*arguments, "--resume", identity="oversight")
    assert (once_more.status, "is there already" in once_more.err) == (2, True)


def test_an_export_that_the_server_s_stop_interrupts_says_so_and_is_resumed(
    archive: Service, key: str, tmp_path: Path
) -> None:
    """With the same tree, by the next run of the service."""
    output, part = tmp_path / "log.csv", tmp_path / "log.csv.part"
    choice = ("--action", "alert", "--deployment", "d2", "--payloads")
    arguments = ("audit", "export", "--format", "csv", "--output", str(output), *TO, *choice)
    process = running(archive, *arguments)
    grown(part, 300_000, process)
    assert archive.stop() == 0
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, "[EXPORT_INTERRUPTED]" in errors, "--resume" in errors) == (1, True, True), errors
    assert not output.exists()
    archive.start()
    told = Terminal(archive).ask(*arguments, "--resume", identity="oversight")
    assert 0 < told["resumed_after"] < told["events"] == EVENTS // 3
    assert frs_verify(["export", str(output), "--key", key]) == 0
    assert not part.exists()


def test_a_client_that_stops_reading_holds_nothing_up(archive: Service) -> None:
    """Others are served, the service's memory stays, and it forgets the client when that leaves."""
    before = peak_memory(archive)
    log = oversight(archive)
    request = pb.ExportEventsRequest(recipient="the Commissioner", reason="review", with_payloads=True)
    idle = [log.ExportEvents(request) for _ in range(6)]  # more than there are threads for streams
    watched = log.WatchEvents(pb.WatchEventsRequest(from_index=0))
    try:
        for answers in idle:
            assert next(iter(answers)).checkpoint.tree_size > EVENTS
        next(iter(watched))
        for _ in range(3):
            log.GetCheckpoint(pb.GetCheckpointRequest(), timeout=10)
        wanted = pb.EventFilter(action="alert", subject="N1", deployment="deployments/d1")
        request = pb.ExportEventsRequest(recipient="the Commissioner", reason="review", filter=wanted)
        assert sum(len(answer.events) for answer in log.ExportEvents(request, timeout=60)) == OF_ONE
        assert peak_memory(archive) - before < MOST_MEMORY
    finally:
        for stream in (*idle, watched):
            stream.cancel()


def test_exports_that_cannot_be_are_refused(archive: Service, terminal: Terminal, tmp_path: Path) -> None:
    """A tree that was never signed, an index beyond it, nobody to receive it; and who may not."""

    def export(request: Any, timeout: float) -> Any:
        return list(oversight(archive).ExportEvents(request, timeout=timeout))

    given: dict[str, Any] = {"recipient": "the Commissioner", "reason": "review"}
    for changes, reason in (
        ({"tree_size": 10**9}, "CHECKPOINT_NOT_FOUND"),
        ({"first_index": 10**9}, "EVENT_NOT_FOUND"),
        ({"recipient": ""}, "INVALID_FIELD"),
        ({"reason": ""}, "INVALID_FIELD"),
    ):
        assert refusal(export, pb.ExportEventsRequest(**{**given, **changes})).reason == reason
    output = str(tmp_path / "log.ndjson")
    ran = terminal.run("audit", "export", "--output", output, *TO, identity="reviewer")
    assert (ran.status, "[PERMISSION_DENIED]" in ran.err) == (4, True)
    assert terminal.run("audit", "export", "--output", output, *TO, "--job", "j", "--no-proofs").status == 2
    assert terminal.run("audit", "export", "--output", str(tmp_path / "no" / "x"), *TO).status == 2
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_size] == []


def test_a_bundle_of_an_event_verifies(
    terminal: Terminal, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its payload and without; a file that is there is left alone."""
    path = tmp_path / "event.json"
    told = terminal.ask("audit", "bundle", "17", "--output", str(path), identity="oversight")
    assert (told["event"], told["action"], told["payload"]) == (17, "alert.raised", True)
    assert frs_verify(["bundle", str(path), "--key", key, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["payload"]["details"]["reason"] == "free text 17"
    again = terminal.run("audit", "bundle", "17", "--output", str(path), identity="oversight")
    assert (again.status, "is there already" in again.err) == (2, True)
    bare = tmp_path / "bare.json"
    terminal.ask("audit", "bundle", "17", "--no-payload", "--output", str(bare), identity="oversight")
    assert frs_verify(["bundle", str(bare), "--key", key]) == 0
    assert "free text" not in bare.read_text()


def test_new_events_are_watched_without_an_event_for_each(archive: Service) -> None:
    """As they are appended, filtered, and again from any index; the log is told of a watch twice, whatever it gives."""
    log = oversight(archive)
    size = log.GetCheckpoint(pb.GetCheckpointRequest()).tree_size
    everything = log.WatchEvents(pb.WatchEventsRequest(), timeout=60)
    opened = next(iter(everything))
    assert (opened.index, opened.action) == (size, "log.watched")
    assert opened.payload_json == ""
    wanted = pb.WatchEventsRequest(from_index=0, filter=pb.EventFilter(action="log.proof-read"))
    proofs = log.WatchEvents(wanted, timeout=60)
    for _ in range(30):
        log.GetCheckpoint(pb.GetCheckpointRequest())
    heard = [next(iter(everything)) for _ in range(31)]
    assert [event.index for event in heard] == list(range(size + 1, size + 32))
    assert [event.action for event in heard].count("log.watched") == 1  # that the second watch began
    checks = [next(iter(proofs)) for _ in range(30)]
    assert {event.action for event in checks} == {"log.proof-read"}
    assert [event.index for event in checks] == sorted({event.index for event in checks})
    proofs.cancel()
    closed = next(iter(everything))
    assert closed.action == "log.watched"
    details = json.loads(log.GetEvent(pb.GetEventRequest(name=closed.name)).payload_json)["details"]
    assert (details["watch"], details["from"], details["events"] >= 30) == ("closed", 0, True)
    everything.cancel()


def test_a_watch_from_beyond_the_log_is_refused(archive: Service) -> None:
    """The position is another installation's: waiting for it would be silence for ever."""

    def watch(request: Any, timeout: float) -> Any:
        return list(oversight(archive).WatchEvents(request, timeout=timeout))

    error = refusal(watch, pb.WatchEventsRequest(from_index=10**9))
    assert (error.reason, error.metadata["field"]) == ("INVALID_FIELD", "from_index")


def test_the_command_watches_a_bounded_number(terminal: Terminal) -> None:
    """For people a line each, and JSON lines for programs."""
    ran = terminal.run("audit", "watch", "--from", "3", "--limit", "2", identity="oversight")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["3", "4"]
    ran = terminal.run("audit", "watch", "--from", "3", "--limit", "1", "--alert", "a7", "--json", identity="oversight")
    assert [json.loads(line)["leaf"]["refs"]["alert"] for line in ran.out.splitlines()] == ["a7"]


def test_the_server_s_stop_ends_watches_at_once(archive: Service) -> None:
    """A watch that waits, and one whose client does not read, hold the stop up by no time of theirs."""
    waiting = oversight(archive).WatchEvents(pb.WatchEventsRequest())
    next(iter(waiting))
    began = time.monotonic()
    archive.process.send_signal(signal.SIGTERM)
    with pytest.raises(grpc.RpcError) as caught:
        list(waiting)
    assert rich(caught.value).reason == "SHUTTING_DOWN"
    assert archive.wait() == 0
    assert time.monotonic() - began < 10
    archive.start()
