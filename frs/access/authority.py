"""The installation's own certificate authority: one EC P-256 root that signs the server and every identity.

Files under ``DATA/certs``: ``ca.crt`` (give it to clients), ``ca.key`` (needed to issue and revoke: keep it off the
server), ``ca.crl`` (what was revoked: give it to the server), ``issued.jsonl`` (every certificate issued here),
``server.crt`` and ``server.key``, and ``NAME.crt`` with ``NAME.key`` for each identity issued here. Keys are written
with mode 0600 and certificates with 0644. Profiles follow RFC 5280; an identity's roles and scope are URI subject
alternative names (:data:`frs.access.names.ROLE_URI`, :mod:`frs.access.scope_uris`).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from frs.access import issue_index, revoking
from frs.access.issue_index import IssuedSerial
from frs.access.names import ROLE_URI, require_name
from frs.access.scope_uris import scope_uris
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.store.durable import sync_folder
from frs.types import Role, Scope

AUTHORITY_YEARS = 10
SERVER_DAYS = 825
IDENTITY_DAYS = 365
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_SKEW = timedelta(minutes=5)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """Where a certificate and its key were written, and until when it is valid."""

    name: str
    certificate: Path
    key: Path
    not_after: datetime
    serial: str
    """Hexadecimal."""


def _write(path: Path, content: bytes, mode: int) -> None:
    # The file never exists with wider permissions, and a crash leaves the old one or the new one.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "FRS"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        raise FrsError(Reason.INVALID_FIELD, f"{name!r} is neither a host name nor an address", field="host") from None


class Authority:
    """Signs certificates with the key in ``folder``; made by :meth:`create` or :meth:`load`."""

    def __init__(
        self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, clock: Clock
    ) -> None:
        self._folder = folder
        self._certificate = certificate
        self._key = key
        self._clock = clock

    @classmethod
    def create(cls, folder: Path, clock: Clock) -> Authority:
        """Make a new root and write ``ca.crt``, last, and ``ca.key``. Refuses to replace one that is there.

        What a call that was cut off left, a key without its certificate that never issued anything, is replaced.
        """
        issued_before = (folder / issue_index.FILE).exists()
        if (folder / "ca.crt").exists() or ((folder / "ca.key").exists() and issued_before):
            raise FrsError(Reason.ALREADY_INITIALISED, f"{folder} already holds a certificate authority")
        (folder / revoking.FILE).unlink(missing_ok=True)  # that authority's, which nobody knows
        key = ec.generate_private_key(ec.SECP256R1())
        now = clock.now().replace(microsecond=0)
        name = _subject(f"FRS local authority {x509.random_serial_number():040x}"[:64])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + AUTHORITY_YEARS * 365 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certificate_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write(folder / "ca.key", _key_pem(key), 0o600)
        authority = cls(folder, certificate, key, clock)
        authority.revoke((), "unspecified")  # an empty list: one that is missing later is missed
        _write(folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return authority

    @classmethod
    def load(cls, folder: Path, clock: Clock) -> Authority:
        """Read the root. Raises NOT_INITIALISED where there is none, KEY_WRONG where key and certificate differ."""
        try:
            certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
            key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
        except FileNotFoundError as error:
            raise FrsError(Reason.NOT_INITIALISED, f"there is no authority: {error.filename} is missing") from None
        except (ValueError, TypeError):
            raise FrsError(Reason.KEY_WRONG, f"ca.crt or ca.key in {folder} cannot be read") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise FrsError(Reason.KEY_WRONG, f"ca.key in {folder} is not the key of ca.crt")
        return cls(folder, certificate, key, clock)

    def issue(
        self,
        name: str,
        roles: Iterable[Role],
        days: int = IDENTITY_DAYS,
        *,
        scope: Scope = Scope(),  # noqa: B008  # frozen
        renew: bool = False,
    ) -> Issued:
        """Issue a client certificate to ``name`` with ``roles``, limited to ``scope``, and write it with its key.

        One that was issued before is replaced only to ``renew`` it (the old one stays valid until it expires or is
        revoked); otherwise IDENTITY_EXISTS.
        """
        require_name(name)
        roles = frozenset(roles)
        uris = [x509.UniformResourceIdentifier(f"{ROLE_URI}{role}") for role in sorted(roles)]
        uris += [x509.UniformResourceIdentifier(uri) for uri in scope_uris(scope)]
        if not roles:
            raise FrsError(Reason.INVALID_FIELD, "an identity needs at least one role", field="role")
        if not renew and (self._folder / f"{name}.crt").exists():
            raise FrsError(Reason.IDENTITY_EXISTS, f"a certificate for {name!r} has already been issued here")
        return self._sign(name, uris, ExtendedKeyUsageOID.CLIENT_AUTH, days)

    def issue_server(self, hosts: Sequence[str] = (), days: int = SERVER_DAYS) -> Issued:
        """Issue the server's certificate for localhost and ``hosts`` (names or addresses); replaces the present one."""
        alternatives = [_host(host) for host in dict.fromkeys((*LOCAL_HOSTS, *hosts))]
        return self._sign("server", alternatives, ExtendedKeyUsageOID.SERVER_AUTH, days)

    def revoke(self, serials: Iterable[int], reason: str) -> Path:
        """Write ``ca.crl`` anew, with these serial numbers on it, and return where; those on it stay.

        ``reason`` is one of :data:`frs.access.revoking.REASONS`. FrsError CREDENTIALS_UNUSABLE when the list that is
        there is not this authority's.
        """
        path = self._folder / revoking.FILE
        with revoking.alone(self._folder):
            before = path.read_bytes() if path.exists() else None
            now = self._clock.now()
            _write(path, revoking.signed_list(self._certificate, self._key, before, serials, reason, now), 0o644)
        return path

    def _sign(
        self, name: str, alternatives: Sequence[x509.GeneralName], purpose: x509.ObjectIdentifier, days: int
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now().replace(microsecond=0)
        not_after = min(now + days * _DAY, self._certificate.not_valid_after_utc)
        if not_after <= now:
            raise FrsError(Reason.INVALID_FIELD, "the certificate would be expired at once", field="days")
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_subject(name))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(certificate_sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        files = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        issued = Issued(name, *files, not_after.astimezone(UTC), f"{certificate.serial_number:x}")
        said = tuple(str(each.value) for each in alternatives)
        with revoking.alone(self._folder):
            issue_index.append(self._folder, IssuedSerial(issued.serial, name, now, issued.not_after, said))
        _write(issued.key, _key_pem(key), 0o600)
        _write(issued.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return issued


def _usage(*, certificate_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificate_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_sign,
        crl_sign=certificate_sign,
        encipher_only=False,
        decipher_only=False,
    )
