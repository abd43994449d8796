"""Brings a database to the current schema with Alembic, whole or not at all.

The migrations are package data (``frs/store/migrations``), so an installed wheel needs no ``alembic.ini``. To make a
new one after changing :mod:`frs.store.schema`: ``python -m frs.store.migrations "say what changes"``.
"""

from __future__ import annotations

import threading
from importlib.resources import files

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from frs.errors import FrsError, Reason

_alembic = threading.Lock()  # Alembic's environment is one per process


def configuration(connection: sa.Connection | None = None) -> Config:
    """Return Alembic's configuration, bound to a connection when one is given."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(files("frs.store") / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def revision(connection: sa.Connection) -> str | None:
    """Return the database's revision; None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def latest_revision() -> str | None:
    """Return the newest revision that this version of FRS knows."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def check_known(connection: sa.Connection) -> str | None:
    """Return the database's revision. Raises FrsError(DATABASE_NEWER) when this version of FRS does not know it."""
    found = revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
    if found is not None and found not in known:
        raise FrsError(
            Reason.DATABASE_NEWER,
            f"The database is at revision {found}, which this version of FRS does not know; it was left untouched.",
            revision=found,
        )
    return found


def upgrade(connection: sa.Connection) -> None:
    """Run the missing migrations in the connection's transaction. Raises FrsError(DATABASE_NEWER)."""
    if check_known(connection) != latest_revision():
        with _alembic:
            command.upgrade(configuration(connection), "head")
