"""Every method of the contract, called with anything: each call is answered from the catalogue, and nothing breaks.

A real server without TLS on loopback, where the caller has every role, so that requests come past the table of roles
to the rooms behind it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from frs.access.methods import METHODS
from frs.embed.pack import Pack
from frs.errors import Reason
from frs.v1 import review_pb2, review_pb2_grpc
from tests.fuzz.budget import chance, keep, kept, rounds
from tests.fuzz.messages import some_message
from tests.fuzz.mutations import mutated
from tests.journeys.conftest import Desk
from tests.journeys.pictures import frames
from tests.journeys.service import Service, frs, prepare
from tests.journeys.streaming import frame, opening, play

SECONDS, ROUNDS = 8.0, 700
ANSWER_SECONDS = 5.0
STREAM_SECONDS = 0.1
BROKEN = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}
FILES = sorted(
    {name.split("/")[1].split(".")[2].removesuffix("Service").lower() for name in METHODS if "frs.v1" in name}
)


def methods() -> list[MethodDescriptor]:
    """Return every method of the contract's own services."""
    files = [import_module(f"frs.v1.{name}_pb2").DESCRIPTOR for name in FILES]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, starter_pack: Pack) -> Iterator[Service]:
    models = starter_pack.folder.parent
    data = prepare(tmp_path_factory.mktemp("fuzz") / "data", models)
    (data / "frs.toml").write_text("[access]\nrequests_per_second = 1e6\nrequest_burst = 1000000\n")
    with Service(data, models, "--insecure") as running:
        yield running
        assert running.stop() == 0
        verified = frs(models, "audit", "verify", "--offline", "--data", str(data))
        assert verified.returncode == 0, verified.stdout + verified.stderr


class Plain:
    """The service as :class:`Desk` and :func:`play` ask for it, called without TLS."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def stub(self, kind: Callable[[grpc.Channel], Any], _: str = "") -> Any:
        return kind(self._channel)


@pytest.fixture(scope="module")
def names(service: Service, sample_people: tuple[bytes, ...]) -> list[str]:
    """Return resources that exist: a list, a person on it, a deployment with an alert, its case, an upload."""
    with grpc.insecure_channel(service.address) as channel:
        plain: Any = Plain(channel)
        desk = Desk(plain)
        wanted = desk.active_list(sample_people[:2]).name
        person = desk.enrol(desk.draft().name, "NOM-9", sample_people[2]).name
        deployment = desk.deployment(wanted).name
        drawn = frames(sample_people[:1], 6)
        heard = play(plain, [opening(deployment, "cam-1"), *(frame(n, data) for n, data in enumerate(drawn, 1))])
        assert heard.alerts
        cases = review_pb2_grpc.ReviewServiceStub(channel).ListCases(review_pb2.ListCasesRequest()).cases
    return [wanted, person, deployment, *heard.alerts, *(case.name for case in cases), "identities/ana", "events/1"]


def call(channel: grpc.Channel, method: MethodDescriptor, sent: list[bytes]) -> grpc.RpcError | None:
    """Make one call with these bytes; return how it failed, or None."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    plain: dict[str, Any] = {"request_serializer": bytes, "response_deserializer": bytes}
    try:
        if method.server_streaming:
            make: Any = channel.stream_stream if method.client_streaming else channel.unary_stream
            answers = make(path, **plain)(iter(sent) if method.client_streaming else sent[0], timeout=STREAM_SECONDS)
            for number, _ in enumerate(answers):
                if number > 20:
                    answers.cancel()
        elif method.client_streaming:
            channel.stream_unary(path, **plain)(iter(sent), timeout=ANSWER_SECONDS)
        else:
            channel.unary_unary(path, **plain)(sent[0], timeout=ANSWER_SECONDS)
    except grpc.RpcError as error:
        return error
    return None


def reason_of(error: Any) -> str:
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def check(channel: grpc.Channel, method: MethodDescriptor, sent: list[bytes]) -> None:
    """Call; a failure that is not of the catalogue is kept and told."""
    error: Any = call(channel, method, sent)
    if error is None:
        return
    code, reason = error.code(), reason_of(error)
    ended_by_us = method.server_streaming and code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
    if ended_by_us or (reason in Reason.__members__ and code not in BROKEN):
        return
    place = keep("calls", f"{method.containing_service.name} {method.name}\n".encode() + b"\n\n".join(sent))
    raise AssertionError(f"{method.full_name}: {code} {reason} {error.details()}, kept as {place}")


def requests(method: MethodDescriptor, names: list[str], pictures: list[bytes], source: random.Random) -> list[bytes]:
    """Return what one call sends: messages, some of them damaged."""
    kind = GetMessageClass(method.input_type)
    count = source.randint(1, 4) if method.client_streaming else 1
    sent = [some_message(kind, names, pictures, source).SerializeToString() for _ in range(count)]
    return [mutated([data], source) if source.random() < 0.2 else data for data in sent]


def test_every_service_is_fuzzed() -> None:
    """The descriptors found name every method of the table but the standard ones."""
    found = {f"/{method.containing_service.full_name}/{method.name}" for method in methods()}
    assert found == {name for name in METHODS if name.startswith("/frs.v1.")}


def test_what_was_kept_is_answered_from_the_catalogue(service: Service) -> None:
    """Every request that once was not."""
    by_name = {f"{method.containing_service.name} {method.name}": method for method in methods()}
    with grpc.insecure_channel(service.address) as channel:
        for data in kept("calls"):
            head, _, rest = data.partition(b"\n")
            check(channel, by_name[head.decode()], rest.split(b"\n\n"))


def test_every_call_is_answered_from_the_catalogue(
    service: Service, names: list[str], sample_people: tuple[bytes, ...]
) -> None:
    """Names that exist and names that do not, numbers at the edges, pictures, damaged bytes; the log verifies after."""
    source, every = chance("calls"), methods()
    pictures = [sample_people[0]]
    with grpc.insecure_channel(service.address) as channel:
        for number in rounds(SECONDS, ROUNDS):
            method = every[number % len(every)]
            check(channel, method, requests(method, names, pictures, source))
    assert service.process.poll() is None
