"""The witness over HTTP/1.1, with TLS where a certificate is given: the standard library's server, kept within bounds.

At most :data:`MOST_CONNECTIONS` connections at once; each request, the wait for it included, has
:data:`REQUEST_SECONDS`, however slowly its bytes come; bodies are limited; nothing is answered before it is durable.

    POST /add-checkpoint           C2SP tlog-witness
    POST /add-erasures             new entries of the erasure journal
    GET  /checkpoint?origin=O      the log's newest checkpoint, cosigned
    GET  /erasures?origin=O&from=N a page of the journal
    GET  /                         who the witness is and what it has seen, JSON
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog

from frs.errors import FrsError, Reason, place
from frs.witness.cosigning import Answer, Witness
from frs.witness.requests import MOST_CHECKPOINT_BYTES, MOST_ERASURES_BYTES, parse_number

MOST_CONNECTIONS = 32
REQUEST_SECONDS = 15.0
ANSWER_SECONDS = 15.0
JSON = "application/json"
_MOST_QUERY = 2048
_POLL_SECONDS = 0.05
_log = structlog.get_logger("frs.witness")


class WitnessServer:
    """Serves from construction until :meth:`close`."""

    def __init__(
        self,
        witness: Witness,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> None:
        """Listen. Raises FrsError(SETTINGS_INVALID) when the address cannot be had."""
        try:
            self._server = _Server((host, port), witness, tls, seconds)
        except OSError as error:
            message = f"The witness cannot listen on {host}:{port}: {error.strerror}."
            raise FrsError(Reason.SETTINGS_INVALID, message) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="frs-witness", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Answers under way are finished by their threads or die with the process."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return a server's context, TLS 1.2 or later. Raises FrsError(SETTINGS_INVALID) when the files are no pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        message = f"The certificate {certificate} and key {key} cannot be used: {error.strerror or error}."
        raise FrsError(Reason.SETTINGS_INVALID, message) from error
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], witness: Witness, tls: ssl.SSLContext | None, seconds: float) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.witness, self.tls, self.seconds = witness, tls, seconds
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve the connection on a thread of its own, or close it when there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve it, and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands on the connection's own thread: a client that is slow to do so holds up nobody."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(self.seconds)
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)
            with contextlib.suppress(OSError):
                wrapped.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # socketserver's signature
        """Say in one line what broke a connection; a client that went away is no news."""
        import sys

        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            _log.error("connection failed", error=type(error).__name__, where=place(error))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "frs-witness"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self._deadline = 0.0
        self.rfile.close()
        self.rfile = io.BufferedReader(_Timed(self.connection, lambda: self._deadline))

    def handle_one_request(self) -> None:
        self._deadline = time.monotonic() + self.server.seconds
        super().handle_one_request()

    def do_POST(self) -> None:  # http.server's name
        routes: dict[str, tuple[Callable[[bytes], Answer], int]] = {
            "/add-checkpoint": (self.server.witness.add_checkpoint, MOST_CHECKPOINT_BYTES),
            "/add-erasures": (self.server.witness.add_erasures, MOST_ERASURES_BYTES),
        }
        route = routes.get(self.path)
        length = self.headers.get("Content-Length", "")
        try:
            if "Transfer-Encoding" in self.headers or len(self.headers.get_all("Content-Length", ())) > 1:
                raise ValueError("two lengths")  # where the body ends must be beyond doubt (RFC 9112, section 6.3)
            size = parse_number(length)
        except ValueError:
            self._turn_away(411, "the length of the body must be given")
            return
        if route is None:
            self._turn_away(404, "there is nothing here to post to")
        elif size > route[1]:
            self._turn_away(413, f"a body may have {route[1]} bytes")
        else:
            body = self.rfile.read(size)
            if len(body) == size:
                self._answer_with(lambda: route[0](body))
            else:
                self.close_connection = True

    def do_GET(self) -> None:  # http.server's name
        parts = urlsplit(self.path)
        witness = self.server.witness
        if parts.path == "/" and not parts.query:
            self._answer_with(lambda: Answer(200, json.dumps(witness.status(), indent=2).encode() + b"\n", JSON))
            return
        try:
            if len(parts.query) > _MOST_QUERY:
                raise ValueError("too long a query")
            given = parse_qs(parts.query, strict_parsing=True, max_num_fields=4)
            if parts.path == "/checkpoint" and given.keys() == {"origin"}:
                origin = given["origin"][0]
                self._answer_with(lambda: witness.checkpoint(origin))
            elif parts.path == "/erasures" and given.keys() == {"origin", "from"}:
                origin, first = given["origin"][0], parse_number(given["from"][0])
                self._answer_with(lambda: witness.erasures(origin, first))
            elif parts.path in {"/checkpoint", "/erasures"}:
                raise ValueError("the query must name the origin, of a journal also from where")
            else:
                self._answer(Answer(404, b"there is nothing here\n"))
        except ValueError as error:
            self._answer(Answer(400, f"{error}\n".encode()))

    def _answer_with(self, act: Callable[[], Answer]) -> None:
        try:
            answer = act()
        except FrsError as error:
            _log.error("request failed", reason=str(error.reason), message=error.message)
            answer = Answer(503, b"the witness's records cannot be written or read\n")
        if answer.evidence:
            _log.error("a signed note was refused and is kept as evidence", what=answer.evidence)
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        self.connection.settimeout(ANSWER_SECONDS)
        self.send_response(answer.status)
        if answer.status != 204:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def _turn_away(self, status: int, why: str) -> None:
        """Answer without having read the body; what comes of it cannot be told from a next request."""
        self.close_connection = True
        self._answer(Answer(status, f"{why}\n".encode()))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's signature
        """Say nothing: a log that is witnessed asks every few seconds."""


class _Timed(io.RawIOBase):
    """A socket's bytes until a deadline: however slowly they come, reading ends then with TimeoutError."""

    def __init__(self, connection: socket.socket, deadline: Callable[[], float]) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline() - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
