"""One real service for all journeys, and what a journey needs: lists with people on them, deployments, streams."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from frs.embed.pack import Pack
from frs.types import new_id
from frs.v1 import common_pb2, deployment_pb2, deployment_pb2_grpc, watchlist_pb2, watchlist_pb2_grpc
from tests.journeys.service import ROOT, Service, prepare

MODES = (common_pb2.MODE_LIVE, common_pb2.MODE_RETROSPECTIVE, common_pb2.MODE_OPERATOR)
CLIENT = ROOT / "tests" / "clients" / "node"
INSTALLED = ROOT / ".cache" / "node-client"
SCORE = 0.955
"""Probe and reference are crops of one photograph here: they score far above it, and strangers below."""


def ahead(**span: float) -> Timestamp:
    """Return an instant from now."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(**span))
    return stamp


@pytest.fixture(scope="session")
def models(starter_pack: Pack) -> Path:
    """Return the folder of model packs, with the starter in it."""
    return starter_pack.folder.parent


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Service]:
    """Run the service that journeys share."""
    data = prepare(tmp_path_factory.mktemp("journeys") / "data", models)
    with Service(data, models) as running:
        yield running


@pytest.fixture(scope="session")
def node_client() -> Path:
    """Install the packages of the client in another language once; skips where Node.js or its registry is not there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm, which are not there")
    INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    with INSTALLED.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in two processes
        _install_client()
    return INSTALLED / "client.js"


def _install_client() -> None:
    locked = (CLIENT / "package-lock.json").read_bytes()
    marker = INSTALLED / "package-lock.json"
    if not (INSTALLED / "node_modules").is_dir() or not marker.exists() or marker.read_bytes() != locked:
        shutil.rmtree(INSTALLED, ignore_errors=True)
        INSTALLED.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CLIENT / name, INSTALLED / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode != 0:
            shutil.rmtree(INSTALLED)
            pytest.skip(f"npm could not install the client's packages: {done.stderr.strip()[-300:]}")
    for script in CLIENT.glob("*.js"):
        shutil.copy(script, INSTALLED / script.name)


class Desk:
    """What the manager and the authorising officer do before a search can happen."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def draft(self, **changes: object) -> watchlist_pb2.Watchlist:
        """Create a draft with a name of its own."""
        lists = self._service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "manager")
        values: dict[str, object] = {
            "purpose": "People wanted on warrant",
            "category": "wanted",
            "legal_basis": "Common law policing powers",
            "authorising_officer": "Supt A. Ray",
            "expire_time": ahead(days=1),
            "default_grading": common_pb2.GRADING_RED,
            "thresholds": [watchlist_pb2.Threshold(mode=mode, score=SCORE) for mode in MODES],
        }
        watchlist = watchlist_pb2.Watchlist(**{**values, **changes})  # type: ignore[arg-type]
        request = watchlist_pb2.CreateWatchlistRequest(watchlist_id=f"list-{new_id()[:12]}", watchlist=watchlist)
        return lists.CreateWatchlist(request)

    def enrol(self, watchlist: str, nominal: str, *pictures: bytes) -> watchlist_pb2.Subject:
        """Enrol a person."""
        lists = self._service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "manager")
        request = watchlist_pb2.EnrolSubjectRequest(
            parent=watchlist,
            subject=watchlist_pb2.Subject(nominal=nominal, justification="Warrant 12/26", lawfully_held=True),
            images=[watchlist_pb2.ImageDraft(data=data, source="custody", taken_on="2026-01-31") for data in pictures],
        )
        return lists.EnrolSubject(request).subject

    def activate(self, watchlist: str) -> watchlist_pb2.Watchlist:
        """Approve and activate a list."""
        lists = self._service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "superintendent")
        lists.ApproveWatchlist(watchlist_pb2.ApproveWatchlistRequest(name=watchlist))
        return lists.ActivateWatchlist(watchlist_pb2.ActivateWatchlistRequest(name=watchlist))

    def active_list(self, people: Sequence[bytes], **changes: object) -> watchlist_pb2.Watchlist:
        """Return an active list with these people on it, nominals NOM-0, NOM-1, ..."""
        made = self.draft(**changes)
        for number, picture in enumerate(people):
            self.enrol(made.name, f"NOM-{number}", picture)
        return self.activate(made.name)

    def deployment(self, *watchlists: str, **changes: object) -> deployment_pb2.Deployment:
        """Review the lists, as before each deployment, and open one that runs for an hour."""
        lists = self._service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "superintendent")
        for name in watchlists:
            lists.ReviewWatchlist(watchlist_pb2.ReviewWatchlistRequest(name=name))
        return self.open(*watchlists, **changes)

    def open(self, *watchlists: str, **changes: object) -> deployment_pb2.Deployment:
        """Open a deployment with lists as they are."""
        deployments = self._service.stub(deployment_pb2_grpc.DeploymentServiceStub, "superintendent")
        values: dict[str, object] = {
            "purpose": "Find wanted people",
            "place": "Station Road",
            "authorising_officer": "Supt A. Ray",
            "watchlists": watchlists,
            "end_time": ahead(hours=1),
        }
        wanted = deployment_pb2.Deployment(**{**values, **changes})  # type: ignore[arg-type]
        return deployments.OpenDeployment(deployment_pb2.OpenDeploymentRequest(deployment=wanted))


@pytest.fixture(scope="session")
def desk(service: Service) -> Desk:
    """Return the manager and the authorising officer."""
    return Desk(service)


@pytest.fixture(scope="session")
def wanted(desk: Desk, sample_people: tuple[bytes, ...]) -> watchlist_pb2.Watchlist:
    """Return an active list with the first three of the six sample people."""
    return desk.active_list(sample_people[:3])
