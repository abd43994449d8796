"""All servicers over one application, with the pools they run on."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from frs.access.payloads import may_open
from frs.audit.export import LogExports
from frs.oversight.statistics import Statistics
from frs.server.administration import AdministrationServicer
from frs.server.alert_reading import AlertReading
from frs.server.application import Application
from frs.server.case_looking import CaseLooking
from frs.server.case_review import CaseReview
from frs.server.consultations import Consultations
from frs.server.deployments import DeploymentServicer
from frs.server.erasure import PersonRights
from frs.server.health import NEEDS, Health
from frs.server.identities import IdentityServicer
from frs.server.live import LiveServicer
from frs.server.log_reading import LogReading
from frs.server.log_streams import LogStreams
from frs.server.metrics import Metrics
from frs.server.officer import OfficerServicer
from frs.server.operator import OperatorServicer
from frs.server.oversight import OversightServicer
from frs.server.refusals import Refusals
from frs.server.retention import RetentionServicer
from frs.server.retrospective import RetrospectiveServicer
from frs.server.review import ReviewServicer
from frs.server.review_work import ReviewWork
from frs.server.signing_in import SigningIn
from frs.server.vigilance import VigilanceServicer
from frs.server.waiting import Stopping
from frs.server.watchlists import WatchlistServicer
from frs.server.workers import Workers
from frs.v1 import (
    administration_pb2_grpc,
    deployment_pb2_grpc,
    identity_pb2_grpc,
    live_pb2_grpc,
    officer_pb2_grpc,
    operator_pb2_grpc,
    oversight_pb2_grpc,
    retention_pb2_grpc,
    retrospective_pb2_grpc,
    review_pb2_grpc,
    vigilance_pb2_grpc,
    watchlist_pb2_grpc,
)

WAITING_PER_THREAD = 16
STOP_THREADS = 2
"""For what takes power away: it never waits behind searches and enrolments."""
STREAM_THREADS = 4
UPLOAD_THREADS = 4
"""A last piece is answered when GiBs have been opened and hashed: alerts do not wait behind that."""
STREAM_WAITING = 1000
SIGN_IN_THREADS = 4
MAP_THREADS, MAP_WAITING = 1, 8
"""A map of regions embeds a face a hundred times: one at a time, and no request waits behind it."""
ADMINISTRATION_THREADS = 2
ADMINISTRATION_WAITING = 8


class Services:
    """The servicers. Requests, stops, live frames, waiting streams, uploads and the probe have threads of their own."""

    def __init__(self, application: Application, metrics: Metrics, stopping: Stopping) -> None:
        settings = application.settings
        threads = settings.server.request_workers
        self.unary = Workers("requests", threads, threads * WAITING_PER_THREAD)
        self.stops = Workers("stops", STOP_THREADS, threads * WAITING_PER_THREAD)
        self.frames = Workers("live", settings.live.workers, settings.live.max_streams * 2)
        self.waiting = Workers("streams", STREAM_THREADS, STREAM_WAITING)
        self.uploads = Workers("uploads", UPLOAD_THREADS, STREAM_WAITING)
        self.maps = Workers("maps", MAP_THREADS, MAP_WAITING)
        self.probing = Workers("probe", 1, 1)
        self.administration = Workers("administration", ADMINISTRATION_THREADS, ADMINISTRATION_WAITING)
        self._refusing = Workers("refusals", 1, STREAM_WAITING)
        self._signing_in = Workers("sign-ins", SIGN_IN_THREADS, STREAM_WAITING)
        for pool in self._pools:
            metrics.watch_pool(pool)
        self.live = LiveServicer(
            application.live,
            application.deployments,
            application.engine.model,
            self.unary,
            self.frames,
            metrics,
            settings.live,
        )
        unary, waiting, audit, journal = self.unary, self.waiting, application.audit, application.journal
        consultations = Consultations(journal)
        self.refusals = Refusals(journal, self._refusing)
        self.signing_in = SigningIn(application.sign_ins, self._signing_in)
        self._watchlists = WatchlistServicer(
            application.watchlists, consultations, unary, self.stops, application.clock
        )
        self._deployments = DeploymentServicer(application.deployments, unary, self.stops)
        self._retrospective = RetrospectiveServicer(
            application.stills,
            application.uploads,
            application.jobs,
            consultations,
            unary,
            waiting,
            self.uploads,
            stopping,
        )
        self._operator = OperatorServicer(application.operator, consultations, unary)
        alerts = AlertReading(application.alerts, journal, consultations, unary, waiting, stopping)
        cases = CaseReview(application.cases, consultations, unary)
        looking = CaseLooking(application.explanations, application.unblurring, unary, self.maps)
        work = ReviewWork(application.cases, journal, waiting, stopping)
        self._review = ReviewServicer(alerts, cases, work, looking)
        self._officer = OfficerServicer(application.assignments, journal, consultations, unary, waiting, stopping)
        self._vigilance = VigilanceServicer(application.vigilance_pairs, unary)
        self._identities = IdentityServicer(application.identities, journal, unary, self.stops)
        self._retention = RetentionServicer(
            settings.retention,
            application.policy,
            application.planning,
            application.retention_runs,
            application.holds,
            PersonRights(application.erasures, application.certificates, application.subject_access),
            journal,
            unary,
            waiting,
            stopping,
            application.clock,
        )
        reading = LogReading(application.database, audit, journal, application.clock)
        exports = LogExports(
            application.database, application.vault, audit, application.clock, may_open, application.have_witnessed
        )
        streams = LogStreams(exports, audit, journal, waiting, stopping)
        statistics = Statistics(application.database, audit, settings.statistics)
        self._oversight = OversightServicer(reading, streams, audit, application.watchlists, statistics, unary, waiting)
        self._administration = AdministrationServicer(
            application.backups, application.key_rotation, self.administration, stopping
        )

    @property
    def _pools(self) -> tuple[Workers, ...]:
        return (
            self.unary,
            self.stops,
            self.frames,
            self.waiting,
            self.uploads,
            self.maps,
            self.probing,
            self.administration,
            self._refusing,
            self._signing_in,
        )

    def add_to(self, server: grpc.aio.Server, health: Health, *, reflection: bool) -> None:
        """Register everything with a server."""
        watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(self._watchlists, server)
        deployment_pb2_grpc.add_DeploymentServiceServicer_to_server(self._deployments, server)
        live_pb2_grpc.add_LiveServiceServicer_to_server(self.live, server)
        retrospective_pb2_grpc.add_RetrospectiveServiceServicer_to_server(self._retrospective, server)
        operator_pb2_grpc.add_OperatorServiceServicer_to_server(self._operator, server)
        review_pb2_grpc.add_ReviewServiceServicer_to_server(self._review, server)
        officer_pb2_grpc.add_OfficerServiceServicer_to_server(self._officer, server)
        vigilance_pb2_grpc.add_VigilanceServiceServicer_to_server(self._vigilance, server)
        identity_pb2_grpc.add_IdentityServiceServicer_to_server(self._identities, server)
        oversight_pb2_grpc.add_OversightServiceServicer_to_server(self._oversight, server)
        retention_pb2_grpc.add_RetentionServiceServicer_to_server(self._retention, server)
        administration_pb2_grpc.add_AdministrationServiceServicer_to_server(self._administration, server)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        if reflection:
            _add_reflection(server)

    async def close(self) -> None:
        """Let the pools finish what runs."""
        await asyncio.gather(*(asyncio.to_thread(pool.close) for pool in self._pools))


def _add_reflection(server: grpc.aio.Server) -> None:
    names = [name for name in NEEDS if name]
    names += [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
