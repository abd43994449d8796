"""The commands of ``frs identity`` that ask the service: who am I, whom does it know, who may do less from now on."""

from __future__ import annotations

from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, open_stub, pages
from frs.cli.options import AsJson, Data, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, show_fields, show_messages, show_table, when
from frs.cli.resource import resource
from frs.types import Role
from frs.v1 import identity_pb2 as pb
from frs.v1.identity_pb2_grpc import IdentityServiceStub

Whose = Annotated[str, typer.Argument(help="Whose: the identity's name.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is kept and logged.")]
_PREFIX = "IDENTITY_STATE_"


def whoami(
    data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """Say who the service takes you for, and what you may do now."""
    client, stub = open_stub(IdentityServiceStub, data, address, identity)
    found = call(client, stub.WhoAmI, pb.WhoAmIRequest())
    if as_json:
        print_json(message_json(found))
        return
    show_fields(
        [
            ("name", _bare(found.name)),
            ("recognised by", found.credential),
            ("until", when(found.credential_expire_time) if found.HasField("credential_expire_time") else "no end"),
            ("roles", ", ".join(found.roles) or "none"),
            ("scope", _scope(found.scope)),
        ]
    )


def known(
    limit: Annotated[int, typer.Option(help="Most shown; 0 for all.", min=0)] = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List the identities that have signed in or were limited or suspended."""
    client, stub = open_stub(IdentityServiceStub, data, address, identity)
    request = pb.ListIdentitiesRequest(page_size=min(limit or 1000, 1000))
    found = list(pages(client, stub.ListIdentities, request, "identities", limit))
    if as_json:
        show_messages(found)
        return
    show_table(
        ("name", "state", "last sign-in", "limited to", "by", "reason"),
        [
            (
                _bare(each.name),
                pb.IdentityState.Name(each.state).removeprefix(_PREFIX).lower(),
                when(each.last_sign_in_time) if each.HasField("last_sign_in_time") else "never",
                _limit(each),
                each.updated_by,
                each.reason,
            )
            for each in found
        ],
    )


def limit(
    name: Whose,
    reason: Why,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help=f"The most it may be; repeat. {', '.join(str(r) for r in Role)}."),
    ] = None,
    watchlist: Annotated[list[str] | None, typer.Option("--watchlist", help="It may act on; repeat.")] = None,
    deployment: Annotated[list[str] | None, typer.Option("--deployment", help="It may act on; repeat.")] = None,
    site: Annotated[list[str] | None, typer.Option("--site", help="Whose deployments it may act on; repeat.")] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Set no limit any more.")] = False,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Set the most that an identity may do, whatever its credentials say; at once, and in place of the last limit."""
    if lift == bool(role or watchlist or deployment or site):
        raise typer.BadParameter("say what it may do at most, or --lift")
    client, stub = open_stub(IdentityServiceStub, data, address, identity)
    scope = pb.Scope(
        watchlists=[resource("watchlists", each) for each in watchlist or ()],
        deployments=[resource("deployments", each) for each in deployment or ()],
        sites=site or (),
    )
    request = pb.LimitIdentityRequest(name=resource("identities", name), roles=role or (), scope=scope, reason=reason)
    _show(call(client, stub.LimitIdentity, request), as_json)


def suspend(
    name: Whose,
    reason: Why,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Refuse every certificate and token of an identity from now on, and end its streams."""
    client, stub = open_stub(IdentityServiceStub, data, address, identity)
    request = pb.RevokeIdentityRequest(name=resource("identities", name), reason=reason)
    _show(call(client, stub.RevokeIdentity, request), as_json)


def restore(
    name: Whose,
    reason: Why,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Accept a suspended identity again; a certificate that was revoked stays revoked."""
    client, stub = open_stub(IdentityServiceStub, data, address, identity)
    request = pb.RestoreIdentityRequest(name=resource("identities", name), reason=reason)
    _show(call(client, stub.RestoreIdentity, request), as_json)


def _show(found: pb.Identity, as_json: bool) -> None:
    if as_json:
        print_json(message_json(found))
        return
    state = pb.IdentityState.Name(found.state).removeprefix(_PREFIX).lower()
    say(f"{_bare(found.name)}: {state}, {_limit(found)}")


def _limit(found: pb.Identity) -> str:
    roles, scope = ", ".join(found.roles), _scope(found.scope) if found.HasField("scope") else ""
    return "; ".join(each for each in (roles, scope) if each) or "no limit"


def _scope(scope: pb.Scope) -> str:
    named = [*scope.watchlists, *scope.deployments, *(f"sites/{each}" for each in scope.sites)]
    return ", ".join(named) or "everything"


def _bare(name: str) -> str:
    return name.removeprefix("identities/")
