"""The service's phases, seen from outside while it starts: it listens first and serves when the index is there."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from frs.clock import SystemClock
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.server import lifecycle
from frs.server.application import Application
from frs.server.installation import initialise
from frs.server.lifecycle import Listening, Service
from frs.server.listening import listen
from frs.server.probe import faults
from frs.server.readiness import Part
from frs.settings import Settings
from frs.v1 import watchlist_pb2, watchlist_pb2_grpc
from tests.server.rpc_errors import rich


@pytest.fixture
def settings(tmp_path: Path, starter_pack: Pack) -> Settings:
    values = {
        "data_dir": tmp_path / "data",
        "models_dir": str(starter_pack.folder.parent),
        "embed": {"threads": 1},
        "server": {"address": "localhost:0", "drain_seconds": 5},
    }
    made = Settings.model_validate(values)
    initialise(made, SystemClock(), trial=True)
    return made


def channel(settings: Settings, address: str) -> grpc.Channel:
    certs = settings.data_dir / "certs"
    files = ("ca.crt", "manager.key", "manager.crt")
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*((certs / f).read_bytes() for f in files)))


def play(settings: Settings, story: Callable[[Service, threading.Event, dict[str, Any]], None]) -> dict[str, Any]:
    """Serve in this process while a story runs beside it; the story's end stops the service."""
    service = Service(settings)
    announced, seen = threading.Event(), dict[str, Any]()

    def run() -> None:
        try:
            story(service, announced, seen)
        except BaseException as error:  # noqa: BLE001  # raised again where pytest sees it
            seen["failed"] = error
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=run)

    def announce(here: Listening) -> None:
        seen["here"] = here
        announced.set()

    thread.start()
    service.run(announce)
    thread.join()
    if "failed" in seen:
        raise seen["failed"]
    return seen


def test_it_listens_and_says_so_while_the_index_is_rebuilt(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health is NOT_SERVING and requests are told to come back; then both change without a new connection."""
    rebuilding, go_on = threading.Event(), threading.Event()
    rebuild, bound = Application.rebuild, list[str]()

    def slow(application: Application) -> Any:
        rebuilding.set()
        assert go_on.wait(20)
        return rebuild(application)

    def noted(*arguments: Any) -> str:
        bound.append(listen(*arguments))
        return bound[-1]

    monkeypatch.setattr(Application, "rebuild", slow)
    monkeypatch.setattr(lifecycle, "listen", noted)

    def story(_: Service, announced: threading.Event, seen: dict[str, Any]) -> None:
        assert rebuilding.wait(20)
        with channel(settings, bound[0]) as line:
            health = health_pb2_grpc.HealthStub(line)
            lists = watchlist_pb2_grpc.WatchlistServiceStub(line)
            watch = health.Watch(health_pb2.HealthCheckRequest(service="frs.v1.LiveService"), timeout=30)
            seen["first"] = next(watch).status
            try:
                lists.ListWatchlists(watchlist_pb2.ListWatchlistsRequest(), timeout=10)
            except grpc.RpcError as error:
                seen["refused"] = rich(error).reason
            go_on.set()
            seen["second"] = next(watch).status
            assert announced.wait(20)
            seen["answer"] = lists.ListWatchlists(watchlist_pb2.ListWatchlistsRequest(), timeout=10)
            seen["file"] = json.loads((settings.data_dir / "server.json").read_text())

    seen = play(settings, story)
    assert (seen["first"], seen["second"]) == (
        health_pb2.HealthCheckResponse.NOT_SERVING,
        health_pb2.HealthCheckResponse.SERVING,
    )
    assert seen["refused"] == "INDEX_UNAVAILABLE"
    assert list(seen["answer"].watchlists) == []
    assert seen["file"]["address"] == seen["here"].address == bound[0]
    assert not (settings.data_dir / "server.json").exists()


def test_a_rebuild_that_fails_ends_the_service_with_its_reason(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing serves half an index; the directory can be opened again."""

    def fail(_: Application) -> None:
        raise FrsError(Reason.KEY_WRONG, "a template does not open")

    with monkeypatch.context() as patch:
        patch.setattr(Application, "rebuild", fail)
        with pytest.raises(FrsError, match="does not open"):
            Service(settings).run(lambda _: None)
    assert not (settings.data_dir / "server.json").exists()
    Application.open(settings).close()


def test_background_work_that_fails_is_seen_and_goes_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in what falls due is a fault while it lasts, does not keep the rest from being done, and passes."""
    for interval in ("DEPLOYMENT_SECONDS", "UPLOAD_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(f"frs.server.upkeep.{interval}", 0.02)
    application = Application.open(settings)
    defective, swept = threading.Event(), threading.Event()
    defective.set()
    sweep = application.uploads.sweep

    def broken(*_: object) -> None:
        if defective.is_set():
            raise ValueError("a defect")

    def watched() -> None:
        swept.set()
        sweep()

    def until(wanted: dict[Part, str]) -> None:
        latest = time.monotonic() + 10
        while faults(application) != wanted:
            assert time.monotonic() < latest
            time.sleep(0.01)

    monkeypatch.setattr(application.uploads, "sweep", watched)
    monkeypatch.setattr(application.deployments, "close_due", broken)
    monkeypatch.setattr(application.retention_runs, "run", broken)
    application.start()
    until({Part.UPKEEP: "deployments: ValueError, retention: ValueError"})
    assert swept.wait(10)
    defective.clear()
    until({})
    folder = settings.data_dir / "uploads"
    folder.rename(folder.with_name("away"))
    until({Part.UPKEEP: "uploads: STORAGE_FAILED"})
    folder.with_name("away").rename(folder)
    until({})
    application.close()


def test_the_probe_finds_what_is_not_ready(settings: Settings) -> None:
    """An index that was not rebuilt, a gallery that fell behind, a log that no longer agrees with what was signed."""
    application = Application(settings)
    assert set(faults(application)) == {Part.INDEX}
    application.rebuild()
    assert faults(application) == {}
    application.galleries.load("night", 1, [])
    application.galleries.mark_stale("night")
    assert faults(application) == {Part.INDEX: "1 watchlists do not agree with the database"}
    application.galleries.drop("night")
    application.start()
    application.audit.checkpoint()
    application.database.write(lambda tx: tx.connection.exec_driver_sql("UPDATE audit_node SET hash = zeroblob(32)"))
    application.database.write(lambda tx: tx.connection.exec_driver_sql("UPDATE audit_head SET size = 0"))
    with pytest.raises(FrsError):
        application.audit.checkpoint()
    assert faults(application) == {Part.LOG: "LOG_INCONSISTENT"}
    with pytest.raises(FrsError):
        application.close()
    with pytest.raises(FrsError) as reopened:
        Application(settings)
    assert reopened.value.reason is Reason.LOG_INCONSISTENT
