"""``frs identity``: issue and list certificates, offline, on the data directory that holds the authority."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from frs.access.authority import IDENTITY_DAYS, Authority, Issued
from frs.access.issued import Certificate, identities, own_certificates
from frs.access.names import require_roles
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.clock import SystemClock
from frs.server.folders import certs_folder
from frs.types import Role

app = application("Issue and list client certificates. Works on the data directory; no server is needed.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who: letters, digits, '.', '_', '@' and '-'.")],
    role: Annotated[
        list[str], typer.Option("--role", help=f"What for; repeat for several. {', '.join(str(r) for r in Role)}.")
    ],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long the certificate is valid.")] = (
        IDENTITY_DAYS
    ),
    renew: Annotated[bool, typer.Option("--renew", help="Replace a certificate issued before.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Issue a client certificate: DATA/certs/NAME.crt and NAME.key."""
    roles = require_roles(frozenset(role))
    authority = Authority.load(certs_folder(load_settings(data)), SystemClock())
    issued = authority.issue(name, roles, days, renew=renew)
    _tell(issued, ", ".join(sorted(roles)), as_json)


@app.command()
def server(
    host: Annotated[
        list[str] | None, typer.Option("--host", help="A name or address besides localhost; repeat for several.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Issue the server's certificate anew; the running server takes it at its next start."""
    authority = Authority.load(certs_folder(load_settings(data)), SystemClock())
    _tell(authority.issue_server(host or ()), "server", as_json)


@app.command("list")
def list_identities(data: Data = None, as_json: AsJson = False) -> None:
    """List the certificates issued here, with roles and expiry."""
    folder = certs_folder(load_settings(data))
    found = [*own_certificates(folder), *identities(folder)]
    if as_json:
        print_json([_json(item) for item in found])
        return
    now = SystemClock().now()
    for item in found:
        roles = ", ".join(sorted(item.roles)) or "the installation's own"
        typer.echo(f"{item.name:<24} {_until(item.not_after, now):<22} {roles}")


def _until(not_after: datetime, now: datetime) -> str:
    return f"{'EXPIRED' if not_after <= now else 'until'} {not_after:%Y-%m-%d}"


def _json(item: Certificate) -> dict[str, object]:
    return {
        "name": item.name,
        "certificate": str(item.path),
        "roles": sorted(item.roles),
        "not_after": item.not_after.isoformat(),
        "serial": item.serial,
    }


def _tell(issued: Issued, what: str, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "name": issued.name,
                "certificate": str(issued.certificate),
                "key": str(issued.key),
                "not_after": issued.not_after.isoformat(),
            }
        )
        return
    typer.echo(f"{issued.name} ({what}), valid until {issued.not_after:%Y-%m-%d}")
    typer.echo(f"  {issued.certificate}\n  {issued.key}")
