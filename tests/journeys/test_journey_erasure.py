"""A person's rights over a real service: erasure with its certificate, a hold that stands against it, and access."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import grpc
import pytest

from frs.cli.main import main
from frs.errors import Reason
from frs.types import new_id
from frs.v1 import (
    operator_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    retention_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from frs.v1 import retention_pb2 as pb
from tests.journeys.asking import photograph, refusal
from tests.journeys.conftest import Desk, ahead
from tests.journeys.service import Service

pytestmark = pytest.mark.journey


@pytest.fixture
def rights(service: Service) -> Any:
    return service.stub(retention_pb2_grpc.RetentionServiceStub, "protection")


def listed(desk: Desk, *people: bytes) -> tuple[str, list[watchlist_pb2.Subject]]:
    """Make an active list of people; returns its name and its subjects."""
    name = desk.draft().name
    subjects = [desk.enrol(name, f"PERSON-{new_id()[:12]}", picture) for picture in people]
    desk.activate(name)
    return name, subjects


def request(nominal: str) -> pb.RequestErasureRequest:
    return pb.RequestErasureRequest(nominal=nominal, reason="the person asked", requested_by="the person")


def package(rights: Any, **asked: Any) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    given = pb.SubjectAccessRequest(reason="request 12/26", recipient="the person", **asked)
    for part in rights.SubjectAccess(given, timeout=60):
        files[part.path] = files.get(part.path, b"") + part.data
    return files


def test_an_erased_person_is_found_nowhere_and_the_certificate_says_so(
    service: Service, desk: Desk, rights: Any, sample_people: tuple[bytes, ...]
) -> None:
    """After the answer no search finds the person, the entry says erased, and the log still finds the nominal."""
    name, (person, other) = listed(desk, *sample_people[:2])
    officer = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer")
    assert officer.Identify(photograph(sample_people[0], name)).candidates
    done = rights.RequestErasure(request(person.nominal))
    assert done.state == pb.ERASURE_STATE_DONE
    certificate = json.loads(done.certificate_json)
    assert certificate["contents"]["destroyed"]["subjects"] == 1
    assert certificate["contents"]["destroyed"]["searches"] == 1
    assert certificate["contents"]["erased"]["policy"] >= 1
    assert not officer.Identify(photograph(sample_people[0], name)).candidates
    assert officer.Identify(photograph(sample_people[1], name)).candidates
    lists = service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "manager")
    found = lists.GetSubject(watchlist_pb2.GetSubjectRequest(name=person.name))
    assert (found.state, found.nominal, found.justification) == (watchlist_pb2.SUBJECT_STATE_ERASED, done.subject, "")
    oversight = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    events = oversight.ListEvents(oversight_pb2.ListEventsRequest(subject=person.nominal)).events
    assert {"subject.enrolled", "operator.search", "erasure.done"} <= {event.action for event in events}
    again = rights.GetErasure(pb.GetErasureRequest(name=done.name))
    assert json.loads(again.certificate_json)["contents"] == certificate["contents"]
    assert done.name in {each.name for each in rights.ListErasures(pb.ListErasuresRequest()).erasures}
    assert other.nominal not in done.certificate_json


def test_a_hold_waits_for_a_decision(desk: Desk, rights: Any, sample_people: tuple[bytes, ...]) -> None:
    """The request stays undecided, a named person decides, and a second decision is refused."""
    _, (person,) = listed(desk, sample_people[2])
    rights.PlaceHold(
        pb.PlaceHoldRequest(
            target=f"nominals/{person.nominal}", reason="a claim", owner="Legal", end_time=ahead(days=1)
        )
    )
    waiting = rights.RequestErasure(request(person.nominal))
    assert (waiting.state, waiting.certificate_json, len(waiting.holds)) == (pb.ERASURE_STATE_UNDECIDED, "", 1)
    decision = pb.DecideErasureRequest(name=waiting.name, decision=pb.ERASURE_DECISION_ERASE, reason="claim settled")
    done = rights.DecideErasure(decision)
    assert (done.state, done.decided_by) == (pb.ERASURE_STATE_DONE, "protection")
    assert refusal(rights.DecideErasure, decision).reason == Reason.ERASURE_DECIDED
    assert refusal(rights.GetErasure, pb.GetErasureRequest(name="erasures/none")).reason == Reason.ERASURE_NOT_FOUND


def test_a_person_reads_what_is_held(desk: Desk, rights: Any, sample_people: tuple[bytes, ...]) -> None:
    """The package holds record, report and pictures; after an erasure the events are still in it."""
    _, (person,) = listed(desk, sample_people[3])
    files = package(rights, nominal=person.nominal)
    data = json.loads(files["data.json"])
    assert [entry["state"] for entry in data["entries"]] == ["enrolled"]
    assert files[data["entries"][0]["images"][0]["picture"]][:2] == b"\xff\xd8"
    assert b"<script" not in files["report.html"]
    rights.RequestErasure(request(person.nominal))
    after = json.loads(package(rights, nominal=person.nominal)["data.json"])
    assert after["entries"][0]["state"] == "erased"
    assert {event["payload"] for event in after["events"] if event["action"] == "subject.enrolled"} == {"erased"}
    assert [copy["place"] for copy in after["copies"]] == ["the person"]


def test_access_refuses_what_it_cannot_answer(rights: Any, service: Service) -> None:
    """Neither or both of nominal and photograph, an unknown person, and another role are refused."""
    refused: tuple[tuple[dict[str, Any], Reason], ...] = (
        ({}, Reason.INVALID_FIELD),
        ({"nominal": "N", "photograph": b"x"}, Reason.INVALID_FIELD),
        ({"nominal": "NOBODY-0"}, Reason.PERSON_NOT_FOUND),
    )
    for asked, reason in refused:
        error = refusal(lambda given, timeout: list(rights.SubjectAccess(given, timeout=timeout)), _asked(**asked))
        assert error.reason == reason
    with pytest.raises(grpc.RpcError):
        list(service.stub(retention_pb2_grpc.RetentionServiceStub, "oversight").SubjectAccess(_asked(nominal="N")))


def _asked(**given: Any) -> pb.SubjectAccessRequest:
    return pb.SubjectAccessRequest(reason="request", recipient="the person", **given)


def test_the_command_line_erases_and_gives_access(
    service: Service,
    desk: Desk,
    sample_people: tuple[bytes, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`frs subject-access` writes a folder or a zip file; `frs erasure` erases, shows, lists and keeps certificates."""
    monkeypatch.setenv("FRS_DATA_DIR", str(service.data))
    monkeypatch.setenv("FRS_IDENTITY", "protection")
    _, (person,) = listed(desk, sample_people[4])
    why = ("--reason", "request 12/26", "--recipient", "the person")
    give = ["subject-access", "--nominal", person.nominal, *why, "--output"]
    assert main([*give, str(tmp_path / "given")]) == 0
    assert "report.html" in capsys.readouterr().out
    assert (tmp_path / "given" / "report.html").stat().st_mode & 0o077 == 0
    assert main([*give, str(tmp_path / "g.zip"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["held"]["entries"] == 1
    assert {"data.json", "report.html"} < set(zipfile.ZipFile(tmp_path / "g.zip").namelist())
    asked = ["erasure", "request", person.nominal, "--reason", "asked", "--requested-by", "the person"]
    assert main([*asked, "--certificate", str(tmp_path / "certificate.json")]) == 0
    assert "subject-access" in capsys.readouterr().out
    certificate = json.loads((tmp_path / "certificate.json").read_text())
    assert certificate["format"] == "frs-erasure-certificate"
    name = certificate["contents"]["certificate"]
    assert main(["erasure", "show", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["certificate"]["contents"] == certificate["contents"]
    assert main(["erasure", "list"]) == 0
    assert name in capsys.readouterr().out
    assert main(["erasure", "decide", name, "keep", "--reason", "too late"]) == 1
    assert "ERASURE_DECIDED" in capsys.readouterr().err
