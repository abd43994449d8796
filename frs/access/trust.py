"""Whom the service trusts: the authorities of ``ca.crt`` and what they have revoked, ``ca.crl`` (RFC 5280).

TLS has judged a certificate once, at the handshake. A connection may outlive that judgement, so each call asks here
again: was it signed by an authority that is trusted now, is it within its period, has it been revoked? No clock is
asked whether a revocation holds: what a list names stays revoked, also when the list is past its next update.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from frs.access.actor import read_certificate
from frs.errors import FrsError, Reason

_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
_MOST_REMEMBERED = 4096
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the parser raises for bytes that are no certificate or list, or of a kind that it does not know."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One entry of a list."""

    serial: str
    """Hexadecimal."""
    at: datetime
    reason: str
    """As RFC 5280 names it with hyphens: ``key-compromise``; ``unspecified`` where the list does not say."""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """The list of one authority, verified."""

    issuer: bytes
    """The authority's name, DER."""
    number: int
    next_update: datetime | None
    revoked: dict[int, Revocation]


@dataclass(frozen=True, slots=True)
class _Seen:
    signed: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class Trust:
    """Authorities and their lists as they stood together."""

    authorities: tuple[x509.Certificate, ...]
    lists: tuple[RevocationList, ...]
    source: bytes | None = None
    """``ca.crl`` as it was read; None without one."""
    _seen: dict[bytes, _Seen] = field(default_factory=dict, compare=False, repr=False)

    @property
    def revoked(self) -> frozenset[str]:
        """Every revoked serial number, hexadecimal."""
        return frozenset(each.serial for known in self.lists for each in known.revoked.values())

    def require(self, pem: bytes, now: datetime) -> None:
        """Raise UNAUTHENTICATED or IDENTITY_REVOKED unless the certificate is one to trust at this instant."""
        period = read_certificate(pem)
        seen = self._look_at(pem)
        if not seen.signed:
            raise _refused("its authority is not trusted any more")
        if seen.revoked:
            raise FrsError(Reason.IDENTITY_REVOKED, "the client certificate is not accepted: it has been revoked")
        if not period.not_before <= now < period.not_after:
            raise _refused("it has expired" if now >= period.not_after else "its period has not begun")

    def _look_at(self, pem: bytes) -> _Seen:
        seen = self._seen.get(pem)
        if seen is None:
            certificate = x509.load_pem_x509_certificate(pem)
            issuer, serial = certificate.issuer.public_bytes(), certificate.serial_number
            seen = _Seen(
                any(_signed_by(certificate, authority) for authority in self.authorities),
                any(known.issuer == issuer and serial in known.revoked for known in self.lists),
            )
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            self._seen[pem] = seen
        return seen


def read_trust(authority_pem: bytes, lists_pem: bytes | None) -> Trust:
    """Read ``ca.crt`` (one authority or several) and ``ca.crl`` (a list of each, or none).

    FrsError CREDENTIALS_UNUSABLE says what cannot be used: a file that cannot be read, a list that no authority signed
    or that carries a critical extension, which may narrow what it says.
    """
    try:
        authorities = tuple(x509.load_pem_x509_certificates(authority_pem))
    except _UNREADABLE:
        raise unusable("ca.crt cannot be read") from None
    found = _CRL.findall(lists_pem or b"")
    if lists_pem is not None and not found:
        raise unusable("ca.crl cannot be read")
    return Trust(authorities, tuple(_read_list(pem, authorities) for pem in found), lists_pem)


def _read_list(pem: bytes, authorities: Sequence[x509.Certificate]) -> RevocationList:
    try:
        read = x509.load_pem_x509_crl(pem)
        if not any(_list_signed_by(read, authority) for authority in authorities):
            raise unusable("ca.crl was not signed by the authority")
        if any(extension.critical for extension in read.extensions):
            raise unusable("ca.crl carries a critical extension that is not known here")
        revoked = {entry.serial_number: _entry(entry) for entry in read}
        numbers = [each.value.crl_number for each in read.extensions if isinstance(each.value, x509.CRLNumber)]
    except _UNREADABLE:
        raise unusable("ca.crl cannot be read") from None
    return RevocationList(read.issuer.public_bytes(), numbers[0] if numbers else 0, read.next_update_utc, revoked)


def _entry(entry: x509.RevokedCertificate) -> Revocation:
    reason = "unspecified"
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason.name.replace("_", "-")
    return Revocation(f"{entry.serial_number:x}", entry.revocation_date_utc, reason)


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _list_signed_by(read: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return read.issuer == authority.subject and read.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # a key of another kind is the TypeError
    except (TypeError, ValueError):
        return False


def _refused(why: str) -> FrsError:
    return FrsError(Reason.UNAUTHENTICATED, f"the client certificate is not accepted: {why}")


def unusable(why: str) -> FrsError:
    """Return the error for certificates that cannot be used."""
    return FrsError(Reason.CREDENTIALS_UNUSABLE, why)
