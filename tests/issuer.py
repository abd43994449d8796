"""A real OpenID Connect issuer on loopback: publishes its configuration and keys over HTTP(S), and mints tokens.

In a thread of the test (:class:`Issuer`), or in a process of its own: ``python -m tests.issuer FOLDER`` serves the keys
that an :class:`Issuer` keeps in the folder, so that a test can mint, rotate, and kill the process.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ROOT = Path(__file__).resolve().parents[1]
AUDIENCE = "frs"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def new_key(algorithm: str = "ES256") -> PrivateKey:
    """Return a key for an algorithm."""
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        curves: dict[str, ec.EllipticCurve] = {
            "ES256": ec.SECP256R1(),
            "ES384": ec.SECP384R1(),
            "ES512": ec.SECP521R1(),
        }
        return ec.generate_private_key(curves[algorithm])
    return rsa.generate_private_key(65537, 2048)


def public_jwk(key: PrivateKey, key_id: str, **more: str) -> dict[str, Any]:
    """Return the published form of a key."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        made = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        made = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        made = OKPAlgorithm.to_jwk(public, as_dict=True)
    return {**made, "kid": key_id, "use": "sig", **more}


def thumbprint(certificate: Path) -> str:
    """Return the ``x5t#S256`` of a PEM certificate."""
    der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


class Mint:
    """Makes tokens, good ones unless told otherwise."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.keys: dict[str, tuple[PrivateKey, str]] = {}
        self.current = ""
        self.rotate()

    def rotate(self, algorithm: str = "ES256", *, forget: bool = False) -> str:
        """Sign with a new key from now on; returns its id."""
        if forget:
            self.keys.clear()
        self.current = f"key-{len(self.keys)}-{time.monotonic_ns()}"
        self.keys[self.current] = (new_key(algorithm), algorithm)
        return self.current

    def published(self) -> list[dict[str, Any]]:
        """Return the public keys."""
        return [public_jwk(key, key_id) for key_id, (key, _) in self.keys.items()]

    def claims(self, now: datetime, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token; a change to None leaves a claim out."""
        at = int(now.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "ana",
            "roles": ["oversight"],
            "iat": at,
            "exp": at + 300,
            "jti": f"token-{time.monotonic_ns()}",
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def token(self, now: datetime, header: Mapping[str, object] | None = None, **changes: Any) -> str:
        """Return a signed token."""
        key, algorithm = self.keys[self.current]
        return jwt.encode(self.claims(now, **changes), key, algorithm, {"kid": self.current, **(header or {})})


class Issuer(Mint):
    """An issuer in a thread. ``mode`` says how it answers; ``asked`` counts the questions for its keys."""

    def __init__(self) -> None:
        self.mode = "well"
        self.asked = 0
        self.body: bytes | None = None
        self.released = threading.Event()
        self.changes: dict[str, Any] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.answer))
        self._server.daemon_threads = True
        super().__init__(f"http://127.0.0.1:{self._server.server_port}/realm")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return status and body for a path."""
        if self.mode == "hang":
            self.released.wait(30)
        if self.mode == "error":
            return 503, b"out of order"
        if self.body is not None:
            return 200, self.body
        if path == "/realm/.well-known/openid-configuration":
            about = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **self.changes}
            return 200, json.dumps(about).encode()
        self.asked += 1
        return 200, json.dumps({"keys": self.published()}).encode()

    def close(self) -> None:
        """Stop answering."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class IssuerProcess(Mint):
    """An issuer in a process of its own; with ``tls`` (certificate and key) it speaks https."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        self.folder = folder
        self._tls = tls
        folder.mkdir(parents=True, exist_ok=True)
        self._port = 0
        self.start()
        super().__init__(f"{'https' if tls else 'http'}://localhost:{self._port}")
        self.publish()

    def start(self) -> None:
        """Start, on the same port as before."""
        port = self.folder / "port"
        port.unlink(missing_ok=True)
        command = [sys.executable, "-W", "error", "-m", "tests.issuer", str(self.folder), str(self._port)]
        command += [str(path) for path in self._tls or ()]
        self.process = subprocess.Popen(command, cwd=ROOT)
        until = time.monotonic() + 30
        while not port.exists():
            assert self.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        self._port = int(port.read_text())

    def publish(self) -> None:
        """Publish the keys that there are now."""
        about = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        (self.folder / "keys").write_text(json.dumps({"keys": self.published()}))
        (self.folder / "about").write_text(json.dumps(about))

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(10)


def _handler(answer: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client went away
                return

        def log_message(self, *_: object) -> None:
            return

    return Handler


def _serve(folder: Path, port: int, tls: list[str]) -> None:
    def answer(path: str) -> tuple[int, bytes]:
        return 200, (folder / ("keys" if path == "/keys" else "about")).read_bytes()

    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(answer))
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls[0], tls[1])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    draft = folder / "port.new"
    draft.write_text(str(server.server_port))
    draft.rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
