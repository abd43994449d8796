"""Every method of the contract, called over a real service, logs what the table of recording says that it must."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from frs.access.methods import EVERYONE, METHODS
from frs.access.recording import RECORDING, Logs
from frs.audit.actions import OPERATION, Action
from frs.v1 import oversight_pb2 as pb
from frs.v1 import oversight_pb2_grpc, review_pb2, review_pb2_grpc, watchlist_pb2, watchlist_pb2_grpc
from tests.access.test_method_table import every_method
from tests.journeys.recipes import RECIPES, WITHOUT_END, Stage
from tests.journeys.service import IDENTITIES, Service, prepare
from tests.json_schema import violations
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey
SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "audit-event.schema.json").read_text())
SETTINGS = """
[server]
reflection = true
[retention]
upload_hours = 1e-9
run_seconds = 3600
"""
CALLED = sorted(RECORDING)


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, models: Path, sample_people: tuple[bytes, ...], group_picture: bytes
) -> Iterator[Stage]:
    """Give a service of these tests' own, whose unused uploads are due at once."""
    data = prepare(tmp_path_factory.mktemp("events") / "data", models)
    with (data / "frs.toml").open("a") as settings:
        settings.write(SETTINGS)
    with Service(data, models) as running:
        yield Stage(running, sample_people, group_picture)


class Log:
    """The log as an identity of its own reads it: its reads are never among what is looked for."""

    def __init__(self, service: Service, identity: str = "auditor") -> None:
        self._stub = service.stub(oversight_pb2_grpc.OversightServiceStub, identity)

    def size(self) -> int:
        newest = self._stub.ListEvents(pb.ListEventsRequest(page_size=1, newest_first=True)).events
        return newest[0].index + 1 if newest else 0

    def since(self, index: int, **filters: Any) -> list[pb.Event]:
        """Return the events from an index on that pass the filters, newest first."""
        request = pb.ListEventsRequest(page_size=1000, newest_first=True, **filters)
        return [event for event in self._stub.ListEvents(request).events if event.index >= index]

    def whole(self, event: pb.Event) -> pb.Event:
        found: pb.Event = self._stub.GetEvent(pb.GetEventRequest(name=event.name))
        return found

    def of_calls(self, index: int, actor: str) -> list[pb.Event]:
        """Return what calls of an identity logged; that it signed in, perhaps with the first, is no part of that."""
        return [event for event in self.since(index, actor=actor) if event.action != Action.ACCESS_SIGNED_IN]

    def payload(self, event: pb.Event) -> Any:
        return json.loads(self.whole(event).payload_json)


def descriptor(method: str) -> MethodDescriptor:
    found: MethodDescriptor = descriptor_pool.Default().FindMethodByName(method[1:].replace("/", "."))
    return found


def make(channel: grpc.Channel, method: str, request: Any) -> None:
    """Make a call of whatever kind; read the answer to its end, or its first message where it has none."""
    about = descriptor(method)
    kind = f"{'stream' if about.client_streaming else 'unary'}_{'stream' if about.server_streaming else 'unary'}"
    answer_class = GetMessageClass(about.output_type)
    callable_ = getattr(channel, kind)(
        method,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer_class.FromString,
    )
    answer = callable_(iter(request) if about.client_streaming else request, timeout=60)
    if method in WITHOUT_END:
        next(answer)
        answer.cancel()
    elif about.server_streaming:
        assert list(answer)


def test_every_method_has_a_recipe_and_a_row() -> None:
    """Of the descriptors, so that a method that is added cannot be forgotten."""
    assert set(RECIPES) == every_method() == set(RECORDING)


@pytest.mark.parametrize("method", CALLED)
def test_a_successful_call_logs_what_the_table_says(stage: Stage, method: str) -> None:
    """Under the caller's name, at the latest when the stream is over; a call that logs nothing leaves no event."""
    call = RECIPES[method](stage)
    log, row = Log(stage.service), RECORDING[method]
    before = log.size()
    make(stage.service.channel(call.identity), method, call.request)

    expected = {str(action) for action in row.actions} if isinstance(row, Logs) else set()
    until = time.monotonic() + 10
    found = log.of_calls(before, call.identity)
    while not expected <= {event.action for event in found} and time.monotonic() < until:
        time.sleep(0.05)
        found = log.of_calls(before, call.identity)
    assert expected <= {event.action for event in found}
    assert bool(found) is bool(expected)
    for event in found:
        payload = log.payload(event)
        assert payload["actor"]["name"] == call.identity
        assert payload["policy"] >= 1


