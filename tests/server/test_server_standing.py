# ruff: noqa: N802, ARG002  # servicers bear the names of the contract and the signature of gRPC
"""Over real TLS: open streams while certificates, identities and roles change, and sign-ins before answers."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from frs.access.actor import Identity
from frs.access.admission import Admission
from frs.access.authority import Authority
from frs.access.credentials import Credentials
from frs.access.registry import Identities
from frs.access.sign_ins import SignIns
from frs.audit.log import EventFilter
from frs.clock import SystemClock
from frs.errors import FrsError
from frs.server.journal import Journal
from frs.server.reloading import Reloading
from frs.server.ringing import soon
from frs.server.signing_in import SigningIn
from frs.server.standing import Standing
from frs.server.workers import Workers
from frs.settings import Settings
from frs.types import Actor, Role, Scope
from frs.v1 import deployment_pb2, deployment_pb2_grpc, officer_pb2, officer_pb2_grpc
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock
from tests.server.rpc_errors import rich

ADMIN = Actor("root", frozenset({Role.ADMINISTRATOR}), "certificate:1")
METHOD = "/frs.v1.OfficerService/ListAssignments"


class Officers(officer_pb2_grpc.OfficerServiceServicer):
    """Sends nothing after the first message, for as long as it may; answers a unary call with nothing."""

    async def WatchAssignments(
        self, request: officer_pb2.WatchAssignmentsRequest, context: Any
    ) -> AsyncIterator[officer_pb2.WatchAssignmentsResponse]:
        yield officer_pb2.WatchAssignmentsResponse(position=1)
        await asyncio.sleep(60)

    async def ListAssignments(
        self, request: officer_pb2.ListAssignmentsRequest, context: Any
    ) -> officer_pb2.ListAssignmentsResponse:
        return officer_pb2.ListAssignmentsResponse()


class Deployments(deployment_pb2_grpc.DeploymentServiceServicer):
    """Stops, whatever it is."""

    async def StopDeployment(
        self, request: deployment_pb2.StopDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        return deployment_pb2.Deployment(name=request.name)


class Post:
    """The edge with registry, certificates and log, and an officer whose certificate a test may revoke."""

    def __init__(self, certs: Path, house: AuditHouse, run_edge: Callable[..., Any]) -> None:
        self.certs, self.house = certs, house
        self.authority = Authority.create(certs, SystemClock())
        self.authority.issue_server()
        self.credentials = Credentials(certs)
        self.identities = Identities(house.store.database, house.log, SystemClock())
        self.workers = Workers("sign-ins", 2, 10)
        signing_in = SigningIn(SignIns(self.identities, 900), self.workers)
        trust, officers, deployments = self.credentials, Officers(), Deployments()  # type: ignore[abstract]

        def add(server: grpc.aio.Server, _: object) -> None:
            officer_pb2_grpc.add_OfficerServiceServicer_to_server(officers, server)
            deployment_pb2_grpc.add_DeploymentServiceServicer_to_server(deployments, server)

        self.edge = run_edge(
            add,
            certs=certs,
            credentials=self.credentials,
            admission=Admission(self.identities, lambda: trust.loaded.trust),
            signing_in=signing_in,
        )
        self.standing = self.edge.interceptor.standing
        self.identities.on_changed(lambda: soon(self.edge.loop, self.standing.look))
        self.reloading = Reloading(
            self.credentials, Journal(house.store.database, house.log), self.standing, seconds=60
        )

    def officer(self, name: str, *roles: Role, scope: Scope | None = None) -> grpc.Channel:
        self.issued = self.authority.issue(name, roles or (Role.OFFICER,), scope=scope or Scope())
        channel: grpc.Channel = self.edge.channel(name)
        return channel

    def watch(self, channel: grpc.Channel) -> Iterator[Any]:
        """Open a stream that sends one message and stays open."""
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        answers: Iterator[Any] = stub.WatchAssignments(officer_pb2.WatchAssignmentsRequest(), timeout=20)
        assert next(answers).position == 1
        return answers

    def ask(self, channel: grpc.Channel) -> None:
        officer_pb2_grpc.OfficerServiceStub(channel).ListAssignments(officer_pb2.ListAssignmentsRequest(), timeout=10)

    def look(self) -> None:
        """Have certificates and revocations looked at, as the service does every second."""
        asyncio.run_coroutine_threadsafe(self.reloading.look(), self.edge.loop).result(10)

    def events(self, action: str) -> list[dict[str, Any]]:
        found = self.house.log.list(EventFilter(action=action), 100, "").items
        return [dict(self.house.log.get(each.seq, open_payload=True).payload or {}) for each in found]


@pytest.fixture
def post(tmp_path: Path, settings: Settings, run_edge: Callable[..., Any]) -> Iterator[Post]:
    house = AuditHouse(settings, SystemClock())
    post = Post(tmp_path / "certs", house, run_edge)
    yield post
    post.workers.close()
    house.close()


def ended(answers: Iterator[Any]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    reason: str = rich(caught.value).reason
    return reason


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        act()
    reason: str = rich(caught.value).reason
    return reason


def test_a_revoked_certificate_ends_its_stream_and_its_open_connection(post: Post) -> None:
    """Once the list is looked at, at once; the handshake was long before. Another's stream goes on."""
    with post.officer("ben") as other, post.officer("ana") as channel:
        going_on, answers = post.watch(other), post.watch(channel)
        post.authority.revoke([int(post.issued.serial, 16)], "key-compromise")
        post.look()
        assert ended(answers) == "IDENTITY_REVOKED"
        assert refused(lambda: post.ask(channel)) == "IDENTITY_REVOKED"
        post.ask(other)
        going_on.cancel()  # type: ignore[attr-defined]  # the call, which the stub returns
    (event,) = post.events("access.credentials-loaded")
    assert event["details"]["revoked"] == [post.issued.serial]
    assert event["actor"]["name"] == "frs-system"


