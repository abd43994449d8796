"""A service and its witness, each a process: cosigned while they run, and an old copy of everything refused."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from frs.audit.cosignatures import CosignatureVerifier
from frs.errors import Reason
from frs.v1 import oversight_pb2, oversight_pb2_grpc
from tests.journeys.conftest import Desk
from tests.journeys.service import Service, launch, prepare
from tests.journeys.streaming import Camera
from tests.journeys.witness_process import WitnessProcess
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey


@pytest.fixture
def witness(tmp_path: Path, models: Path) -> Iterator[WitnessProcess]:
    witness = WitnessProcess(tmp_path / "witness", models)
    witness.start()
    yield witness
    if witness.process.poll() is None:
        assert witness.stop() == 0


@pytest.fixture
def data(tmp_path: Path, models: Path, witness: WitnessProcess) -> Path:
    """Return an installation whose log the witness knows."""
    data = prepare(tmp_path / "data", models)
    witness.add_log(str(data / "log.vkey"))
    configure(data, witness, "warn")
    return data


def configure(data: Path, witness: WitnessProcess, policy: str, grace: float = 300) -> None:
    (data / "frs.toml").write_text(
        f"[audit]\ncheckpoint_seconds = 0.2\nwitness_url = '{witness.url}'\nwitness_vkey = '{witness.vkey_file}'\n"
        f"witness_policy = '{policy}'\nwitness_grace_seconds = {grace}\nwitness_timeout_seconds = 2\n"
    )


def health(service: Service) -> dict[str, object]:
    try:
        with urllib.request.urlopen(f"http://{service.metrics_address}/health", timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return dict(json.load(error))


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def cosigned(data: Path) -> list[str]:
    """Return the cosigned notes that the service has kept."""
    query = "SELECT cosigned FROM audit_checkpoint WHERE cosigned IS NOT NULL ORDER BY size"
    with closing(sqlite3.connect(f"file:{data}/frs.sqlite?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute(query)]


def size(note: str) -> int:
    return int(note.split("\n")[1])


def test_a_service_and_its_witness(tmp_path: Path, data: Path, models: Path, witness: WitnessProcess) -> None:
    """The whole story: cosigned, the witness killed and back, an old copy of database and keyring found at start."""
    key = CosignatureVerifier.parse(witness.vkey_file.read_text())
    with Service(data, models) as service:
        until(lambda: cosigned(data) != [])
        assert key.verify(cosigned(data)[-1]) > 0
        assert health(service)["warnings"] == {}
        with urllib.request.urlopen(f"http://{service.metrics_address}/metrics", timeout=5) as answer:
            assert b"frs_witness_up 1.0" in answer.read()
        witness.stop(signal.SIGKILL)
        stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        stub.ListEvents(oversight_pb2.ListEventsRequest())  # is an event, which now waits for the witness
        until(lambda: "witness" in str(health(service)["warnings"]))
        assert health(service)["status"] == "serving"
        witness.start()
        until(lambda: health(service)["warnings"] == {})
    seen = witness.show()
    assert isinstance(seen["size"], int)
    assert size(cosigned(data)[-1]) == seen["size"]  # what was signed last, at the end, too

    shutil.copytree(data, tmp_path / "old")
    before = seen["size"]
    with Service(data, models):
        until(lambda: size(cosigned(data)[-1]) > before)
    shutil.rmtree(data)
    shutil.move(tmp_path / "old", data)  # database and keyring, a silently restored backup
    log = data / "refused.stderr"
    process = launch(data, models, log)
    assert process.wait(60) == 5
    text = log.read_text()
    assert str(Reason.WITNESS_CONFLICT) in text
    assert f"but this database holds {seen['size']}" in text
    assert "Traceback" not in text


def test_under_the_policy_stop_nothing_is_served_unwitnessed(
    data: Path, models: Path, witness: WitnessProcess, sample_people: tuple[bytes, ...]
) -> None:
    """Down at start: it does not start. Down later: after the grace requests and open streams end until it is back."""
    configure(data, witness, "stop", grace=0.5)
    witness.stop()
    log = data / "refused.stderr"
    process = launch(data, models, log)
    assert process.wait(60) == 3
    assert str(Reason.WITNESS_UNAVAILABLE) in log.read_text()

    witness.start()
    with Service(data, models) as service:
        stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        until(lambda: health(service)["status"] == "serving")
        stub.ListEvents(oversight_pb2.ListEventsRequest())
        desk = Desk(service)
        deployment = desk.deployment(desk.active_list(sample_people[:1]).name)
        camera = Camera(service, deployment.name, "cam-1")
        camera.until_open()
        watched = stub.WatchEvents(oversight_pb2.WatchEventsRequest(from_index=0), timeout=60)
        next(watched)
        witness.stop(signal.SIGKILL)
        stub.ListEvents(oversight_pb2.ListEventsRequest())  # is an event, which now waits for the witness
        until(lambda: health(service)["status"] == "not serving")
        ended = camera.ended()
        assert ended.error is not None
        assert rich(ended.error).reason == Reason.WITNESS_UNAVAILABLE
        assert ended.last.done
        with pytest.raises(grpc.RpcError) as broken:
            list(watched)
        assert rich(broken.value).reason == Reason.WITNESS_UNAVAILABLE
        assert health(service)["faults"] == {"log": "WITNESS_UNAVAILABLE"}
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListEvents(oversight_pb2.ListEventsRequest())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        witness.start()
        until(lambda: health(service)["status"] == "serving")
        (closed,) = stub.ListEvents(oversight_pb2.ListEventsRequest(action="live.stream-closed")).events
        said = json.loads(stub.GetEvent(oversight_pb2.GetEventRequest(name=closed.name)).payload_json)
        assert said["details"]["reason"] == "failed: WITNESS_UNAVAILABLE"
