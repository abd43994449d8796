"""What a scope leaves of the service: over real TLS, what lies outside it is answered as what does not exist."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from frs.access.authority import Authority
from frs.access.methods import OF_A_PART
from frs.clock import SystemClock
from frs.types import Role, Scope, new_id
from frs.v1 import (
    deployment_pb2,
    deployment_pb2_grpc,
    officer_pb2,
    oversight_pb2,
    oversight_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.journeys.conftest import Desk, ahead
from tests.journeys.recipes import RECIPES, Stage
from tests.journeys.service import Service
from tests.journeys.terminal import Terminal
from tests.server.rpc_errors import RichError, rich

pytestmark = pytest.mark.journey
NAMED = re.compile(
    r"(?:watchlists|subjects|images|deployments|alerts|cases|assignments|jobs|uploads|searches)/([\w.-]+)"
)
OF_ONE_DEPLOYMENT: dict[str, Callable[[str], Any]] = {
    "OfficerService/ListAssignments": lambda name: officer_pb2.ListAssignmentsRequest(deployment=name),
    "OfficerService/WatchAssignments": lambda name: officer_pb2.WatchAssignmentsRequest(deployment=name),
    "OversightService/Statistics": lambda name: oversight_pb2.StatisticsRequest(
        deployment=name, since=ahead(hours=-1), until=ahead(hours=1)
    ),
    "ReviewService/ListAlerts": lambda name: review_pb2.ListAlertsRequest(deployment=name),
    "ReviewService/ListCases": lambda name: review_pb2.ListCasesRequest(deployment=name),
    "ReviewService/WatchAlerts": lambda name: review_pb2.WatchAlertsRequest(deployment=name),
    "ReviewService/Work": lambda name: [review_pb2.WorkRequest(credit=1, deployment=name)],
}
SILENT_SECONDS = 0.7
"""How long a stream that may say nothing of what is outside is listened to."""
ASKED = sorted(method for method in RECIPES if method in OF_A_PART and method.startswith("/frs."))


@pytest.fixture(scope="module")
def stage(service: Service, sample_people: tuple[bytes, ...], group_picture: bytes) -> Stage:
    """Return lists, deployments, alerts and jobs of the shared service, made when they are first asked for."""
    return Stage(service, sample_people, group_picture)


@pytest.fixture(scope="module")
def identity(service: Service) -> Callable[..., str]:
    """Return a function that issues an identity with roles and a scope."""
    authority = Authority.load(service.data / "certs", SystemClock())

    def issue(name: str, *roles: Role, **scope: frozenset[str]) -> str:
        return authority.issue(name, roles, scope=Scope(**scope)).name

    return issue


@pytest.fixture(scope="module")
def outsider(service: Service, identity: Callable[..., str]) -> grpc.Channel:
    """Return the channel of an identity with every role, limited to what nothing of these tests is in."""
    limits = {"watchlists": frozenset({"another-list"}), "sites": frozenset({"another-site"})}
    return service.channel(identity("outsider", *Role, **limits))


def ask(channel: grpc.Channel, method: str, request: Any, seconds: float = 20.0) -> RichError | bytes:
    """Make a call of whatever kind; returns the refusal, or the first answer's bytes: none where none comes."""
    about = descriptor_pool.Default().FindMethodByName(method[1:].replace("/", "."))
    kind = f"{'stream' if about.client_streaming else 'unary'}_{'stream' if about.server_streaming else 'unary'}"
    call: Any = getattr(channel, kind)(
        method, lambda message: message.SerializeToString(), GetMessageClass(about.output_type).FromString
    )
    try:
        allowed = seconds if about.server_streaming else 20.0
        answer = call(iter(request) if about.client_streaming else request, timeout=allowed)
        if about.server_streaming:
            stream = answer
            answer = next(stream, None)
            stream.cancel()
        return answer.SerializeToString() if answer is not None else b""
    except grpc.RpcError as error:
        if about.server_streaming and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return b""
        return rich(error)


def renamed(request: Any, missing: dict[str, str]) -> Any:
    """Return the request with other ids in its names, noting for each which took its place."""
    if not isinstance(request, Message):
        return [renamed(message, missing) for message in request]
    copy: Any = type(request)()
    copy.CopyFrom(request)
    for field, value in copy.ListFields():
        if field.type == field.TYPE_MESSAGE and not field.is_repeated:
            value.CopyFrom(renamed(value, missing))
        elif field.type == field.TYPE_STRING and field.is_repeated:
            value[:] = [_elsewhere(each, missing) for each in value]
        elif field.type == field.TYPE_STRING:
            setattr(copy, field.name, _elsewhere(value, missing))
    return copy


def _elsewhere(text: str, missing: dict[str, str]) -> str:
    return NAMED.sub(lambda m: m[0].replace(m[1], missing.setdefault(m[1], new_id())), text)


def told(refusal: RichError | bytes, names: Sequence[str]) -> tuple[object, ...]:
    """Return everything that a refusal tells, with the names that were asked for taken out."""
    assert isinstance(refusal, RichError), "it was answered"

    def without(text: str) -> str:
        for name in names:
            text = text.replace(name, "NAME")
        return text

    metadata = {key: without(value) for key, value in refusal.metadata.items()}
    return (refusal.code, refusal.reason, without(refusal.message), metadata, refusal.advice, refusal.violations)