def test_a_suspended_identity_s_stream_ends_and_a_restored_one_calls_again(post: Post) -> None:
    """At once, whatever the certificate."""
    with post.officer("ana") as channel:
        answers = post.watch(channel)
        post.identities.revoke(ADMIN, "ana", "left the force")
        assert ended(answers) == "IDENTITY_REVOKED"
        assert refused(lambda: post.ask(channel)) == "IDENTITY_REVOKED"
        post.identities.restore(ADMIN, "ana", "came back")
        post.ask(channel)


def test_a_role_or_a_scope_taken_away_ends_the_stream(post: Post) -> None:
    """The role that it was opened with, then the scope; what is taken of no concern to it ends nothing."""
    with post.officer("ana", Role.OFFICER, Role.REVIEWER) as channel:
        answers = post.watch(channel)
        post.identities.limit(ADMIN, "ana", frozenset({Role.OFFICER}), Scope(), "no reviewer")
        post.identities.limit(ADMIN, "ana", frozenset({Role.REVIEWER}), Scope(), "no officer")
        assert ended(answers) == "PERMISSION_DENIED"
        post.identities.limit(ADMIN, "ana", None, Scope(), "again")
        answers = post.watch(channel)
        post.identities.limit(ADMIN, "ana", None, Scope(sites=frozenset({"north"})), "north only")
        assert ended(answers) == "PERMISSION_DENIED"
        post.watch(channel).cancel()  # type: ignore[attr-defined]


def test_broken_files_lock_nobody_out_and_nobody_in(post: Post) -> None:
    """Certificate, key, authority and list broken while serving: new connections and the revoked are as before."""
    with post.officer("ana") as revoked:
        post.ask(revoked)
        post.authority.revoke([int(post.issued.serial, 16)], "unspecified")
        post.look()
        with post.officer("ben") as channel:
            for file in ("server.crt", "server.key", "ca.crl"):
                (post.certs / file).write_bytes(b"rubbish")
            (post.certs / "ca.crt").rename(post.certs / "ca.aside")
            post.look()
            post.look()
            (post.certs / "ca.aside").rename(post.certs / "ca.crt")
            post.ask(channel)
            assert refused(lambda: post.ask(revoked)) == "IDENTITY_REVOKED"
            assert "ca.crl" in post.credentials.fault or "ca.crt" in post.credentials.fault
            assert "server" in post.credentials.fault


