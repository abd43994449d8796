"""The look at what is well: it outlives whatever it meets."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from frs.clock import SystemClock
from frs.embed.pack import Pack
from frs.server.application import Application
from frs.server.health import Health
from frs.server.installation import initialise
from frs.server.probe import Probe
from frs.server.readiness import Part, Readiness
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.settings import Settings
from frs.store.engines import DATABASE_FILE

VKEY = "w.example/frs+3933227a+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
"""Of a witness that does not answer."""


def test_a_row_that_cannot_be_read_is_a_fault_and_ends_no_look(tmp_path: Path, starter_pack: Pack) -> None:
    """A probe that died of a defect would leave health saying for ever what it said last."""
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path / "data",
            "models_dir": str(starter_pack.folder.parent),
            "embed": {"threads": 1},
            "audit": {"witness_url": "http://127.0.0.1:1", "witness_vkey": VKEY},
        }
    )
    initialise(settings, SystemClock())
    application = Application.open(settings)
    workers = Workers("probe", 1, 1)
    try:
        application.audit.checkpoint()
        readiness = Readiness()
        probe = Probe(application, readiness, Health(readiness, "cpu", Stopping()), workers)
        asyncio.run(probe.look())
        assert Part.STORE not in readiness.faults
        with closing(sqlite3.connect(settings.data_dir / DATABASE_FILE)) as connection:
            connection.execute("UPDATE audit_checkpoint SET created_at = 'soon'")
            connection.commit()
        asyncio.run(probe.look())
        assert readiness.faults == {Part.STORE: "ValueError"}
    finally:
        workers.close()
        application.close()