@pytest.mark.parametrize("method", ASKED)
def test_what_is_outside_the_scope_is_told_as_what_does_not_exist(
    stage: Stage, outsider: grpc.Channel, method: str
) -> None:
    """The same code, reason, message and metadata; where a request names nothing, the answer names nothing outside."""
    request = RECIPES[method](stage).request
    missing: dict[str, str] = {}
    elsewhere = renamed(request, missing)
    outside = ask(outsider, method, request, 20.0 if missing else SILENT_SECONDS)
    if missing:
        nowhere = ask(outsider, method, elsewhere)
        assert told(outside, list(missing)) == told(nowhere, list(missing.values()))
        return
    there = [name.rpartition("/")[2] for name in (stage.wanted, stage.deployment, stage.job)]
    if isinstance(outside, bytes):
        assert not any(name.encode() in outside for name in there)
    else:
        assert outside.code in {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION}


@pytest.mark.parametrize("method", sorted(OF_ONE_DEPLOYMENT))
def test_what_is_asked_of_a_deployment_outside_is_told_as_of_one_that_does_not_exist(
    stage: Stage, outsider: grpc.Channel, method: str
) -> None:
    """Listings, feeds, work and figures that are narrowed to a deployment: refused alike, or silent alike."""
    missing = f"deployments/{new_id()}"
    waiting = SILENT_SECONDS if method.endswith("/Work") else 20.0
    outside, nowhere = (
        ask(outsider, f"/frs.v1.{method}", OF_ONE_DEPLOYMENT[method](name), waiting)
        for name in (stage.deployment, missing)
    )
    if isinstance(outside, bytes):
        assert outside == nowhere == b""
        return
    ids = [name.rpartition("/")[2] for name in (stage.deployment, missing)]
    assert told(outside, ids[:1]) == told(nowhere, ids[1:])
    assert outside.reason == "DEPLOYMENT_NOT_FOUND"


def test_a_site_is_a_world_of_its_own(
    service: Service, desk: Desk, identity: Callable[..., str], sample_people: tuple[bytes, ...]
) -> None:
    """Limited to a site, an officer in charge opens, sees, counts and stops its deployments, and no others."""
    listed, elsewhere = desk.active_list(sample_people[:1]), desk.active_list(sample_people[1:2])
    other = desk.deployment(elsewhere.name, site="airport")
    name = identity("harbour-master", Role.AUTHORISING_OFFICER, sites=frozenset({"harbour"}))
    stub = service.stub(deployment_pb2_grpc.DeploymentServiceStub, name)
    review = watchlist_pb2.ReviewWatchlistRequest(name=listed.name)
    service.stub(watchlist_pb2_grpc.WatchlistServiceStub, name).ReviewWatchlist(review)
    with pytest.raises(grpc.RpcError) as caught:
        stub.OpenDeployment(opening_of(listed.name, ""))
    assert rich(caught.value).reason == "PERMISSION_DENIED"

    made = stub.OpenDeployment(opening_of(listed.name, "harbour"))
    shown = stub.ListDeployments(deployment_pb2.ListDeploymentsRequest(page_size=100)).deployments
    assert [each.name for each in shown] == [made.name]
    statistics = service.stub(oversight_pb2_grpc.OversightServiceStub, name)
    figures = statistics.Statistics(oversight_pb2.StatisticsRequest(since=ahead(hours=-1), until=ahead(hours=2)))
    assert [each.deployment for each in figures.deployments] == [made.name]
    assert not figures.HasField("searches")
    alerts = service.stub(review_pb2_grpc.ReviewServiceStub, name)
    assert not alerts.ListAlerts(review_pb2.ListAlertsRequest()).alerts
    with pytest.raises(grpc.RpcError) as caught:
        stub.StopDeployment(deployment_pb2.StopDeploymentRequest(name=other.name, reason="mine now"))
    assert rich(caught.value).reason == "DEPLOYMENT_NOT_FOUND"
    stopped = stub.StopDeployment(deployment_pb2.StopDeploymentRequest(name=made.name, reason="it rains"))
    assert stopped.state == deployment_pb2.DEPLOYMENT_STATE_STOPPED


def opening_of(watchlist: str, site: str) -> deployment_pb2.OpenDeploymentRequest:
    """Return the request for a deployment of an hour."""
    return deployment_pb2.OpenDeploymentRequest(
        deployment=deployment_pb2.Deployment(
            purpose="Find wanted people",
            place="The harbour",
            authorising_officer="Supt A. Ray",
            watchlists=[watchlist],
            end_time=ahead(hours=1),
            site=site,
        )
    )


def test_a_site_and_a_review_policy_are_given_on_the_command_line(
    service: Service, desk: Desk, sample_people: tuple[bytes, ...]
) -> None:
    """They are shown with the deployment; what is not given is the policy's."""
    listed, terminal = desk.active_list(sample_people[:1]), Terminal(service)
    terminal.run("watchlist", "review", listed.name, identity="superintendent")
    opening = ["deployment", "open", listed.name, "--purpose", "wanted people", "--place", "The quay"]
    opening += [
        "--authorising-officer",
        "Supt A. Ray",
        "--until",
        "1h",
        "--site",
        "harbour",
        "--reviewers",
        "2",
        "--vigilance-rate",
        "0.25",
    ]
    made = terminal.ask(*opening, "--officers-before-adjudication", identity="superintendent")
    assert made["site"] == "harbour"
    assert made["review_policy"] == {"reviewers": 2, "officers_before_adjudication": True, "vigilance_rate": 0.25}
    shown = terminal.run("deployment", "show", made["name"], identity="superintendent").out
    assert "2 independent reviewers, officers before adjudication, 0.25 vigilance checks for each alert" in shown
    wrong = terminal.run(*opening, "--site", "The Harbour", identity="superintendent")
    assert "lower-case" in wrong.err
