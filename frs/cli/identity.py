"""``frs identity``: issue, renew, revoke and list certificates on the authority's folder; ask and tell the service.

What the authority does needs no server and works where ``ca.key`` lies. What the service knows of identities, whatever
their credentials, is in :mod:`frs.cli.identity_registry`.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from frs.access import issued as folder_of
from frs.access.authority import IDENTITY_DAYS, Authority, Issued
from frs.access.issued import Certificate, own_certificates
from frs.access.names import require_roles
from frs.access.revoking import REASONS
from frs.access.scope_uris import make_scope
from frs.access.trust import Revocation
from frs.cli import identity_registry
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.cli.output import say, show_table
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.server.folders import certs_folder
from frs.types import Role, Scope

app = application("Issue and revoke client certificates; say what identities may do, and who no longer may.")

_SERIAL = re.compile(r"[0-9a-fA-F]{1,40}")

Watchlist = Annotated[
    list[str] | None, typer.Option("--watchlist", help="A watchlist it may act on; repeat for several.")
]
Deployment = Annotated[list[str] | None, typer.Option("--deployment", help="A deployment it may act on; repeat.")]
Site = Annotated[list[str] | None, typer.Option("--site", help="A site whose deployments it may act on; repeat.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who: letters, digits, '.', '_', '@' and '-'.")],
    role: Annotated[
        list[str], typer.Option("--role", help=f"What for; repeat for several. {', '.join(str(r) for r in Role)}.")
    ],
    watchlist: Watchlist = None,
    deployment: Deployment = None,
    site: Site = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long the certificate is valid.")] = (
        IDENTITY_DAYS
    ),
    renew: Annotated[bool, typer.Option("--renew", help="Replace a certificate issued before.")] = False,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="With --renew: lift the limits that the one before had.")
    ] = False,
    revoke_old: Annotated[
        bool | None, typer.Option("--revoke-old/--keep-old", help="With --renew: revoke those before, or keep them.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Issue a client certificate: DATA/certs/NAME.crt and NAME.key."""
    roles, scope = require_roles(frozenset(role)), make_scope(watchlist or (), deployment or (), site or ())
    clock, folder = SystemClock(), certs_folder(load_settings(data))
    authority = Authority.load(folder, clock)
    old = folder_of.standing(folder, name, clock.now()) if renew else []
    _require_limits_named(name, folder, scope, unlimited)
    issued = authority.issue(name, roles, days, scope=scope, renew=renew)
    revoked = [each.serial for each in old] if _revokes(old, revoke_old, as_json) else []
    if revoked:
        authority.revoke((int(serial, 16) for serial in revoked), "superseded")
    if as_json:
        print_json({**_issued_json(issued), "revoked": revoked})
        return
    _tell(issued, ", ".join([*sorted(roles), *_scope_words(scope)]))
    if revoked:
        say(f"revoked {len(revoked)} issued before; {_HAND_OVER}")
    elif old:
        say(f"{len(old)} issued before stay valid; to end them: frs identity revoke --serial {old[0].serial}")


