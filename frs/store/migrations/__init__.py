"""Alembic migrations of the database, run by :mod:`frs.store.migrate`.

Make a new one with ``python -m frs.store.migrations "say what changes"``: it compares the schema with a database
migrated so far and writes the difference to ``versions/``, to be read and corrected before it is committed.
"""
