"""People sign in with tokens of a real identity provider, over https, beside those with certificates."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from frs.access.issuer_keys import FLOOR_SECONDS
from frs.cli.main import main
from frs.server.lifecycle import read_server_file
from frs.v1 import (
    identity_pb2,
    identity_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.issuer import IssuerProcess, thumbprint
from tests.journeys.service import ROOT, Service, prepare
from tests.server.rpc_errors import RichError, rich

pytestmark = pytest.mark.journey
SETTINGS = """
[access]
token_address = "localhost:0"
issuer = "{issuer}"
issuer_ca = "{ca}"
issuer_timeout_seconds = 2
clock_skew_seconds = 0
"""


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[IssuerProcess]:
    """Run an identity provider, known by a certificate of the installation's own authority."""
    data = prepare(tmp_path_factory.mktemp("tokens") / "data", models)
    certs = data / "certs"
    made = IssuerProcess(data.parent / "issuer", (certs / "server.crt", certs / "server.key"))
    (data / "frs.toml").write_text(SETTINGS.format(issuer=made.issuer, ca=certs / "ca.crt"))
    yield made
    made.kill()


@pytest.fixture(scope="module")
def service(issuer: IssuerProcess, models: Path) -> Iterator[Service]:
    """Run the service that accepts its tokens."""
    with Service(issuer.folder.parent / "data", models) as running:
        yield running


def token_address(service: Service) -> str:
    here = read_server_file(service.data / "server.json")
    assert here is not None
    return here.token_address


@contextmanager
def channel(service: Service, token: str | None, certificate: str | None = None) -> Iterator[grpc.Channel]:
    """Open a channel: with a certificate where that is asked for, without one on the address for tokens."""
    root = (service.data / "certs" / "ca.crt").read_bytes()
    pair = service.certificate(certificate) if certificate else (None, None)
    credentials = grpc.ssl_channel_credentials(root, *pair)
    if token is not None:
        credentials = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(token))
    with grpc.secure_channel(service.address if certificate else token_address(service), credentials) as opened:
        yield opened


def who(opened: grpc.Channel) -> identity_pb2.Identity:
    answer: identity_pb2.Identity = identity_pb2_grpc.IdentityServiceStub(opened).WhoAmI(
        identity_pb2.WhoAmIRequest(), timeout=10
    )
    return answer


def refused(opened: grpc.Channel) -> RichError:
    with pytest.raises(grpc.RpcError) as caught:
        who(opened)
    return rich(caught.value)


def now() -> datetime:
    return datetime.now(UTC)


def test_a_person_signs_in_with_a_token(service: Service, issuer: IssuerProcess) -> None:
    """The service says who they are, until when; they may what their roles may, and the log has their sign-in."""
    token = issuer.token(
        now(), sub="ana", roles=["watchlist-manager"], jti="ana-1", frs_scope={"watchlists": ["night"]}
    )
    with channel(service, token) as opened:
        ana = who(opened)
        assert (ana.name, list(ana.roles), ana.credential) == ("identities/ana", ["watchlist-manager"], "token:ana-1")
        assert list(ana.scope.watchlists) == ["watchlists/night"]
        assert 290 < ana.credential_expire_time.seconds - time.time() <= 300
        watchlist_pb2_grpc.WatchlistServiceStub(opened).ListWatchlists(watchlist_pb2.ListWatchlistsRequest())
        with pytest.raises(grpc.RpcError) as caught:
            oversight_pb2_grpc.OversightServiceStub(opened).GetCheckpoint(oversight_pb2.GetCheckpointRequest())
        assert rich(caught.value).reason == "PERMISSION_DENIED"
    oversight = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    events = oversight.ListEvents(oversight_pb2.ListEventsRequest(page_size=1000)).events
    assert {"access.signed-in", "access.refused"} <= {event.action for event in events}