@app.command()
def revoke(
    name: Annotated[str | None, typer.Argument(help="Whose certificates, every one that is still valid.")] = None,
    serial: Annotated[
        list[str] | None, typer.Option("--serial", help="One certificate by its serial number, hexadecimal; repeat.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help=f"Why: {', '.join(REASONS)}.")] = "unspecified",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Revoke certificates: they go on DATA/certs/ca.crl, which a running server takes over at once."""
    clock, folder = SystemClock(), certs_folder(load_settings(data))
    if (name is None) == (not serial):
        raise typer.BadParameter("give a name, or --serial")
    if reason not in REASONS:
        raise typer.BadParameter(f"a reason is one of {', '.join(REASONS)}")
    authority = Authority.load(folder, clock)
    serials = [_checked(each, folder) for each in serial or ()]
    if name is not None:
        serials = [each.serial for each in folder_of.standing(folder, name, clock.now())]
        if not serials:
            raise FrsError(Reason.IDENTITY_NOT_FOUND, f"no valid certificate of {name!r} was issued here")
    path = authority.revoke((int(each, 16) for each in serials), reason)
    if as_json:
        print_json({"revoked": serials, "reason": reason, "list": str(path)})
        return
    for each in serials:
        say(f"revoked {each} ({reason})")
    say(f"  {path}\n{_HAND_OVER}")


_HAND_OVER = "A server that runs on this folder takes it over at once; give ca.crl to one that runs elsewhere."


def _checked(serial: str, folder: Path) -> str:
    given = serial.lower().replace(":", "").lstrip("0")
    if not _SERIAL.fullmatch(given):
        raise typer.BadParameter(f"{serial} is no serial number")
    if given in {each.serial for each in own_certificates(folder)}:
        raise typer.BadParameter("that is the installation's own certificate: renew it with frs identity server")
    return given


@app.command()
def server(
    host: Annotated[
        list[str] | None, typer.Option("--host", help="A name or address besides localhost; repeat for several.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Issue the server's certificate anew; the running server shows it to the next caller."""
    authority = Authority.load(certs_folder(load_settings(data)), SystemClock())
    issued = authority.issue_server(host or ())
    if as_json:
        print_json(_issued_json(issued))
        return
    _tell(issued, "server")


@app.command("list")
def list_identities(
    everything: Annotated[bool, typer.Option("--all", help="Also those that were renewed since.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List the certificates issued here, with roles, scope, expiry and whether they were revoked."""
    folder = certs_folder(load_settings(data))
    issued = folder_of.every_identity(folder) if everything else folder_of.identities(folder)
    found = [*own_certificates(folder), *issued]
    revoked = folder_of.revocations(folder) if found else {}
    if as_json:
        print_json([_json(item, revoked.get(item.serial)) for item in found])
        return
    now = SystemClock().now()
    show_table(
        ("name", "", "serial", "roles and scope"),
        [(item.name, _until(item, revoked.get(item.serial), now), item.serial, _words(item)) for item in found],
    )


app.command()(identity_registry.whoami)
app.command()(identity_registry.known)
app.command()(identity_registry.limit)
app.command()(identity_registry.suspend)
app.command()(identity_registry.restore)


def _require_limits_named(name: str, folder: Path, scope: Scope, unlimited: bool) -> None:
    before = [each.scope for each in folder_of.identities(folder) if each.name == name and each.scope is not None]
    if scope.unlimited and not unlimited and any(not each.unlimited for each in before):
        limits = ", ".join(word for each in before for word in _scope_words(each))
        raise typer.BadParameter(f"the certificate before was limited ({limits}): name its limits, or say --unlimited")


def _revokes(old: list[Certificate], asked: bool | None, as_json: bool) -> bool:
    if not old or asked is not None:
        return bool(old and asked)
    if as_json or not sys.stdin.isatty():
        return False
    return typer.confirm(f"{len(old)} issued before can still be used. Revoke?", default=True)


def _until(item: Certificate, revocation: Revocation | None, now: datetime) -> str:
    if revocation is not None:
        return f"REVOKED {revocation.at:%Y-%m-%d} {revocation.reason}"
    return f"{'EXPIRED' if item.not_after <= now else 'until'} {item.not_after:%Y-%m-%d}"


def _words(item: Certificate) -> str:
    return ", ".join([*sorted(item.roles), *_scope_words(item.scope)]) or "the installation's own"


def _scope_words(scope: Scope | None) -> list[str]:
    if scope is None:
        return []
    kinds = (("watchlist", scope.watchlists), ("deployment", scope.deployments), ("site", scope.sites))
    return [f"{kind} {each}" for kind, named in kinds for each in sorted(named or ())]


def _json(item: Certificate, revocation: Revocation | None) -> dict[str, object]:
    scope = item.scope or Scope()
    return {
        "name": item.name,
        "certificate": str(item.path) if item.path else None,
        "roles": sorted(item.roles),
        "watchlists": sorted(scope.watchlists or ()),
        "deployments": sorted(scope.deployments or ()),
        "sites": sorted(scope.sites or ()),
        "not_after": item.not_after.isoformat(),
        "serial": item.serial,
        "revoked": revocation.at.isoformat() if revocation else None,
        "revocation_reason": revocation.reason if revocation else None,
    }


def _issued_json(issued: Issued) -> dict[str, object]:
    return {
        "name": issued.name,
        "certificate": str(issued.certificate),
        "key": str(issued.key),
        "not_after": issued.not_after.isoformat(),
        "serial": issued.serial,
    }


def _tell(issued: Issued, what: str) -> None:
    say(f"{issued.name} ({what}), valid until {issued.not_after:%Y-%m-%d}")
    say(f"  {issued.certificate}\n  {issued.key}")
