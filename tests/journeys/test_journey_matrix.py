"""The role matrix: every method of the contract by every role, over real TLS, with one certificate for each.

Methods come from the services' descriptors and roles from the enumeration, so a method or a role that is added is
tested here from the day it is. Each call carries bytes that no message can be decoded from. Who may not call learns
that and nothing else; who may is told that the request cannot be read: so the permission is asked before the request
is looked at, and no call of this test does anything.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import frs.v1
from frs.access.authority import Authority
from frs.access.methods import METHODS, OF_A_PART
from frs.clock import SystemClock
from frs.types import Role, Scope
from tests.server.rpc_errors import rich

if TYPE_CHECKING:
    from tests.journeys.service import Service

pytestmark = pytest.mark.journey
UNREADABLE = b"\xff"
SCOPE = Scope(frozenset({"somebodys-list"}), sites=frozenset({"harbour"}))
NOT_OFFERED = "/grpc.reflection."
"""Reflection is off unless it is asked for: it answers METHOD_UNKNOWN to everybody."""


class Method(NamedTuple):
    """A method as its descriptor has it."""

    service: str
    path: str
    kind: str
    """How a channel calls it: ``unary_stream`` and so on."""


def every_method() -> Iterator[Method]:
    """Yield each method of the contract and of the standard services."""
    modules = [f"frs.v1.{found.name}" for found in pkgutil.iter_modules(frs.v1.__path__) if found.name.endswith("_pb2")]
    files = [import_module(name).DESCRIPTOR for name in modules]
    for file in [*files, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR]:
        for service in file.services_by_name.values():
            for method in service.methods:
                sends = "stream" if method.client_streaming else "unary"
                answers = "stream" if method.server_streaming else "unary"
                yield Method(service.full_name, f"/{service.full_name}/{method.name}", f"{sends}_{answers}")


EVERY = sorted(every_method())


class Matrix:
    """Calls by identities that have one role each: one for each service, so that none is refused too often."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._authority = Authority.load(service.data / "certs", SystemClock())
        self._answers: dict[tuple[str, Role, bool], str] = {}

    def reason(self, method: Method, role: Role, *, limited: bool = False) -> str:
        """Return the reason of the refusal; a service is asked for all its methods at once."""
        if (method.path, role, limited) not in self._answers:
            self._ask(method.service, role, limited)
        return self._answers[method.path, role, limited]

    def _ask(self, service: str, role: Role, limited: bool) -> None:
        name = f"{role}.{service.rpartition('.')[2]}{'.limited' * limited}"
        issued = self._authority.issue(name, [role], scope=SCOPE if limited else Scope())
        with self._service.open_channel(issued.key.read_bytes(), issued.certificate.read_bytes()) as channel:
            methods = [method for method in EVERY if method.service == service]
            calls = [(method, _begin(channel, method)) for method in methods]
            for method, call in calls:
                self._answers[method.path, role, limited] = _reason(method, call)


def _begin(channel: grpc.Channel, method: Method) -> Any:
    """Send the unreadable request, whatever kind the method is of; returns the call under way."""
    sends, answers = method.kind.split("_")
    call: Any = getattr(channel, method.kind)(method.path)
    request = iter([UNREADABLE]) if sends == "stream" else UNREADABLE
    return call(request, timeout=30) if answers == "stream" else call.future(request, timeout=30)


def _reason(method: Method, call: Any) -> str:
    try:
        if method.kind.endswith("stream"):
            list(call)
        else:
            call.result()
    except grpc.RpcError as error:
        return rich(error).reason
    return "ANSWERED"


@pytest.fixture(scope="module")
def matrix(service: Service) -> Matrix:
    """Return the matrix over the service that journeys share."""
    return Matrix(service)


def test_the_table_has_every_method_of_the_descriptors() -> None:
    """And nothing else."""
    assert {method.path for method in EVERY} == set(METHODS)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.path)
def test_a_role_may_call_what_the_table_says_and_nothing_else(matrix: Matrix, method: Method, role: Role) -> None:
    """A certificate with that role alone: refused with PERMISSION_DENIED, or let through to the request."""
    reason = matrix.reason(method, role)
    if method.path.startswith(NOT_OFFERED):
        assert reason == "METHOD_UNKNOWN"
    elif role in METHODS[method.path]:
        assert reason == "INVALID_FIELD"
    else:
        assert reason == "PERMISSION_DENIED"


@pytest.mark.parametrize("method", [m for m in EVERY if m.path in METHODS], ids=lambda method: method.path)
def test_a_limited_identity_is_kept_from_what_concerns_everything(matrix: Matrix, method: Method) -> None:
    """The same role with a scope: what is of a watchlist or a deployment is open to it, the installation is not."""
    role = min(METHODS[method.path])
    reason = matrix.reason(method, role, limited=True)
    if method.path.startswith(NOT_OFFERED):
        assert reason == "METHOD_UNKNOWN"
    else:
        assert reason == ("INVALID_FIELD" if method.path in OF_A_PART else "PERMISSION_DENIED")
