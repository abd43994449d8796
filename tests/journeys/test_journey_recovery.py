"""A service with its witness: backed up while it runs, lost, restored without undoing an erasure, served again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from frs.errors import Reason
from frs.v1 import (
    administration_pb2,
    administration_pb2_grpc,
    operator_pb2,
    operator_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    retention_pb2,
    retention_pb2_grpc,
)
from tests.journeys.conftest import Desk
from tests.journeys.service import Service, frs, prepare
from tests.journeys.witness_process import WitnessProcess
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey


@pytest.fixture
def witness(tmp_path: Path, models: Path) -> Iterator[WitnessProcess]:
    witness = WitnessProcess(tmp_path / "witness", models)
    witness.start()
    yield witness
    assert witness.stop() == 0


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def well(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """Return what a command printed as JSON; it must have gone well."""
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def found(service: Service, picture: bytes, watchlist: str) -> list[str]:
    """Return who is found with a picture."""
    stub = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer")
    request = operator_pb2.IdentifyRequest(
        photograph=picture, reason="stopped", legal_power="s. 1 Act", device="phone-1", watchlists=[watchlist]
    )
    return [candidate.nominal for candidate in stub.Identify(request).candidates]


def test_backup_loss_restoration(
    tmp_path: Path, models: Path, witness: WitnessProcess, sample_people: tuple[bytes, ...]
) -> None:
    """Serve, back up, erase a person, lose the data, restore with the witness's word, and serve again."""
    data = prepare(tmp_path / "data", models)
    (data / "frs.toml").write_text(
        f"[audit]\ncheckpoint_seconds = 0.2\nwitness_url = '{witness.url}'\nwitness_vkey = '{witness.vkey_file}'\n"
    )
    witness.add_log(str(data / "log.vkey"))
    at = ("--data", str(data))
    with Service(data, models) as service:
        wanted = Desk(service).active_list(sample_people[:2]).name
        assert found(service, sample_people[0], wanted) == ["NOM-0"]
        saved = well(frs(models, "backup", *at, "-o", str(tmp_path / "b.frs"), "--kept-at", "vault 3", "--json"))
        keys = well(frs(models, "keyring", "backup", *at, "-o", str(tmp_path / "k.frs"), "--kept-at", "safe", "--json"))
        assert saved["events"] == keys_events(service)
        assert str(keys["expires"]) > str(keys["made_at"])

        retention = service.stub(retention_pb2_grpc.RetentionServiceStub, "protection")
        done = retention.RequestErasure(
            retention_pb2.RequestErasureRequest(nominal="NOM-0", reason="court order 7", requested_by="the court")
        )
        assert done.state == retention_pb2.ERASURE_STATE_DONE
        assert found(service, sample_people[0], wanted) == []
        oversight = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        size = oversight.GetCheckpoint(oversight_pb2.GetCheckpointRequest()).tree_size
        until(lambda: int(str(witness.show()["size"])) >= size)
        service.stop(signal.SIGKILL)

        # The disk is lost, but not the keys' volume: an older copy is noticed, and a restoration needs the witness.
        (data / "frs.sqlite").unlink()
        refused = frs(models, "restore", str(tmp_path / "b.frs"), *at, "--journal", str(tmp_path / "nothing"))
        assert Reason.JOURNAL_REQUIRED in refused.stderr
        restored = well(frs(models, "restore", str(tmp_path / "b.frs"), *at, "--json"))
        seen = restored["witnessed"]
        assert isinstance(seen, dict)
        assert seen["size"] >= size
        assert restored["cleaned"]["subjects"] == 1  # type: ignore[index]  # of JSON
        witness.add_log(str(data / "log.vkey"))

        service.start()
        assert found(service, sample_people[0], wanted) == []
        assert found(service, sample_people[1], wanted) == ["NOM-1"]
        events = oversight_pb2.ListEventsRequest(action="log.origin-started")
        oversight = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        (started,) = oversight.ListEvents(events).events
        said = json.loads(oversight.GetEvent(oversight_pb2.GetEventRequest(name=started.name)).payload_json)
        assert said["details"]["witnessed"]["size"] == seen["size"]
        about = oversight_pb2.ListEventsRequest(subject="NOM-0")
        assert oversight.ListEvents(about).events[0].action == "subject.enrolled"
        verified = frs(models, "audit", "verify", *at, "--identity", "oversight")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        until(lambda: restored["origin"] in shown_logs(models, witness))
    offline = frs(models, "audit", "verify", "--offline", *at)
    assert offline.returncode == 0, offline.stdout + offline.stderr


def keys_events(service: Service) -> int:
    """Return the index behind the newest backup's event."""
    oversight = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    request = oversight_pb2.ListEventsRequest(action="backup.made", newest_first=True)
    return int(oversight.ListEvents(request).events[0].index) + 1


def shown_logs(models: Path, witness: WitnessProcess) -> list[str]:
    """Return the logs of which the witness has cosigned something."""
    shown = frs(models, "witness", "show", "--data", str(witness.folder), "--json")
    return [str(log["origin"]) for log in json.loads(shown.stdout)["logs"] if log["size"]]


def test_administration_over_the_wire(tmp_path: Path, models: Path) -> None:
    """Backups and rotation are the administrator's; at rest the same commands work on the directory itself."""
    data = prepare(tmp_path / "data", models)
    at = ("--data", str(data))
    with Service(data, models) as service:
        stub = service.stub(administration_pb2_grpc.AdministrationServiceStub, "officer")
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.CreateBackup(administration_pb2.CreateBackupRequest(kept_at="home")))
        assert rich(caught.value).reason == Reason.PERMISSION_DENIED
        technician = ("--identity", "technician")
        rotated = well(frs(models, "keyring", "rotate", *at, *technician, "--reason", "yearly", "--json"))
        assert rotated["old_key"] != rotated["new_key"]
        status = well(frs(models, "keyring", "status", *at, "--json"))
        assert status["key_encryption_key"] == rotated["new_key"]
        nowhere = frs(models, "backup", *at, "-o", str(tmp_path / "no" / "b.frs"), "--kept-at", "vault 3")
        assert Reason.STORAGE_FAILED in nowhere.stderr
        made = frs(models, "backup", *at, "-o", str(tmp_path / "1.frs"), "--kept-at", "vault 3")
        assert made.returncode == 0, made.stderr
        assert "No key is in it" in made.stdout
    for number, command in enumerate((("backup",), ("keyring", "backup"))):
        done = frs(models, *command, *at, "-o", str(tmp_path / f"rest{number}"), "--kept-at", "vault 3", "--json")
        assert well(done)["bytes"]
    again = well(frs(models, "keyring", "rotate", *at, "--reason", "yearly", "--json"))
    assert again["old_key"] == rotated["new_key"]
    verified = frs(models, "audit", "verify", "--offline", *at)
    assert verified.returncode == 0, verified.stdout
    assert " 0 erased" in verified.stdout

    backup = str(tmp_path / "1.frs")
    assert Reason.ALREADY_INITIALISED in frs(models, "restore", backup, *at).stderr
    assert Reason.JOURNAL_REQUIRED in frs(models, "restore", backup, *at, "--replace").stderr
    if shutil.which("tar") is not None:
        assert b"frs.sqlite" in subprocess.run(["tar", "tf", backup], check=True, capture_output=True).stdout
