"""Writes a new migration: ``python -m frs.store.migrations "say what changes"``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from frs.store import sqlite
from frs.store.migrate import configuration, upgrade


def main(message: str) -> None:
    """Compare the schema with a freshly migrated database and write the difference."""
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlite.writer_engine(Path(folder) / "scratch.sqlite")
        with engine.begin() as connection:
            upgrade(connection)
            config = configuration(connection)
            number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: python -m frs.store.migrations "say what changes"')
    main(sys.argv[1])