def test_a_token_decides_who_acts_on_a_connection_with_a_certificate(service: Service, issuer: IssuerProcess) -> None:
    """And the credential names both; without a token the certificate does."""
    with channel(service, issuer.token(now(), jti="both"), "camera") as opened:
        ana = who(opened)
    assert ana.name == "identities/ana"
    assert ana.credential.startswith("token:both+certificate:")
    with channel(service, None, "camera") as opened:
        assert who(opened).name == "identities/camera"


def test_a_bound_token_cannot_be_replayed(service: Service, issuer: IssuerProcess) -> None:
    """It holds over its own certificate, and over neither another one nor none."""
    binding = {"x5t#S256": thumbprint(service.data / "certs" / "officer.crt")}
    token = issuer.token(now(), roles=["officer"], cnf=binding)
    with channel(service, token, "officer") as opened:
        assert who(opened).name == "identities/ana"
    for certificate in ("officer2", None):
        with channel(service, token, certificate) as opened:
            assert refused(opened).reason == "TOKEN_INVALID"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "payroll"}, "TOKEN_INVALID"),
        ({"iss": "https://elsewhere.example"}, "TOKEN_INVALID"),
        ({"iat": 1_700_000_000, "exp": 1_700_000_300}, "TOKEN_EXPIRED"),
        ({"nbf": 4_000_000_000}, "TOKEN_INVALID"),
        ({"exp": 4_000_000_000}, "TOKEN_INVALID"),
    ],
)
def test_a_token_that_is_not_accepted_is_never_passed_over(
    service: Service, issuer: IssuerProcess, changes: dict[str, Any], reason: str
) -> None:
    """Also where the connection's certificate alone would have got in."""
    for certificate in (None, "officer"):
        with channel(service, issuer.token(now(), **changes), certificate) as opened:
            error = refused(opened)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)


def test_without_a_token_nobody_gets_in_where_no_certificate_is_asked_for(service: Service) -> None:
    """The connection is made, and every call refused, whatever stands in the place of a token."""
    with channel(service, None) as opened:
        assert refused(opened).reason == "UNAUTHENTICATED"
        stub = identity_pb2_grpc.IdentityServiceStub(opened)
        for header in ("", "Bearer", "Bearer ", "Basic YW5hOnNlY3JldA==", "Bearer " + "x" * 3000):
            with pytest.raises(grpc.RpcError) as caught:
                stub.WhoAmI(identity_pb2.WhoAmIRequest(), metadata=(("authorization", header),), timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError) as caught:  # beyond what gRPC reads of metadata
            stub.WhoAmI(identity_pb2.WhoAmIRequest(), metadata=(("authorization", "Bearer " + "x" * 40_000),))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_stream_ends_with_its_token(service: Service, issuer: IssuerProcess) -> None:
    """As with a certificate: what was opened does not outlive what opened it."""
    at = time.time()
    token = issuer.token(now(), roles=["oversight"], iat=at - 1, exp=at + 1)
    with channel(service, token) as opened:
        stub = oversight_pb2_grpc.OversightServiceStub(opened)
        with pytest.raises(grpc.RpcError) as caught:
            for _ in stub.WatchEvents(oversight_pb2.WatchEventsRequest(), timeout=30):
                pass
    assert rich(caught.value).code is grpc.StatusCode.UNAUTHENTICATED
    assert 0.5 < time.time() - at < 10


