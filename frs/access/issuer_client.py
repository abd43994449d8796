"""Asks the force's identity provider for the keys that it signs tokens with (OpenID Connect Discovery 1.0, RFC 7517).

The provider is trusted to say who people are and for nothing else: it is asked over https with its certificate verified
(http on loopback only), never through a redirect, and its answers are bounded in size and time. Whatever it answers,
the result is its keys or ISSUER_UNAVAILABLE.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from frs.access.hosts import is_loopback_host
from frs.errors import FrsError, Reason
from frs.settings import AccessSettings

DISCOVERY = "/.well-known/openid-configuration"
MOST_BYTES = 512 * 1024
MOST_KEYS = 100


class IssuerClient:
    """Talks to one issuer, a connection for each question. Thread-safe."""

    def __init__(self, settings: AccessSettings) -> None:
        """Raise SETTINGS_INVALID for an issuer that is no https address (or http on loopback), or an unusable CA."""
        self.issuer = settings.issuer
        self._base = _checked(settings.issuer)
        self._timeout = settings.issuer_timeout_seconds
        self._tls = _tls(settings.issuer_ca) if self._base.scheme == "https" else None

    def keys(self) -> list[dict[str, Any]]:
        """Return the keys that the issuer publishes, as JSON Web Keys. Raises ISSUER_UNAVAILABLE."""
        about = self._json(_checked(self.issuer.rstrip("/") + DISCOVERY))
        if about.get("issuer") != self.issuer:
            _unavailable("its configuration is that of another issuer")
        try:
            where = _checked(str(about.get("jwks_uri")))
        except FrsError:
            _unavailable("the address that it names for its keys is not an https address")
        if where.scheme == "http" and self._tls is not None:
            _unavailable("it names plain http for its keys")
        keys = self._json(where).get("keys")
        if not isinstance(keys, list) or len(keys) > MOST_KEYS:
            _unavailable("it publishes no set of keys")
        return [key for key in keys if isinstance(key, dict)]

    def _json(self, url: SplitResult) -> dict[str, Any]:
        try:
            value = json.loads(self._read(url))
        except (ValueError, RecursionError):
            _unavailable("its answer is not JSON")
        if not isinstance(value, dict):
            _unavailable("its answer is not a JSON object")
        return value

    def _read(self, url: SplitResult) -> bytes:
        connection = self._connection(url)
        # A socket's timeout is for each of its waits; this ends the question as a whole.
        watch = threading.Timer(self._timeout, _cut, (connection,))
        watch.daemon = True
        watch.start()
        try:
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
            with connection.getresponse() as response:
                content = response.read(MOST_BYTES + 1)
                if response.length and len(content) <= MOST_BYTES:  # less came than was announced
                    raise http.client.IncompleteRead(content)
        except ssl.SSLCertVerificationError as error:
            _unavailable(f"its certificate is not trusted ({error.verify_message})")
        except (OSError, ValueError, http.client.HTTPException) as error:
            _unavailable(f"it does not answer ({getattr(error, 'strerror', None) or type(error).__name__})")
        finally:
            watch.cancel()
            connection.close()
        if response.status != http.client.OK:
            _unavailable(f"it answers with HTTP status {response.status}")
        if len(content) > MOST_BYTES:
            _unavailable("its answer is too long")
        return content

    def _connection(self, url: SplitResult) -> http.client.HTTPConnection:
        host = url.hostname or ""
        if url.scheme == "https":
            return http.client.HTTPSConnection(host, url.port, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(host, url.port, timeout=self._timeout)


def _checked(url: str) -> SplitResult:
    """Return the parts of an https address, or an http one on loopback; SETTINGS_INVALID otherwise."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        well = bool(host) and not parts.fragment and parts.username is None and parts.port != 0 and url.isascii()
        if not well or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(host))):
            raise ValueError("it must be an https address")
    except ValueError as error:
        raise FrsError(Reason.SETTINGS_INVALID, f"access.issuer: {url!r}: {error}", setting="access.issuer") from error
    return parts


def _tls(authority: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(Path(authority)) if authority else None)
    except OSError as error:  # SSLError is one
        raise FrsError(
            Reason.SETTINGS_INVALID,
            f"access.issuer_ca: {authority}: {error.strerror or type(error).__name__}",
            setting="access.issuer_ca",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _cut(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _unavailable(why: str) -> NoReturn:
    raise FrsError(Reason.ISSUER_UNAVAILABLE, f"the identity provider's keys cannot be had: {why}")
