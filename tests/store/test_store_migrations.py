"""Migrations: they make exactly the schema, whole or not at all, and travel with the package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import postgresql

from frs.store import sqlite
from frs.store.migrate import latest_revision, revision, upgrade
from frs.store.schema import metadata

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return sqlite.writer_engine(tmp_path / "test.sqlite")


def test_migrated_database_has_the_schema(engine: sa.Engine) -> None:
    """Alembic finds no difference between the tables as migrated and as declared."""
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert revision(connection) == latest_revision()


def test_migrated_tables_are_declared_word_for_word(engine: sa.Engine, tmp_path: Path) -> None:
    """SQLite's own text of each table is the same whether migrated or created from the declaration."""

    def tables(connection: sa.Connection) -> dict[str, list[str]]:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
        return {row.name: sorted(row.sql.replace("\t", "").split("\n")) for row in connection.exec_driver_sql(query)}

    with engine.begin() as connection:
        upgrade(connection)
        migrated = tables(connection)
    with sqlite.writer_engine(tmp_path / "declared.sqlite").begin() as connection:
        metadata.create_all(connection)
        declared = tables(connection)
    normal = {name: [line.rstrip(", ") for line in lines] for name, lines in migrated.items()}
    assert normal == {name: [line.rstrip(", ") for line in lines] for name, lines in declared.items()}


def test_upgrade_of_a_current_database_changes_nothing(engine: sa.Engine) -> None:
    """A second upgrade finds nothing to do."""
    with engine.begin() as connection:
        upgrade(connection)
    with engine.begin() as connection:
        before = connection.exec_driver_sql("PRAGMA schema_version").scalar()
        upgrade(connection)
        assert connection.exec_driver_sql("PRAGMA schema_version").scalar() == before


def test_migration_that_fails_leaves_nothing(engine: sa.Engine) -> None:
    """A migration that meets an error half-way is rolled back with all it did."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE watchlist (mine TEXT)")
    with pytest.raises(sa.exc.OperationalError, match="already exists"), engine.begin() as connection:
        upgrade(connection)
    with engine.begin() as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        assert [row.name for row in connection.exec_driver_sql(query)] == ["watchlist"]


def test_schema_compiles_for_postgresql() -> None:
    """Nothing in the schema is SQLite's alone."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so
    for table in metadata.sorted_tables:
        assert table.name in str(sa.schema.CreateTable(table).compile(dialect=dialect))


def test_migrations_are_package_data() -> None:
    """The migrations are found through the package, wherever it is installed."""
    folder = files("frs.store") / "migrations"
    assert (folder / "env.py").is_file()
    assert (folder / "versions" / "0001_initial.py").is_file()


def test_wheel_carries_the_migrations(tmp_path: Path) -> None:
    """A built wheel holds the environment, the template and every revision."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = ROOT / "frs" / "store" / "migrations"
    wanted = {str(path.relative_to(ROOT)) for path in source.rglob("*") if path.suffix in {".py", ".mako"}}
    assert len(wanted) >= 6
    assert wanted <= names
