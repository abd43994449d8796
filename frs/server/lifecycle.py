"""The service's life: open, listen, rebuild, serve, drain, close.

What holds: the port is bound and health answers NOT_SERVING before the index is rebuilt; SIGTERM or SIGINT stops new
requests at once, lets those begun finish within ``server.drain_seconds``, has every live stream process the frames it
holds and write its last counts, signs the log and closes the database; a second signal waits for no client any more.
``DATA/server.json`` says where the service listens, from its start to its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import structlog

from frs import __version__
from frs.access.admission import Admission
from frs.access.credentials import Credentials
from frs.access.limits import Quotas
from frs.access.tokens import TokenVerifier
from frs.access.trust import Trust
from frs.clock import Clock, SystemClock
from frs.server.application import Application
from frs.server.bearers import Bearers
from frs.server.folders import certs_folder, require_database, require_initialised, server_file
from frs.server.health import Health, report
from frs.server.interceptors import Edge
from frs.server.listening import (
    MIB,
    check_addresses,
    check_token_address,
    listen,
    make_server,
    reachable,
    server_credentials,
)
from frs.server.metrics import Metrics
from frs.server.metrics_http import MetricsServer
from frs.server.probe import Probe, figures
from frs.server.readiness import Phase, Readiness
from frs.server.reloading import Reloading
from frs.server.ringing import soon
from frs.server.services import Services
from frs.server.validation import Limits
from frs.server.waiting import Stopping
from frs.settings import AccessSettings, Settings
from frs.store.durable import write_file

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a running service is, as ``server.json`` says it."""

    address: str
    """Host and port by which this machine reaches it."""
    metrics_address: str
    """Host and port of /metrics and /health; empty when they are off."""
    tls: bool
    pid: int
    version: str
    provider: str
    model: str
    token_address: str = ""
    """Host and port for callers with a token and no certificate; empty when there is none."""


