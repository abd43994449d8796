"""A real gRPC server with TLS on loopback, running the edge in front of a servicer that a test gives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from frs.access.authority import Authority
from frs.access.credentials import Credentials
from frs.access.limits import Quotas
from frs.clock import SystemClock
from frs.server.interceptors import Edge
from frs.server.listening import listen, make_server, server_credentials
from frs.server.metrics import Metrics
from frs.server.readiness import Phase, Readiness
from frs.server.validation import Limits
from frs.settings import AccessSettings
from frs.types import Role

MIB = 1024 * 1024


class RunningEdge:
    """The server on a thread of its own."""

    def __init__(
        self,
        certs: Path,
        register: Callable[[grpc.aio.Server, Readiness], None],
        *,
        tls: bool = True,
        access: AccessSettings | None = None,
        credentials: Credentials | None = None,
        **parts: Any,
    ) -> None:
        """Run it; ``parts`` are further arguments of the edge."""
        self.certs = certs
        self.metrics = Metrics()
        self.readiness = Readiness()
        self.readiness.phase = Phase.SERVING
        self.loop = asyncio.new_event_loop()
        self._register = register
        self._tls = tls
        self._credentials = credentials
        self._parts = parts
        self._quotas = Quotas(access) if access is not None else None
        self._bound = threading.Event()
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._bound.wait(10)

    async def _serve(self) -> None:
        limits = Limits(picture_bytes=1 * MIB, message_bytes=2 * MIB)
        self._stop = asyncio.Event()
        parts: dict[str, Any] = {"tls": self._tls, "quotas": self._quotas, **self._parts}
        self.interceptor = Edge(self.readiness, limits, self.metrics, SystemClock(), **parts)
        self.server = make_server(self.interceptor, 2)
        self._register(self.server, self.readiness)
        shown = server_credentials(self._credentials or Credentials(self.certs)) if self._tls else None
        self.address = listen(self.server, "localhost:0", shown)
        await self.server.start()
        self._bound.set()
        await self._stop.wait()
        await self.server.stop(1)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self.loop.close()

    def channel(self, name: str | None = "all") -> grpc.Channel:
        """Return a channel with an identity's certificate; None for one without any."""
        root = (self.certs / "ca.crt").read_bytes()
        if name is None:
            return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(root))
        key, certificate = ((self.certs / f"{name}.{kind}").read_bytes() for kind in ("key", "crt"))
        return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(root, key, certificate))


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of one authority: the server's, and identities named all, feed and reviewer."""
    folder = tmp_path_factory.mktemp("certs")
    authority = Authority.create(folder, SystemClock())
    authority.issue_server()
    authority.issue("all", list(Role))
    authority.issue("feed", [Role.FEED])
    authority.issue("reviewer", [Role.REVIEWER])
    return folder


@pytest.fixture
def run_edge(certs: Path) -> Iterator[Callable[..., RunningEdge]]:
    """Start the edge in front of what ``register`` adds to the server."""
    running: list[RunningEdge] = []

    def start(register: Callable[[grpc.aio.Server, Readiness], None], **options: Any) -> RunningEdge:
        edge = RunningEdge(options.pop("certs", certs), register, **options)
        running.append(edge)
        return edge

    yield start
    for edge in running:
        edge.close()