def test_a_new_server_certificate_is_shown_to_the_next_caller(post: Post) -> None:
    """Without a restart, and whoever is connected stays."""
    with post.officer("ana") as channel:
        answers = post.watch(channel)
        renewed = post.authority.issue_server()
        post.look()
        host, _, port = post.edge.address.rpartition(":")
        shown = x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode())
        assert f"{shown.serial_number:x}" == renewed.serial
        post.ask(channel)
        answers.cancel()  # type: ignore[attr-defined]
    (event,) = post.events("access.credentials-loaded")
    assert event["details"]["server"] == renewed.serial


def test_calls_that_come_together_are_one_sign_in_before_any_answer(post: Post) -> None:
    """Ten calls at once of one certificate; the log has the event when the first is answered."""
    with post.officer("ana") as channel:
        stub = officer_pb2_grpc.OfficerServiceStub(channel)
        calls = [stub.ListAssignments.future(officer_pb2.ListAssignmentsRequest(), timeout=10) for _ in range(10)]
        calls[0].result()
        assert len(post.events("access.signed-in")) == 1
        for call in calls:
            call.result()
    (event,) = post.events("access.signed-in")
    assert event["actor"]["name"] == "ana"
    assert post.identities.list(10).items[0].name == "ana"


def test_who_may_not_call_does_not_sign_in(post: Post) -> None:
    """The refusal is what is logged, where refusals are."""
    with post.officer("ana", Role.FEED) as channel:
        assert refused(lambda: post.ask(channel)) == "PERMISSION_DENIED"
    assert post.events("access.signed-in") == []


def test_a_call_whose_sign_in_cannot_be_logged_is_not_served(post: Post) -> None:
    """Whoever calls is told why."""
    with post.officer("ana") as channel:
        post.house.store.database.close()  # as a log that cannot be written to
        assert refused(lambda: post.ask(channel)) == "SHUTTING_DOWN"


def test_a_stop_waits_for_no_sign_in(post: Post) -> None:
    """The cameras are to be halted also when nothing can be logged; where it can be, the sign-in is."""
    with post.officer("ana", Role.AUTHORISING_OFFICER) as channel:
        stub = deployment_pb2_grpc.DeploymentServiceStub(channel)
        request = deployment_pb2.StopDeploymentRequest(name="deployments/" + "0" * 32, reason="emergency")
        stub.StopDeployment(request, timeout=10)
        until = time.monotonic() + 10
        while not post.events("access.signed-in"):
            assert time.monotonic() < until
    with post.officer("ben", Role.AUTHORISING_OFFICER) as channel:
        post.house.store.database.close()  # as a log that cannot be written to
        deployment_pb2_grpc.DeploymentServiceStub(channel).StopDeployment(request, timeout=10)


async def _until_ended(standing: Standing, granted: Identity, meanwhile: Callable[[], None]) -> str:
    """Hold a stream open, let something happen, and return why it ended; empty when it did not within half a second."""
    try:
        async with standing.stream(granted.actor, METHOD, granted, None):
            await asyncio.sleep(0)
            meanwhile()
            await asyncio.sleep(0.5)
    except FrsError as error:
        return str(error.reason)
    return ""


def test_a_clock_that_is_set_back_or_on_prolongs_no_stream() -> None:
    """Set back, the seconds count; set on, the next look ends it; standing still, it goes on until its time."""
    clock = ManualClock()
    standing = Standing(Admission(), clock)
    officer = Actor("ana", frozenset({Role.OFFICER}), "certificate:a")

    def held(seconds: float, meanwhile: Callable[[], None]) -> str:
        granted = Identity(officer, clock.now() - timedelta(days=1), clock.now() + timedelta(seconds=seconds))
        return asyncio.run(_until_ended(standing, granted, meanwhile))

    def set_on() -> None:
        clock.advance(days=2)
        standing.look()

    assert held(0.05, lambda: clock.advance(days=-3)) == "UNAUTHENTICATED"
    assert held(86400, set_on) == "UNAUTHENTICATED"
    assert held(86400, standing.look) == ""
