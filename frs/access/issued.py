"""Which certificates a folder holds and which its authority ever issued, with roles, scope and expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from frs.access import issue_index, revoking
from frs.access.actor import read_certificate
from frs.access.names import ROLE_URI
from frs.access.scope_uris import scope_of
from frs.access.trust import Revocation, read_trust
from frs.errors import FrsError, Reason
from frs.types import Role, Scope

_OWN = frozenset({"ca.crt", "server.crt"})


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate file, or a certificate that was issued here and is in no file any more."""

    name: str
    """The identity's name; ``ca`` or ``server`` for the installation's own."""
    path: Path | None
    roles: frozenset[Role]
    not_after: datetime
    serial: str
    """Hexadecimal."""
    scope: Scope | None = None
    """None for the installation's own, and for one that cannot be understood."""


def own_certificates(folder: Path) -> list[Certificate]:
    """Return the authority's and the server's certificates, those that are there and can be read."""
    found = []
    for file in sorted(_OWN):
        path = folder / file
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError):
            continue
        serial = f"{certificate.serial_number:x}"
        found.append(Certificate(path.stem, path, frozenset(), certificate.not_valid_after_utc, serial))
    return found


def identities(folder: Path) -> list[Certificate]:
    """Return the identities issued into this folder, by name; files that are no such certificate are left out."""
    found = []
    for path in sorted(folder.glob("*.crt")):
        if path.name in _OWN:
            continue
        try:
            identity = read_certificate(path.read_bytes())
        except (OSError, FrsError):
            continue
        actor = identity.actor
        serial = actor.credential.removeprefix("certificate:")
        found.append(Certificate(actor.name, path, actor.roles, identity.not_after, serial, actor.scope))
    return found


def every_identity(folder: Path) -> list[Certificate]:
    """Return those and the ones that were renewed since, by name and then by expiry."""
    found = {each.serial: each for each in identities(folder)}
    for line in issue_index.read(folder):
        if line.serial in found or f"{line.name}.crt" in _OWN:
            continue
        claimed = {uri.removeprefix(ROLE_URI) for uri in line.alternatives if uri.startswith(ROLE_URI)}
        roles = frozenset(role for role in Role if str(role) in claimed)
        scope = scope_of(line.alternatives)
        found[line.serial] = Certificate(line.name, None, roles, line.not_after, line.serial, scope)
    return sorted(found.values(), key=lambda each: (each.name, each.not_after, each.serial))


def revocations(folder: Path) -> dict[str, Revocation]:
    """Return what the authority has revoked, by serial number; CREDENTIALS_UNUSABLE when its list cannot be read."""
    try:
        authority = (folder / "ca.crt").read_bytes()
    except FileNotFoundError:
        raise FrsError(Reason.NOT_INITIALISED, f"{folder} holds no authority's certificate") from None
    path = folder / revoking.FILE
    lists = read_trust(authority, path.read_bytes() if path.exists() else None).lists
    return {each.serial: each for known in lists for each in known.revoked.values()}


def standing(folder: Path, name: str, now: datetime) -> list[Certificate]:
    """Return every certificate of a name that is still accepted: not expired, not revoked."""
    revoked = revocations(folder)
    return [
        each
        for each in every_identity(folder)
        if each.name == name and each.not_after > now and each.serial not in revoked
    ]