def test_the_command_line_signs_in_with_a_token_file(
    service: Service, issuer: IssuerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a data directory of the installation: the address, its authority and the token are enough."""
    file = tmp_path / "token"
    file.write_text(issuer.token(now(), roles=["watchlist-manager"]) + "\n")
    sign_in = ["--token-file", str(file), f"--ca={service.data / 'certs' / 'ca.crt'}"]
    command = ["watchlist", "list", "--json", "--data", str(tmp_path), "--address", token_address(service)]
    assert main([*sign_in, *command]) == 0
    assert json.loads(capsys.readouterr().out) is not None
    file.write_text(issuer.token(now(), roles=["watchlist-manager"], aud="payroll"))
    assert main([*sign_in, *command]) == 4
    assert "[TOKEN_INVALID]" in capsys.readouterr().err
    file.write_text("")
    assert main([*sign_in, *command]) == 4
    assert "holds no token" in capsys.readouterr().err


def test_a_node_client_signs_in_with_a_certificate_and_with_a_token(
    node_client: Path, service: Service, issuer: IssuerProcess, tmp_path: Path
) -> None:
    """From the published contract alone; a bound token over the wrong connection is refused there, too."""
    certs = service.data / "certs"
    pair = {"cert": str(certs / "camera.crt"), "key": str(certs / "camera.key"), "address": service.address}
    bound = issuer.token(now(), sub="jo", cnf={"x5t#S256": thumbprint(certs / "camera.crt")})
    alone = {"address": token_address(service)}
    attempts = [
        pair,
        {**alone, "token": issuer.token(now(), sub="ben", jti="node")},
        {**pair, "token": bound},
        {**alone, "token": bound},
        alone,
    ]
    (tmp_path / "settings.json").write_text(
        json.dumps({"protos": str(ROOT / "protos"), "ca": str(certs / "ca.crt"), "attempts": attempts})
    )
    command = ["node", str(node_client.with_name("sign_in.js")), str(tmp_path / "settings.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    camera, ben, jo, replayed, nobody = json.loads(done.stdout)
    assert (camera["name"], camera["roles"]) == ("identities/camera", ["feed"])
    assert camera["credential"].startswith("certificate:")
    assert (ben["name"], ben["roles"], ben["credential"]) == ("identities/ben", ["oversight"], "token:node")
    assert jo["name"] == "identities/jo"
    assert replayed["code"] == nobody["code"] == grpc.StatusCode.UNAUTHENTICATED.value[0]


def test_a_suspended_identity_is_shut_out_whatever_tokens_it_has(service: Service, issuer: IssuerProcess) -> None:
    """Its stream ends, and a fresh token gets nowhere; the provider need not be asked."""
    token = issuer.token(now(), sub="cleo", roles=["oversight"])
    administration = service.stub(identity_pb2_grpc.IdentityServiceStub, "technician")
    with channel(service, token) as opened:
        stub = oversight_pb2_grpc.OversightServiceStub(opened)
        stream = stub.WatchEvents(oversight_pb2.WatchEventsRequest(), timeout=30)
        next(stream)
        administration.RevokeIdentity(
            identity_pb2.RevokeIdentityRequest(name="identities/cleo", reason="left the force")
        )
        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        assert rich(caught.value).reason == "IDENTITY_REVOKED"
    with channel(service, issuer.token(now(), sub="cleo", roles=["oversight"])) as opened:
        assert refused(opened).reason == "IDENTITY_REVOKED"


def test_an_issuer_that_is_down_keeps_nobody_out_whose_key_is_known(service: Service, issuer: IssuerProcess) -> None:
    """A key that is not known is told as the issuer's absence, at once; certificates do not mind."""
    with channel(service, issuer.token(now())) as opened:
        who(opened)
    known = issuer.token(now())
    issuer.kill()
    issuer.rotate()
    until = time.monotonic() + 2 * FLOOR_SECONDS
    with channel(service, issuer.token(now())) as opened:
        while (error := refused(opened)).reason == "TOKEN_INVALID":  # the issuer was asked a moment ago
            assert time.monotonic() < until
            time.sleep(0.2)
        began = time.monotonic()
        error = refused(opened)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "ISSUER_UNAVAILABLE")
    with channel(service, known) as opened:
        assert who(opened).name == "identities/ana"
    assert time.monotonic() - began < 2
    with channel(service, None, "officer") as opened:
        assert who(opened).name == "identities/officer"
