"""The pools of threads: a full one refuses, and none makes another wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from frs.clock import SystemClock
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.server.application import Application
from frs.server.health import Health
from frs.server.installation import initialise
from frs.server.interceptors import Edge
from frs.server.listening import listen, make_server
from frs.server.metrics import Metrics
from frs.server.readiness import Phase, Readiness
from frs.server.services import Services
from frs.server.validation import Limits
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.settings import Settings
from frs.v1 import deployment_pb2 as dpb
from frs.v1 import deployment_pb2_grpc, retrospective_pb2_grpc, review_pb2_grpc, watchlist_pb2_grpc
from frs.v1 import retrospective_pb2 as rpb
from frs.v1 import review_pb2 as vpb
from frs.v1 import watchlist_pb2 as wpb
from tests.server.rpc_errors import rich

MIB = 1024 * 1024
SECONDS = 20


@asynccontextmanager
async def serving(application: Application) -> AsyncIterator[tuple[Services, grpc.aio.Channel]]:
    """Serve a whole application on loopback, without TLS."""
    readiness, metrics, stopping = Readiness(), Metrics(), Stopping()
    readiness.phase = Phase.SERVING
    services = Services(application, metrics, stopping)
    server = make_server(Edge(readiness, Limits(MIB, 2 * MIB), metrics, SystemClock(), tls=False), 2)
    services.add_to(server, Health(readiness, "CPUExecutionProvider", stopping), reflection=False)
    address = listen(server, "localhost:0", None)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield services, channel
    stopping.begin()
    await server.stop(1)
    await services.close()


@asynccontextmanager
async def full(pool: Workers) -> AsyncIterator[None]:
    """Fill every thread and every waiting place of a pool."""
    release, tasks = threading.Event(), list[asyncio.Task[bool]]()
    try:
        while True:
            before = pool.pending
            tasks.append(asyncio.create_task(pool.run(release.wait, SECONDS)))
            await asyncio.sleep(0)
            if pool.pending == before:
                break
        with pytest.raises(FrsError) as refused:
            await tasks.pop()
        assert refused.value.reason is Reason.OVERLOADED
        yield
    finally:
        release.set()
        await asyncio.gather(*tasks)


async def reason(call: Awaitable[Any]) -> str:
    """Return why a call was refused."""
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return str(rich(caught.value).reason)


@pytest.fixture
def application(tmp_path: Path, starter_pack: Pack) -> Any:
    settings = Settings.model_validate(
        {"data_dir": tmp_path / "data", "models_dir": str(starter_pack.folder.parent), "embed": {"threads": 1}}
    )
    initialise(settings, SystemClock())
    application = Application.open(settings)
    yield application
    application.close()


def test_a_pool_refuses_beyond_its_limit_and_recovers() -> None:
    """Threads and waiting places are taken; the next call is refused at once; later ones are served again."""

    async def story() -> None:
        pool = Workers("test", 2, 3)
        async with full(pool):
            assert pool.pending == 5
        assert await pool.run(int, "7") == 7
        assert pool.pending <= 1
        pool.close()

    asyncio.run(story())


def test_a_stop_is_answered_while_requests_are_refused(application: Application) -> None:
    """With every request thread and place taken, searches get OVERLOADED; whatever takes power away is answered."""

    async def story() -> None:
        async with serving(application) as (services, channel), full(services.unary):
            deployments = deployment_pb2_grpc.DeploymentServiceStub(channel)
            watchlists = watchlist_pb2_grpc.WatchlistServiceStub(channel)
            listing = dpb.ListDeploymentsRequest()
            assert await reason(deployments.ListDeployments(listing, timeout=SECONDS)) == "OVERLOADED"
            async with asyncio.timeout(SECONDS / 2):
                stop = dpb.StopDeploymentRequest(name="deployments/none", reason="danger")
                assert await reason(deployments.StopDeployment(stop)) == "DEPLOYMENT_NOT_FOUND"
                end = dpb.EndDeploymentRequest(name="deployments/none", reason="over")
                assert await reason(deployments.EndDeployment(end)) == "DEPLOYMENT_NOT_FOUND"
                withdraw = wpb.WithdrawSubjectRequest(name="watchlists/none/subjects/none", reason="found")
                assert await reason(watchlists.WithdrawSubject(withdraw)) == "SUBJECT_NOT_FOUND"
                retire = wpb.RetireWatchlistRequest(name="watchlists/none", reason="done")
                assert await reason(watchlists.RetireWatchlist(retire)) == "WATCHLIST_NOT_FOUND"

    asyncio.run(story())


def test_alerts_are_read_while_uploads_take_all_their_threads(application: Application) -> None:
    """A reviewer who begins to watch is answered although no thread is left for uploads; an upload is refused."""

    async def story() -> None:
        async with serving(application) as (services, channel), full(services.uploads):
            retrospective = retrospective_pb2_grpc.RetrospectiveServiceStub(channel)

            async def pieces() -> AsyncIterator[rpb.WriteUploadRequest]:
                yield rpb.WriteUploadRequest(name="uploads/none", data=b"x")

            assert await reason(retrospective.WriteUpload(pieces(), timeout=SECONDS)) == "OVERLOADED"
            logged = application.audit.size()
            watch: Any = review_pb2_grpc.ReviewServiceStub(channel).WatchAlerts(vpb.WatchAlertsRequest())
            async with asyncio.timeout(SECONDS / 2):
                while application.audit.size() == logged:  # a feed is open when its opening is logged
                    await asyncio.sleep(0.01)
            assert await reason(retrospective.WatchJob(rpb.WatchJobRequest(name="jobs/none")).read()) == "JOB_NOT_FOUND"
            watch.cancel()

    asyncio.run(story())
