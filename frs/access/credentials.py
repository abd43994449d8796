"""The files by which the service proves who it is and knows whom to trust, taken over anew when they change.

``server.crt`` with ``server.key`` is one part, ``ca.crt`` with ``ca.crl`` the other. :meth:`Credentials.look` takes
over what changed; a part that cannot be used, or a list of revocations that is missing or older than the one in use,
leaves that part as it was and is a fault to be told until it is mended. So whoever breaks a file locks nobody out, and
whoever removes the list of revocations makes nothing valid again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from frs.access.revoking import FILE as REVOCATIONS
from frs.access.trust import Trust, read_trust, unusable
from frs.errors import FrsError, Reason

_T = TypeVar("_T")
_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerPair:
    """The server's certificate and key, PEM, which belong together."""

    key: bytes
    certificate: bytes
    serial: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """All of it as it stood together."""

    server: ServerPair
    authority: bytes
    """``ca.crt`` as it was read."""
    trust: Trust


class Credentials:
    """The credentials in ``folder``; thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Read them: NOT_INITIALISED where a file is missing, CREDENTIALS_UNUSABLE for one that cannot be used."""
        self._folder = folder
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[Loaded, Loaded], None], ...] = ()
        try:
            authority = self._read("ca.crt")
            self._loaded = Loaded(
                _server_pair(self._read("server.crt"), self._read("server.key")),
                authority,
                read_trust(authority, self._read_revocations()),
            )
        except OSError as error:
            raise FrsError(Reason.NOT_INITIALISED, f"cannot read {error.filename}: {error.strerror}") from None
        self._faults: dict[str, str] = {}
        self._suspected: dict[str, str] = {}

    @property
    def loaded(self) -> Loaded:
        """What is in use."""
        return self._loaded

    @property
    def fault(self) -> str:
        """What in the folder could not be taken over; empty when all was."""
        faults = [why for _, why in sorted(self._faults.items())]
        if not faults and not self._loaded.trust.lists:
            faults.append(f"{REVOCATIONS} is missing: nothing is known to be revoked")
        return "; ".join(faults)

    def on_loaded(self, listener: Callable[[Loaded, Loaded], None]) -> None:
        """Call back with what was in use and what is now, after each look that took something over."""
        self._listeners = (*self._listeners, listener)

    def look(self) -> bool:
        """Take over what changed and can be used; return whether anything was."""
        with self._lock:
            before = self._loaded
            server = self._part("server", before.server, self._new_server)
            authority, trust = self._part("trust", (before.authority, before.trust), self._new_trust)
            after = Loaded(server, authority, trust)
            changed = after != before
            self._loaded = after
        if changed:
            for listener in self._listeners:
                listener(before, after)
        return changed

    def _part(self, name: str, before: _T, read: Callable[[], _T]) -> _T:
        try:
            found = read()
        except (OSError, FrsError) as error:
            why = error.message if isinstance(error, FrsError) else f"cannot read {Path(str(error.filename)).name}"
            # Two files are replaced one after the other: what is amiss is a fault when it still is at the next look.
            if self._suspected.get(name) == why:
                self._faults[name] = why
            self._suspected[name] = why
            return before
        self._suspected.pop(name, None)
        self._faults.pop(name, None)
        return found

    def _new_server(self) -> ServerPair:
        certificate, key = self._read("server.crt"), self._read("server.key")
        present = self._loaded.server
        if (certificate, key) == (present.certificate, present.key):
            return present
        return _server_pair(certificate, key)

    def _new_trust(self) -> tuple[bytes, Trust]:
        present, authority, revocations = self._loaded, self._read("ca.crt"), self._read_revocations()
        if revocations is None:
            if authority == present.authority and not present.trust.lists:
                return present.authority, present.trust
            raise unusable(f"{REVOCATIONS} is missing")
        if authority == present.authority and revocations == present.trust.source:
            return present.authority, present.trust
        trust = read_trust(authority, revocations)
        numbers = {each.issuer: each.number for each in trust.lists}
        trusted = {each.subject.public_bytes() for each in trust.authorities}
        for known in present.trust.lists:
            if known.issuer in trusted and numbers.get(known.issuer, -1) < known.number:
                raise unusable(f"{REVOCATIONS} is older than the list in use")
        return authority, trust

    def _read(self, name: str) -> bytes:
        with (self._folder / name).open("rb") as file:
            return file.read(_LARGEST)

    def _read_revocations(self) -> bytes | None:
        try:
            return self._read(REVOCATIONS)
        except FileNotFoundError:
            return None


def _server_pair(certificate: bytes, key: bytes) -> ServerPair:
    try:
        read = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        raise unusable("server.crt or server.key cannot be read") from None
    if private.public_key() != read.public_key():
        raise unusable("server.key is not the key of server.crt")
    return ServerPair(key, certificate, f"{read.serial_number:x}")