class Service:
    """One run of the service."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Open the application. Raises FrsError when the service cannot start; nothing stays open then."""
        require_initialised(settings)
        require_database(settings)
        check_addresses(settings.server)
        check_token_address(settings)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._bearers = _bearers(settings.access) if settings.access.issuer else None
        self._credentials = Credentials(certs_folder(settings)) if settings.server.tls else None
        self._application = Application(settings, self._clock)
        self._readiness = Readiness()
        self._metrics = Metrics()
        self._server_file = server_file(settings)
        self._server_file.unlink(missing_ok=True)  # a crash left it: the directory's lock says that nobody serves

    def run(self, announce: Callable[[Listening], None]) -> None:
        """Serve until a signal ends it. ``announce`` is called when requests are answered."""
        try:
            asyncio.run(self._run(announce))
        finally:
            self._application.close()

    async def _run(self, announce: Callable[[Listening], None]) -> None:
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked)
        model = self._application.engine.model
        stopping = Stopping()
        health = Health(self._readiness, model.provider, stopping)
        services = Services(self._application, self._metrics, stopping)
        server = self._make_server(health, services)
        shown = server_credentials(self._credentials) if self._credentials is not None else None
        address = listen(server, self._settings.server.address, shown)
        token_address = self._listen_for_tokens(server)
        metrics = self._open_metrics()
        try:
            await server.start()
            here = Listening(
                reachable(address),
                metrics.address if metrics else "",
                self._credentials is not None,
                os.getpid(),
                __version__,
                model.provider,
                model.id,
                reachable(token_address) if token_address else "",
            )
            log.info(
                "listening", address=address, metrics=here.metrics_address, tls=here.tls, tokens=here.token_address
            )
            await asyncio.to_thread(self._begin)
            write_server_file(self._server_file, here)
            await self._serve(health, services, here, announce)
            await self._drain(server, health, services, stopping)
        finally:
            self._server_file.unlink(missing_ok=True)
            await server.stop(0)
            await services.close()
            if self._bearers is not None:
                await asyncio.to_thread(self._bearers.close)
            if metrics is not None:
                await asyncio.to_thread(metrics.close)

    def _listen_for_tokens(self, server: grpc.aio.Server) -> str:
        """Bind ``access.token_address``, where no client certificate is asked for; returns it, empty without one."""
        address = self._settings.access.token_address
        if not address or self._credentials is None:
            return ""
        shown = server_credentials(self._credentials, ask_client=False)
        return listen(server, address, shown, "access.token_address")

    def _stop_asked(self) -> None:
        if self._asked.is_set():
            self._hurry.set()
        self._asked.set()

    def _make_server(self, health: Health, services: Services) -> grpc.aio.Server:
        settings = self._settings
        limits = Limits(settings.embed.max_picture_mib * MIB, settings.server.max_message_mib * MIB)
        edge = Edge(
            self._readiness,
            limits,
            self._metrics,
            self._clock,
            tls=settings.server.tls,
            refusals=services.refusals,
            tokens=self._bearers,
            admission=Admission(self._application.identities, self._trust),
            signing_in=services.signing_in,
            quotas=Quotas(settings.access),
        )
        self._standing = edge.standing
        server = make_server(edge, settings.server.max_message_mib)
        services.add_to(server, health, reflection=settings.server.reflection)
        return server

    def _trust(self) -> Trust | None:
        return self._credentials.loaded.trust if self._credentials is not None else None

    def _notes(self) -> dict[str, str]:
        fault = self._credentials.fault if self._credentials is not None else ""
        notes = {"certificates": fault} if fault else {}
        if self._bearers is not None and (failure := self._bearers.failure) is not None:
            notes["issuer"] = failure.message
        return notes

    def _open_metrics(self) -> MetricsServer | None:
        address = self._settings.server.metrics_address
        if not address:
            return None
        self._metrics.read_from(lambda: figures(self._application))
        model = self._application.engine.model
        return MetricsServer(address, self._metrics.text, lambda: report(self._readiness, model.provider, model.id))

    def _begin(self) -> None:
        rebuilt = self._application.rebuild()
        log.info(
            "index rebuilt",
            seconds=round(rebuilt.seconds, 3),
            templates=rebuilt.templates,
            watchlists=rebuilt.watchlists,
        )
        self._application.start()

    async def _serve(
        self, health: Health, services: Services, here: Listening, announce: Callable[[Listening], None]
    ) -> None:
        self._readiness.phase = Phase.SERVING
        self._readiness.on_observed(services.live.heed)
        self._readiness.on_observed(lambda refusal: self._application.jobs.hold(refusal is not None))
        loop = asyncio.get_running_loop()
        self._application.identities.on_changed(lambda: soon(loop, self._standing.look))
        probe = Probe(self._application, self._readiness, health, services.probing, self._notes)
        await probe.look()
        seconds = self._settings.access.reload_seconds
        reloading = Reloading(self._credentials, self._application.journal, self._standing, seconds)
        watching = asyncio.gather(probe.run(), reloading.run())
        announce(here)
        try:
            await self._asked.wait()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _drain(self, server: grpc.aio.Server, health: Health, services: Services, stopping: Stopping) -> None:
        log.info("stopping", seconds=self._settings.server.drain_seconds)
        self._readiness.phase = Phase.DRAINING
        await health.publish()
        stopping.begin()
        services.live.drain()
        finished = asyncio.ensure_future(server.stop(self._settings.server.drain_seconds))
        hurried = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait({finished, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not finished.done():
            await server.stop(0)
        await finished
        await services.live.settled()
        log.info("stopped")


def _bearers(settings: AccessSettings) -> Bearers:
    # Two questions, each ended by its own timeout; whatever hangs beyond that is not waited for.
    return Bearers(TokenVerifier(settings), 2 * settings.issuer_timeout_seconds)


def write_server_file(path: Path, here: Listening) -> None:
    """Write ``server.json``."""
    write_file(path, json.dumps(asdict(here), indent=2).encode() + b"\n")


def read_server_file(path: Path) -> Listening | None:
    """Return where a service last said that it listens; None when it says nothing that can be read."""
    try:
        return Listening(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def serve(settings: Settings, announce: Callable[[Listening], None], clock: Clock | None = None) -> None:
    """Run the service in this process until it is asked to stop. Raises FrsError when it cannot start."""
    Service(settings, clock).run(announce)
