"""What a witnessed log gives out carries the witness's cosignature, and the verifier can ask for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from frs_verify.cli import main as frs_verify

from tests.journeys.service import Service, prepare
from tests.journeys.terminal import Terminal
from tests.journeys.witness_process import WitnessProcess

pytestmark = pytest.mark.journey
TO = ("--recipient", "the Commissioner", "--reason", "annual review")


@pytest.fixture
def witness(tmp_path: Path, models: Path) -> Iterator[WitnessProcess]:
    witness = WitnessProcess(tmp_path / "witness", models)
    witness.start()
    yield witness
    if witness.process.poll() is None:
        assert witness.stop() == 0


def test_exports_and_bundles_are_cosigned(tmp_path: Path, models: Path, witness: WitnessProcess) -> None:
    """With the newest events in them; when the witness is down they are given out without, which the verifier tells."""
    data = prepare(tmp_path / "data", models)
    witness.add_log(str(data / "log.vkey"))
    (data / "frs.toml").write_text(
        f"[audit]\nwitness_url = '{witness.url}'\nwitness_vkey = '{witness.vkey_file}'\nwitness_timeout_seconds = 2\n"
    )
    keys = ("--key", str(data / "log.vkey"), "--witness-key", str(witness.vkey_file))
    with Service(data, models) as service:
        terminal = Terminal(service)
        listed = terminal.ask("audit", "list", identity="oversight")
        export, bundle = tmp_path / "log.ndjson", tmp_path / "event.json"
        told = terminal.ask("audit", "export", "--output", str(export), *TO, identity="oversight")
        assert told["events"] >= len(listed) + 1
        assert frs_verify(["export", str(export), *keys]) == 0
        terminal.ask("audit", "bundle", "0", "--output", str(bundle), identity="oversight")
        assert frs_verify(["bundle", str(bundle), *keys]) == 0
        witness.stop(signal.SIGKILL)
        alone = tmp_path / "alone.ndjson"
        terminal.ask("audit", "export", "--output", str(alone), *TO, identity="oversight")
        assert frs_verify(["export", str(alone), *keys]) == 1
        assert frs_verify(["export", str(alone), "--key", str(data / "log.vkey")]) == 0
