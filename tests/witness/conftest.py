"""A witness over real sockets, logs that it watches, and logs whose data directories are copied behind its back."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from frs.audit.chosen_witness import make_client
from frs.audit.witnessing import Witnessing
from frs.clock import Clock, SystemClock
from frs.settings import Settings
from frs.store.database import Transaction
from frs.witness.cosigning import Witness
from frs.witness.folder import RECORDS_FILE, create_witness, read_witness
from frs.witness.records import Records
from frs.witness.serving import WitnessServer
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock


@dataclass(frozen=True, slots=True)
class Reply:
    """What a raw HTTP request got."""

    status: int
    kind: str
    body: bytes


class WitnessHouse:
    """A witness that can be stopped and started on the same port, and asked with raw HTTP."""

    def __init__(self, folder: Path, seconds: float = 15.0) -> None:
        self.folder, self._seconds = folder, seconds
        self.vkey = create_witness(folder, "witness.example/1").verifier.vkey
        self.port = 0
        self.start()

    def start(self) -> None:
        """Open the records and listen."""
        self.records = Records(self.folder / RECORDS_FILE)
        self.witness = Witness(self.records, read_witness(self.folder), SystemClock())
        self._server = WitnessServer(self.witness, "127.0.0.1", self.port, seconds=self._seconds)
        self.port = self._server.port
        self.running = True

    def stop(self) -> None:
        """Stop listening; again is harmless."""
        if self.running:
            self._server.close()
            self.records.close()
            self.running = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        finally:
            connection.close()


class WitnessedHouse(AuditHouse):
    """An open log with its way to a witness."""

    def open(self) -> None:
        """Open store and log; the witness is compared by :meth:`meet`."""
        super().open()
        client = make_client(self.settings.audit)
        assert client is not None
        self.witnessing = Witnessing(
            client, self.log, self.signer, self.store.database, self.settings.audit, self.clock
        )

    def grow(self, count: int) -> str:
        """Append events and sign; returns the note."""
        self.fill(count)
        return self.log.checkpoint()

    def destroy(self, *owners: str) -> None:
        """Destroy keys in one act."""

        def act(_: Transaction) -> None:
            for owner in owners:
                self.store.vault.destroy(owner)

        self.store.database.write(act)

    def copy(self, name: str, **audit: Any) -> WitnessedHouse:
        """Close, copy the whole data directory with its keyring, and open the copy."""
        self.close()
        folder = self.settings.data_dir.with_name(name)
        shutil.copytree(self.settings.data_dir, folder)
        return WitnessedHouse(settings_of(folder, self.settings, **audit), self.clock)


def settings_of(folder: Path, like: Settings, **audit: Any) -> Settings:
    """Return the settings of another data directory with the same witness."""
    return Settings.model_validate({"data_dir": folder, "audit": {**like.audit.model_dump(), **audit}})


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessHouse]:
    house = WitnessHouse(tmp_path / "witness")
    yield house
    house.stop()


def open_witnessed(tmp_path: Path, blank: Path, witness: WitnessHouse, clock: Clock, **audit: Any) -> WitnessedHouse:
    """Return an open log whose key the witness knows."""
    folder = tmp_path / "data"
    shutil.copytree(blank, folder)
    given = {"witness_url": witness.url, "witness_vkey": witness.vkey, "witness_timeout_seconds": 2.0, **audit}
    house = WitnessedHouse(Settings.model_validate({"data_dir": folder, "audit": given}), clock)
    witness.records.add_log(house.log.origin, house.log.vkey)
    return house


@pytest.fixture
def house(tmp_path: Path, blank_data: Path, witness: WitnessHouse, clock: ManualClock) -> Iterator[WitnessedHouse]:
    house = open_witnessed(tmp_path, blank_data, witness, clock)
    yield house
    house.close()
