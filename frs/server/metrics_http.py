"""A small HTTP server for /metrics (Prometheus) and /health (JSON), on a thread of its own, loopback by default.

It answers GET on these two paths and nothing else, keeps no connection and reads no body.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from frs.errors import FrsError, Reason
from frs.server.addresses import join_address, split_address
from frs.types import Json

TEXT = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"
_TIMEOUT_SECONDS = 5.0


class MetricsServer:
    """Serves from construction until :meth:`close`."""

    def __init__(
        self, address: str, metrics: Callable[[], bytes], health: Callable[[], tuple[bool, Mapping[str, Json]]]
    ) -> None:
        host, port = split_address(address, "server.metrics_address")
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise FrsError(
                Reason.SETTINGS_INVALID, f"server.metrics_address: cannot listen on {address}: {error.strerror}"
            ) from None
        self._server.metrics, self._server.health = metrics, health
        bound = self._server.server_address
        self.address = join_address(str(bound[0]), bound[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="frs-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    metrics: Callable[[], bytes]
    health: Callable[[], tuple[bool, Mapping[str, Json]]]

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "frs"
    sys_version = ""
    timeout = _TIMEOUT_SECONDS

    def do_GET(self) -> None:  # http.server's name
        if self.path == "/metrics":
            self._answer(200, TEXT, self.server.metrics())
        elif self.path == "/health":
            well, report = self.server.health()
            self._answer(200 if well else 503, JSON, json.dumps(report, indent=2).encode() + b"\n")
        else:
            self._answer(404, JSON, b'{"error": "there are /metrics and /health"}\n')

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's signature
        """Say nothing: scrapes are no events."""