def test_every_refused_call_is_logged_with_who_tried(stage: Stage) -> None:
    """Each method, by an identity that may not call it; the refusal names identity, method and credential."""
    log = Log(stage.service)
    before = log.size()
    expected = set()
    for method in CALLED:
        names = [name for name, roles in sorted(IDENTITIES.items()) if not METHODS[method] & set(roles)]
        if not names:
            assert METHODS[method] == EVERYONE
            continue
        about = descriptor(method)
        request = GetMessageClass(about.input_type)()
        with pytest.raises(grpc.RpcError) as caught:
            make(stage.service.channel(names[0]), method, [request] if about.client_streaming else request)
        assert rich(caught.value).reason == "PERMISSION_DENIED", method
        expected.add((names[0], method))

    refused = log.since(before, action="access.refused")
    payloads = [log.payload(event) for event in refused]
    assert {(each["actor"]["name"], each["details"]["method"]) for each in payloads} == expected
    assert all(each["actor"]["credential"].startswith("certificate:") for each in payloads)
    assert {event.operation for event in refused} == {"system"}


def test_whose_record_was_read_is_found_by_their_nominal(stage: Stage) -> None:
    """A listing, a look and an alert that is listed: each is among the events of the person."""
    lists = stage.stub(watchlist_pb2_grpc.WatchlistServiceStub, "oversight")
    log = Log(stage.service)
    assert stage.alerts
    before = log.size()
    shown = lists.ListSubjects(watchlist_pb2.ListSubjectsRequest(parent=stage.wanted)).subjects
    lists.GetSubject(watchlist_pb2.GetSubjectRequest(name=shown[0].name))
    stage.stub(review_pb2_grpc.ReviewServiceStub, "superintendent").ListAlerts(review_pb2.ListAlertsRequest())
    for nominal, actions in (
        ("NOM-0", ["alert.listed", "subject.read", "subject.read"]),
        ("NOM-2", ["subject.read"]),
        ("NOM-NOBODY", []),
    ):
        found = log.since(before, subject=nominal)
        assert sorted(event.action for event in found) == actions, nominal


def test_a_polling_program_does_not_fill_the_log(stage: Stage) -> None:
    """A job's progress asked for a hundred times is at most two consultations."""
    stub = stage.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    assert stub is not None
    call = RECIPES["/frs.v1.RetrospectiveService/GetJob"](stage)
    log = Log(stage.service)
    before = log.size()
    for _ in range(100):
        make(stage.service.channel("investigator"), "/frs.v1.RetrospectiveService/GetJob", call.request)
    assert len(log.since(before, actor="investigator")) <= 2


def test_who_may_open_which_payload(stage: Stage) -> None:
    """The data protection officer reads any leaf, and opens the payloads of their own work alone."""
    log, protection = Log(stage.service), Log(stage.service, "protection")
    stage.held(stage.wanted)
    (held, *_) = log.since(0, action="hold.placed")
    (enrolled, *_) = log.since(0, action="subject.enrolled")
    assert json.loads(protection.whole(held).payload_json)["details"]["reason"]
    closed = protection.whole(enrolled)
    assert (closed.payload_json, closed.payload_nonce) == ("", b"")
    assert closed.leaf == enrolled.leaf
    assert log.payload(enrolled)
    opened = [log.payload(event)["details"] for event in log.since(0, actor="protection", action="log.event-read")]
    assert {"event": enrolled.index, "payload_opened": False} in opened


def test_every_event_is_one_of_the_schema(stage: Stage) -> None:
    """Leaf and payload of every event of all these calls, and the operation of its action."""
    log = Log(stage.service)
    newest: dict[str, pb.Event] = {}
    for event in log.since(0):
        newest.setdefault(event.action, event)
        leaf = json.loads(event.leaf)
        assert violations(leaf, SCHEMA["$defs"]["leaf"], SCHEMA) == []
        assert leaf["operation"] == OPERATION[Action(leaf["action"])]
    assert len(newest) > 20
    for event in newest.values():
        assert violations(log.payload(event), SCHEMA["$defs"]["payload"], SCHEMA) == [], event.action
    assert re.fullmatch("urn:frs:audit-event:[0-9]+", SCHEMA["$id"])
