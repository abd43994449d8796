"""The keys that the identity provider signs with: kept, asked anew when they are due, and found by a token's key id.

What holds: a known key is found (:meth:`IssuerKeys.known`) without asking anybody, also while the provider is down,
until ``keys_stale_seconds`` have passed since it last answered. A key that the provider withdrew is forgotten at the
next asking (``keys_seconds``). A key id that is not known has the provider asked at once, so that a rotation is seen,
but never within :data:`FLOOR_SECONDS` of the last time, whoever sends however many such tokens; and one asking serves
all who wait. Only public keys for the signature algorithms of :data:`ALGORITHMS` are taken (RFC 7518, RFC 8037): none
and HMAC are not among them, so a public key can never be mistaken for a shared secret.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from frs.errors import FrsError, Reason

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
FLOOR_SECONDS = 5.0
"""The least time between two askings that a token's unknown key id or a failure brings about."""
LEAST_RSA_BITS = 2048
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key of the issuer and the algorithms that may be used with it."""

    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    algorithms: frozenset[str]


class IssuerKeys:
    """The keys of one issuer. Thread-safe; the network is used in :meth:`refresh` alone."""

    def __init__(
        self,
        ask: Callable[[], list[dict[str, Any]]],
        fresh_seconds: float,
        stale_seconds: float,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ask`` returns the JSON Web Keys that are published, or raises ISSUER_UNAVAILABLE."""
        self._ask = ask
        self._fresh = fresh_seconds
        self._stale = max(stale_seconds, fresh_seconds)
        self._seconds = seconds
        self._keys: Mapping[str, IssuerKey] = {}
        self._answered: float | None = None
        self._asked: float | None = None
        self._failure: FrsError | None = None
        self._asking = threading.Lock()

    @property
    def failure(self) -> FrsError | None:
        """Why the issuer's keys could not be had the last time they were asked for; None when they could."""
        return self._failure

    @property
    def due(self) -> bool:
        """Whether the issuer should be asked anew, and may be."""
        fresh = self._answered is not None and self._seconds() - self._answered < self._fresh
        return not fresh and self.may_ask

    @property
    def may_ask(self) -> bool:
        """Whether the issuer was not asked within the floor."""
        return self._asked is None or self._seconds() - self._asked >= FLOOR_SECONDS

    def known(self, key_id: str, algorithm: str) -> IssuerKey | None:
        """Return a key that is known and not stale, without asking anybody; None when there is none.

        An empty ``key_id`` finds the only key for the algorithm, where the issuer publishes one alone.
        """
        if self._answered is None or self._seconds() - self._answered >= self._stale:
            return None
        if key_id:
            key = self._keys.get(key_id)
            return key if key is not None and algorithm in key.algorithms else None
        fitting = [key for key in self._keys.values() if algorithm in key.algorithms]
        return fitting[0] if len(fitting) == 1 else None

    def missing(self) -> FrsError:
        """Return what is told of a key that is not known: ISSUER_UNAVAILABLE while the issuer does not answer."""
        if (failure := self._failure) is not None:
            return FrsError(failure.reason, failure.message)
        return FrsError(
            Reason.TOKEN_INVALID, "the token is not accepted: it is signed with a key that is not published"
        )

    def refresh(self) -> None:
        """Ask the issuer, unless it was asked within the floor; whoever comes meanwhile waits for the same answer."""
        with self._asking:
            if not self.may_ask:
                return
            try:
                self._keys = usable_keys(self._ask())
                self._answered, told = self._seconds(), self._failure
                self._failure = None
                if told is not None:
                    log.info("the identity provider answers again", keys=len(self._keys))
            except FrsError as error:
                if self._failure is None:
                    log.warning("the identity provider cannot be used", message=error.message)
                self._failure = error
            self._asked = self._seconds()


def usable_keys(published: list[dict[str, Any]]) -> dict[str, IssuerKey]:
    """Return by id the keys that may sign tokens; a key of another kind is left out, and two of one id are both."""
    found: dict[str, IssuerKey] = {}
    ambiguous: set[str] = set()
    for number, each in enumerate(published):
        key = _key(each)
        if key is None:
            continue
        key_id = each.get("kid")
        name = key_id if isinstance(key_id, str) and key_id else f" {number}"  # found by algorithm alone
        if name in found:
            ambiguous.add(name)
        found[name] = key
    return {name: key for name, key in found.items() if name not in ambiguous}


def _key(published: dict[str, Any]) -> IssuerKey | None:
    if published.get("kty") not in ("RSA", "EC", "OKP") or published.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in published.items() if name in {"kty", "crv", "x", "y", "n", "e"}}
    try:
        key = PyJWK(public).key
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    match key:
        case rsa.RSAPublicKey() if key.key_size >= LEAST_RSA_BITS:
            algorithms = _RSA
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            algorithms = frozenset({_CURVES[key.curve.name]})
        case ed25519.Ed25519PublicKey():
            algorithms = frozenset({"EdDSA"})
        case _:
            return None
    named = published.get("alg")
    if named is not None:
        algorithms &= {named} if isinstance(named, str) else set()
    return IssuerKey(key, algorithms) if algorithms else None
