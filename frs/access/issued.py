"""Which certificates an installation's folder holds, with their roles and expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from frs.access.actor import read_certificate
from frs.errors import FrsError
from frs.types import Role

_OWN = frozenset({"ca.crt", "server.crt"})


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate file."""

    name: str
    """The identity's name; ``ca`` or ``server`` for the installation's own."""
    path: Path
    roles: frozenset[Role]
    not_after: datetime
    serial: str
    """Hexadecimal."""


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
        found.append(Certificate(actor.name, path, actor.roles, identity.not_after, serial))
    return found
