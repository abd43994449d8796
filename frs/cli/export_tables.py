"""CSV and Parquet files made from a whole spool, a bounded number of events at a time.

Both have the spool's columns, and beside them columns that repeat what the leaf says so that nobody must take JSON
apart. CSV keeps header and trailer as its first and last line, after ``# ``; Parquet in the file's metadata.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from frs.audit.canonical import canonical
from frs.cli.export_spool import Spool
from frs.store.durable import FILE_MODE, sync_folder

COLUMNS = (
    "index",
    "time",
    "action",
    "operation",
    "actor",
    "watchlists",
    "subjects",
    "deployment",
    "alert",
    "search",
    "job",
    "payload",
    "nonce",
    "leaf",
    "proof",
)
HEADER_KEY = "frs-log-export-header"
TRAILER_KEY = "frs-log-export-trailer"
_ROWS_AT_ONCE = 5000
Row: TypeAlias = "dict[str, Any]"
Report: TypeAlias = "Callable[[int], None]"
"""Called with the number of events written so far."""


def write_csv(spool: Spool, path: Path, report: Report) -> None:
    """Write a CSV file (RFC 4180, UTF-8) that is whole or absent. Raises OSError."""
    header, trailer = spool.edges()
    with _beside(path) as descriptor, os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(f"# {header}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, row in enumerate(_rows(spool), 1):
            writer.writerow(["" if row[name] is None else row[name] for name in COLUMNS])
            if number % _ROWS_AT_ONCE == 0:
                report(number)
        file.write(f"# {trailer}\n")
        file.flush()
        os.fsync(file.fileno())


def write_parquet(spool: Spool, path: Path, report: Report) -> None:
    """Write a Parquet file that is whole or absent; times are UTC timestamps. Raises OSError."""
    import pyarrow as pa
    from pyarrow import parquet

    header, trailer = spool.edges()
    kinds = {"index": pa.int64(), "time": pa.timestamp("us", tz="UTC")}
    schema = pa.schema(
        [(name, kinds.get(name, pa.string())) for name in COLUMNS], {HEADER_KEY: header, TRAILER_KEY: trailer}
    )
    with _beside(path) as descriptor, os.fdopen(descriptor, "wb") as file:
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            rows, number = _rows(spool), 0
            while part := list(itertools.islice(rows, _ROWS_AT_ONCE)):
                for row in part:
                    row["time"] = datetime.fromisoformat(row["time"])
                writer.write_table(pa.Table.from_pylist(part, schema))
                number += len(part)
                report(number)
        file.flush()
        os.fsync(file.fileno())


def _rows(spool: Spool) -> Iterator[Row]:
    for fields in spool.lines():
        leaf = json.loads(fields["leaf"])
        refs = leaf["refs"]
        yield {
            "index": fields["index"],
            **{name: leaf[name] for name in ("time", "action", "operation", "actor")},
            **{name: _text(refs[name]) if refs[name] else None for name in ("watchlists", "subjects")},
            **{name: refs[name] for name in ("deployment", "alert", "search", "job")},
            "payload": fields.get("payload"),
            "nonce": fields.get("nonce"),
            "leaf": fields["leaf"],
            "proof": _text(fields["proof"]) if "proof" in fields else None,
        }


def _text(value: Any) -> str:
    return canonical(value).decode("utf-8")


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[int]:
    """Give a file to write, which takes the path when all went well and is gone when not."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        yield descriptor
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)
