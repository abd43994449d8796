"""A real service while people come, are limited, suspended, revoked and renewed: it is never restarted."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from frs.access.authority import Authority
from frs.access.issued import standing
from frs.cli.main import main
from frs.clock import SystemClock
from frs.types import Role, Scope
from frs.v1 import identity_pb2 as pb
from frs.v1 import oversight_pb2, oversight_pb2_grpc
from frs.v1.identity_pb2_grpc import IdentityServiceStub
from tests.journeys.service import Service
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey
REASON = "for the journey of identities"
SOON_SECONDS = 10.0


class Office:
    """The authority beside the service, and its administrator."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.certs = service.data / "certs"
        self.authority = Authority.load(self.certs, SystemClock())

    def issue(self, name: str, *roles: Role, scope: Scope | None = None) -> None:
        self.authority.issue(name, roles, scope=scope or Scope())

    def say(self, *arguments: str) -> str:
        """Run ``frs identity`` in this process and return what it says."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert main(["identity", *arguments, "--data", str(self.service.data)]) == 0
        return said.getvalue()

    def frs(self, *arguments: str) -> Any:
        """Do so with ``--json``, and return that."""
        return json.loads(self.say(*arguments, "--json"))

    def desk(self, name: str = "technician") -> IdentityServiceStub:
        stub: IdentityServiceStub = self.service.stub(IdentityServiceStub, name)
        return stub

    def who(self, name: str) -> pb.Identity:
        return self.desk(name).WhoAmI(pb.WhoAmIRequest())

    def watch(self, name: str) -> Iterator[Any]:
        """Follow the log as an identity: one message has come, and it stays open."""
        stub = self.service.stub(oversight_pb2_grpc.OversightServiceStub, name)
        answers: Iterator[Any] = stub.WatchEvents(oversight_pb2.WatchEventsRequest(from_index=0), timeout=30)
        next(answers)
        return answers

    def events(self, action: str, since: int) -> list[dict[str, Any]]:
        stub = self.service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        listed = stub.ListEvents(oversight_pb2.ListEventsRequest(page_size=1000, action=action)).events
        found = [each.name for each in listed if each.index >= since]
        return [json.loads(stub.GetEvent(oversight_pb2.GetEventRequest(name=each)).payload_json) for each in found]

    def size(self) -> int:
        stub = self.service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        newest = stub.ListEvents(oversight_pb2.ListEventsRequest(page_size=1, newest_first=True)).events
        return int(newest[0].index) + 1

    def health(self) -> Any:
        host, _, port = self.service.metrics_address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", "/health")
        body = json.loads(connection.getresponse().read())
        connection.close()
        return body


@pytest.fixture(scope="module")
def office(service: Service) -> Office:
    return Office(service)


def ending(answers: Iterator[Any]) -> str:
    """Read on until the stream ends, and return why."""
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        for _ in answers:
            pass
    assert time.monotonic() - began < SOON_SECONDS
    reason: str = rich(caught.value).reason
    return reason


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        act()
    reason: str = rich(caught.value).reason
    return reason


def soon(found: Callable[[], object]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + SOON_SECONDS
    while not found():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_certificate_s_roles_and_scope_are_what_the_service_tells(office: Office) -> None:
    """Issued on the command line, limited to a list and a site, with an end."""
    options = ["--role", "reviewer", "--role", "officer", "--watchlist", "warrants", "--site", "north", "--days", "7"]
    made = office.frs("add", "i.ana", *options)
    found = office.who("i.ana")
    assert (found.name, list(found.roles)) == ("identities/i.ana", ["officer", "reviewer"])
    assert found.scope == pb.Scope(watchlists=["watchlists/warrants"], sites=["north"])
    assert found.credential == f"certificate:{made['serial']}"
    assert found.credential_expire_time.ToDatetime().isoformat() + "+00:00" == made["not_after"]


def test_signing_in_is_logged_once(office: Office) -> None:
    """With the credential, before the first answer; calls after it are the same session."""
    office.issue("i.ben", Role.FEED)
    before = office.size()
    for _ in range(3):
        office.who("i.ben")
    (event,) = [each for each in office.events("access.signed-in", before) if each["actor"]["name"] == "i.ben"]
    assert event["details"]["roles"] == ["feed"]
    known = {
        each.name: each for each in office.desk().ListIdentities(pb.ListIdentitiesRequest(page_size=1000)).identities
    }
    assert known["identities/i.ben"].HasField("last_sign_in_time")


def test_a_limit_and_a_suspension_hold_at_once_and_end_streams(office: Office) -> None:
    """By the administrator, for another; a role taken during a stream ends it, and nobody limits themself."""
    office.issue("i.cy", Role.OVERSIGHT, Role.REVIEWER)
    answers, name, before = office.watch("i.cy"), "identities/i.cy", office.size()
    desk = office.desk()
    desk.LimitIdentity(pb.LimitIdentityRequest(name=name, roles=["reviewer"], reason=REASON))
    assert ending(answers) == "PERMISSION_DENIED"
    assert list(office.who("i.cy").roles) == ["reviewer"]
    desk.LimitIdentity(pb.LimitIdentityRequest(name=name, reason=REASON))
    answers = office.watch("i.cy")
    desk.RevokeIdentity(pb.RevokeIdentityRequest(name=name, reason=REASON))
    assert ending(answers) == "IDENTITY_REVOKED"
    assert refused(lambda: office.who("i.cy")) == "IDENTITY_REVOKED"
    desk.RestoreIdentity(pb.RestoreIdentityRequest(name=name, reason=REASON))
    assert office.who("i.cy").state == pb.IDENTITY_STATE_ACTIVE
    tries = [each for each in office.events("access.refused", before) if each["actor"]["name"] == "i.cy"]
    assert "IDENTITY_REVOKED" in {each["details"]["reason"] for each in tries}
    own = pb.LimitIdentityRequest(name="identities/technician", reason=REASON)
    assert refused(lambda: desk.LimitIdentity(own)) == "SEPARATION_OF_DUTIES"
    assert [len(office.events(f"identity.{what}", before)) for what in ("limited", "revoked", "restored")] == [2, 1, 1]


def test_a_revoked_certificate_is_refused_on_every_connection(office: Office) -> None:
    """The one that was renewed too, without a restart: open streams, open connections and new ones."""
    office.issue("i.dora", Role.OVERSIGHT)
    key, certificate = office.service.certificate("i.dora")
    before = office.size()
    answers = office.watch("i.dora")
    office.frs("add", "i.dora", "--role", "oversight", "--renew", "--keep-old")
    assert len(standing(office.certs, "i.dora", SystemClock().now())) == 2
    said = office.frs("revoke", "i.dora", "--reason", "key-compromise")
    assert len(said["revoked"]) == 2
    assert ending(answers) == "IDENTITY_REVOKED"
    assert refused(lambda: office.who("i.dora")) == "IDENTITY_REVOKED"
    renewed = office.service.certificate("i.dora")
    for pair in ((key, certificate), renewed):
        with office.service.open_channel(*pair) as channel:
            stub = IdentityServiceStub(channel)
            assert refused(lambda stub=stub: stub.WhoAmI(pb.WhoAmIRequest(), timeout=10)) == "IDENTITY_REVOKED"  # type: ignore[misc]
    loaded = office.events("access.credentials-loaded", before)
    assert sorted(serial for each in loaded for serial in each["details"]["revoked"]) == sorted(said["revoked"])
    listed = {each["serial"]: each for each in office.frs("list", "--all")}
    assert {listed[serial]["revocation_reason"] for serial in said["revoked"]} == {"key-compromise"}


def test_a_broken_list_of_revocations_is_told_and_changes_nothing(office: Office) -> None:
    """Health warns until it is mended; the revoked stay out and the others in."""
    good = (office.certs / "ca.crl").read_bytes()
    (office.certs / "ca.crl").write_bytes(b"rubbish")
    try:
        soon(lambda: "ca.crl" in office.health()["warnings"].get("certificates", ""))
        assert refused(lambda: office.who("i.dora")) == "IDENTITY_REVOKED"
        assert office.who("i.ben").name == "identities/i.ben"
    finally:
        (office.certs / "ca.crl").write_bytes(good)
    soon(lambda: "certificates" not in office.health()["warnings"])


def test_a_new_server_certificate_is_shown_without_a_restart(office: Office) -> None:
    """Whoever connects next sees it; the log says so."""
    before = office.size()
    made = office.frs("server")
    soon(lambda: office.events("access.credentials-loaded", before))
    (event,) = office.events("access.credentials-loaded", before)
    assert event["details"]["server"] == made["serial"]
    with office.service.open_channel(*office.service.certificate("i.ben")) as channel:
        assert IdentityServiceStub(channel).WhoAmI(pb.WhoAmIRequest(), timeout=10).name == "identities/i.ben"


def test_the_commands_that_ask_the_service(office: Office) -> None:
    """Who am I, who is known, and suspending: as JSON and for people."""
    office.issue("i.eve", Role.OFFICER)
    assert office.frs("whoami", "--identity", "i.eve")["roles"] == ["officer"]
    suspended = office.frs("suspend", "i.eve", "--reason", REASON, "--identity", "technician")
    assert suspended["state"] == "IDENTITY_STATE_REVOKED"
    known = {each["name"]: each for each in office.frs("known", "--identity", "technician")}
    assert known["identities/i.eve"]["updated_by"] == "technician"
    lines = office.say("known", "--identity", "technician").splitlines()
    assert any("i.eve" in line and "revoked" in line and REASON in line for line in lines)
    assert "active" in office.say("restore", "i.eve", "--reason", REASON, "--identity", "technician")
    limited = office.say("limit", "i.eve", "--site", "north", "--reason", REASON, "--identity", "technician")
    assert "sites/north" in limited
    assert "sites/north" in office.say("whoami", "--identity", "i.eve")
