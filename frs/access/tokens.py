"""Bearer tokens of the force's identity provider: from a signed JSON Web Token to the identity that it names.

Follows RFC 7519 and RFC 8725 (best current practice): the algorithm is one of a fixed set of signatures and fits the
key; issuer and audience are this service's; the token says when it was issued and when it ends, ended within
``token_max_seconds`` of its issue, and is judged by our clock give or take ``clock_skew_seconds``. A token bound to a
certificate (``cnf.x5t#S256``, RFC 8705) holds on a connection that carries that certificate and on no other. Whatever
the text is, the answer is an identity or :class:`FrsError`: TOKEN_INVALID, TOKEN_EXPIRED, ISSUER_UNAVAILABLE. Messages
are fixed sentences and quote nothing of the token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from frs.access.actor import MAX_CERTIFICATE_BYTES, Identity
from frs.access.issuer_client import IssuerClient
from frs.access.issuer_keys import ALGORITHMS, IssuerKey, IssuerKeys
from frs.access.token_claims import id_in, name_in, refuse, roles_in, scope_in
from frs.errors import FrsError, Reason
from frs.settings import AccessSettings
from frs.types import Actor

MOST_CHARACTERS = 16 * 1024
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
"""RFC 9068 names access tokens at+jwt; many providers say JWT or nothing. Logout tokens, proofs and others are none."""
_MOST_KEY_ID = 256


@dataclass(frozen=True, slots=True)
class _Header:
    algorithm: str
    key_id: str


class TokenVerifier:
    """Verifies tokens of one issuer. Thread-safe."""

    def __init__(self, settings: AccessSettings, seconds: Callable[[], float] = time.monotonic) -> None:
        """Raise SETTINGS_INVALID when ``access.issuer`` or its certificate authority cannot be used."""
        client = IssuerClient(settings)
        self.keys = IssuerKeys(client.keys, settings.keys_seconds, settings.keys_stale_seconds, seconds)
        self._settings = settings
        self._skew = timedelta(seconds=settings.clock_skew_seconds)
        self._jws = PyJWS(algorithms=sorted(ALGORITHMS))

    def verify(self, token: str, now: datetime, certificate: bytes | None) -> Identity:
        """Return whom the token names. Blocks while the issuer is asked for its keys, when that is needed.

        ``certificate`` is the one that the connection carries, PEM; None where it carries none. The identity's period
        includes the clock skew.
        """
        if self.keys.due:
            self.keys.refresh()
        found = self.verify_known(token, now, certificate)
        if found is None:
            self.keys.refresh()
            found = self.verify_known(token, now, certificate)
        if found is None:
            raise self.keys.missing()
        return found

    def verify_known(self, token: str, now: datetime, certificate: bytes | None) -> Identity | None:
        """Do the same with a key that is known already, never blocking; None when the issuer would have to be asked."""
        header = _header(token)
        key = self.keys.known(header.key_id, header.algorithm)
        return None if key is None else self._judged(token, header, key, now, certificate)

    def _judged(
        self, token: str, header: _Header, key: IssuerKey, now: datetime, certificate: bytes | None
    ) -> Identity:
        claims = self._claims(token, header, key)
        self._check_origin(claims)
        not_before, not_after = self._period(claims, now)
        credential = f"token:{id_in(claims, token)}"
        shown = _connection_certificate(certificate) if certificate is not None else None
        _check_binding(claims, shown)
        if shown is not None:
            credential += f"+certificate:{shown.serial_number:x}"
            not_after = min(not_after, shown.not_valid_after_utc)
            if now >= not_after:
                refuse("the certificate of its connection has expired", Reason.TOKEN_EXPIRED)
        settings = self._settings
        actor = Actor(
            name_in(claims, settings.name_claim),
            roles_in(claims, settings.roles_claim),
            credential,
            scope_in(claims, settings.scope_claim),
        )
        return Identity(actor, not_before, not_after)

    def _claims(self, token: str, header: _Header, key: IssuerKey) -> dict[str, Any]:
        try:
            verified = self._jws.decode_complete(token, key.key, algorithms=[header.algorithm])
            claims = json.loads(verified["payload"], parse_constant=_no_number)
        except (PyJWTError, ValueError, TypeError, RecursionError):
            refuse("its signature or its form is wrong")
        if not isinstance(claims, dict):
            refuse("its signature or its form is wrong")
        return claims

    def _check_origin(self, claims: dict[str, Any]) -> None:
        if claims.get("iss") != self._settings.issuer:
            refuse("another issuer issued it")
        audience = claims.get("aud")
        if self._settings.audience not in (audience if isinstance(audience, list) else [audience]):
            refuse("it is for another audience")

    def _period(self, claims: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
        issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
        if issued is None or expires is None:
            refuse("it does not say when it was issued and when it ends")
        begins = max(issued, _instant(claims, "nbf") or issued)
        if expires <= issued or expires - issued > timedelta(seconds=self._settings.token_max_seconds):
            refuse("it lives longer than this service allows")
        not_before, not_after = begins - self._skew, expires + self._skew
        if now >= not_after:
            refuse("it has expired", Reason.TOKEN_EXPIRED)
        if now < not_before:
            refuse("its period has not begun")
        return not_before, not_after


def _header(token: str) -> _Header:
    if len(token) > MOST_CHARACTERS:
        refuse("it is too large")
    first = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(first.encode("ascii") + b"=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        refuse("its form is wrong")
    if not isinstance(header, dict) or "crit" in header or "b64" in header or token.count(".") != 2:
        refuse("its form is wrong")
    algorithm, key_id, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        refuse("its algorithm is not one that is accepted")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        refuse("it is a token of another kind")
    if not isinstance(key_id, str) or len(key_id) > _MOST_KEY_ID:
        refuse("its form is wrong")
    return _Header(algorithm, key_id)


def _instant(claims: dict[str, Any], name: str) -> datetime | None:
    value = claims.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(name)
        # A margin at both ends of what a datetime holds, for the skew.
        return min(max(datetime.fromtimestamp(value, UTC), _FIRST), _LAST)
    except (ValueError, OverflowError, OSError):
        refuse("its period cannot be understood")


_FIRST, _LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)


def _connection_certificate(pem: bytes) -> x509.Certificate:
    try:
        if len(pem) > MAX_CERTIFICATE_BYTES:
            raise ValueError("too large")
        return x509.load_pem_x509_certificate(pem)
    except Exception:  # noqa: BLE001  # hostile bytes: the parser's exceptions are many, and the answer is one
        raise FrsError(Reason.UNAUTHENTICATED, "the client certificate is not accepted: it cannot be read") from None


def _check_binding(claims: dict[str, Any], certificate: x509.Certificate | None) -> None:
    """Raise TOKEN_INVALID when the token is bound to what this connection does not show (RFC 8705, section 3)."""
    binding = claims.get("cnf")
    if binding is None:
        return
    expected = binding.get("x5t#S256") if isinstance(binding, dict) and len(binding) == 1 else None
    if not isinstance(expected, str):  # bound to a key in a way that is not known here: holding it proves nothing
        refuse("it is bound in a way that is not known here")
    if certificate is None:
        refuse("it is bound to a certificate that this connection does not carry")
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    actual = base64.urlsafe_b64encode(digest).rstrip(b"=")
    if not hmac.compare_digest(actual, expected.encode("utf-8", "replace")):
        refuse("it is bound to a certificate that this connection does not carry")


def _no_number(_: str) -> NoReturn:
    raise ValueError("not a number")
