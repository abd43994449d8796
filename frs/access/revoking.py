"""Revoking certificates: the authority's list ``ca.crl`` (RFC 5280, version 2), written whole and signed each time.

The list only grows: a serial number stays on it until its certificate would have ended anyway. Each list has the next
number, so that an older one that is put back is told from the newest. Two commands at once wait for each other.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from frs.access.trust import read_trust, unusable
from frs.errors import FrsError, Reason

FILE = "ca.crl"
REASONS = {
    flag.name.replace("_", "-"): flag
    for flag in (
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.privilege_withdrawn,
    )
}
"""Why a certificate is revoked, as RFC 5280 names it."""
_BACKDATED = timedelta(minutes=5)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the authority's folder: who issues or revokes meanwhile waits."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def signed_list(
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    before: bytes | None,
    serials: Iterable[int],
    reason: str,
    now: datetime,
) -> bytes:
    """Return the next list, PEM: what ``before`` revokes, and ``serials`` for a reason of :data:`REASONS`.

    ``before`` is the present list, which must be the authority's own: CREDENTIALS_UNUSABLE otherwise, since to begin
    anew would make valid what was revoked.
    """
    if reason not in REASONS:
        raise FrsError(Reason.INVALID_FIELD, f"a reason is one of {', '.join(REASONS)}", field="reason")
    number, entries = 1, dict[int, x509.RevokedCertificate]()
    if before is not None:
        pem = authority.public_bytes(serialization.Encoding.PEM)
        (present, *more) = read_trust(pem, before).lists
        if more:
            raise unusable("ca.crl holds lists of several authorities")
        number = present.number + 1
        entries = {entry.serial_number: entry for entry in x509.load_pem_x509_crl(before)}
    at = now.astimezone(UTC).replace(microsecond=0)
    for serial in serials:
        if serial not in entries:
            builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
            if reason != "unspecified":  # RFC 5280: then the extension is left out
                builder = builder.add_extension(x509.CRLReason(REASONS[reason]), critical=False)
            entries[serial] = builder.build()
    builder_ = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(at - _BACKDATED)
        .next_update(max(authority.not_valid_after_utc, at))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for entry in entries.values():
        builder_ = builder_.add_revoked_certificate(entry)
    return builder_.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
