"""The table of methods: complete, exact, and refusing what it does not list."""

from __future__ import annotations

from importlib import import_module

import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from frs.access.methods import EVERYONE, METHODS, OF_A_PART, authorise
from frs.errors import FrsError, Reason
from frs.types import Actor, Role, Scope

PROTOS = (
    "watchlist",
    "deployment",
    "live",
    "retrospective",
    "operator",
    "review",
    "officer",
    "vigilance",
    "identity",
    "oversight",
    "retention",
    "administration",
)


def every_method() -> set[str]:
    """Return the full name of each method that the server can offer, from the descriptors."""
    files = [import_module(f"frs.v1.{name}_pb2").DESCRIPTOR for name in PROTOS]
    files += [health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR]
    return {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }


def test_every_method_is_in_the_table_and_nothing_else() -> None:
    """The table names exactly the methods of the contract, health and reflection."""
    assert descriptor_pool.Default() is not None
    assert set(METHODS) == every_method()


def test_every_method_is_open_to_somebody() -> None:
    """No row is empty, and only the standard services, and who one is oneself, are open to everybody."""
    assert all(METHODS.values())
    assert {method for method, roles in METHODS.items() if roles == EVERYONE} == {
        *(method for method in METHODS if method.startswith("/grpc.")),
        "/frs.v1.IdentityService/WhoAmI",
    }


def test_an_administrator_alone_sees_no_biometrics() -> None:
    """The administrator's role opens identities, and backups and keys, where everything stays sealed; nothing else."""
    opened = {method for method, roles in METHODS.items() if Role.ADMINISTRATOR in roles}
    services = ("/frs.v1.AdministrationService/", "/frs.v1.IdentityService/", "/grpc.")
    assert all(m.startswith(services) for m in opened)


def test_the_adapter_only_feeds() -> None:
    """A camera's adapter may stream, look up its deployment, and ask who it is itself."""
    opened = {method for method, roles in METHODS.items() if Role.FEED in roles and method.startswith("/frs.v1.")}
    assert opened == {
        "/frs.v1.LiveService/Stream",
        "/frs.v1.DeploymentService/GetDeployment",
        "/frs.v1.DeploymentService/ListDeployments",
        "/frs.v1.IdentityService/WhoAmI",
    }


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_call_what_its_row_says(method: str, role: Role) -> None:
    """One role alone is admitted exactly where the table lists it."""
    actor = Actor("ana", frozenset({role}), "certificate:1")
    if role in METHODS[method]:
        authorise(actor, method)
    else:
        with pytest.raises(FrsError) as caught:
            authorise(actor, method)
        assert caught.value.reason is Reason.PERMISSION_DENIED


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_concerns_the_whole_installation_is_nothing_for_a_limited_identity(method: str) -> None:
    """The log, retention, identities, keys and known pairs are of no watchlist or deployment in particular."""
    actor = Actor("ana", frozenset(Role), "certificate:1", Scope(sites=frozenset({"harbour"})))
    if method in OF_A_PART:
        authorise(actor, method)
    else:
        with pytest.raises(FrsError) as caught:
            authorise(actor, method)
        assert caught.value.reason is Reason.PERMISSION_DENIED


@pytest.mark.parametrize("method", ["/frs.v1.WatchlistService/DropEverything", "", "/frs.v1.LiveService/stream"])
def test_a_method_that_is_not_listed_is_refused(method: str) -> None:
    """Even to an identity with every role."""
    with pytest.raises(FrsError) as caught:
        authorise(Actor("ana", frozenset(Role), "certificate:1"), method)
    assert caught.value.reason is Reason.PERMISSION_DENIED
