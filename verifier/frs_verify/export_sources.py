"""Where exports come from: NDJSON, CSV and Parquet files, read piece by piece however long they are.

CSV (RFC 4180, UTF-8): the first line is ``# `` and the header, the last ``# `` and the trailer, and between them stand
the columns' names and a row for each event. Parquet: header and trailer are in the file's metadata.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from frs_verify.encoding import canonical, parse_json
from frs_verify.export_format import (
    COLUMNS,
    HEADER_KEY,
    READABLE,
    TRAILER_KEY,
    Line,
    is_trailer,
    read_line,
)
from frs_verify.failure import CannotVerifyError, DoesNotVerifyError

LONGEST_LINE = 64 * 1024 * 1024
"""Characters; no event comes near it."""
_PARQUET_MAGIC = b"PAR1"
_ROWS = 1000
_INDEX = re.compile(r"0|[1-9][0-9]{0,15}")


class Source(Protocol):
    """An export being read: ``header`` first, then :meth:`lines`, then ``trailer``."""

    header: str
    trailer: str | None
    """The trailer's line when :meth:`lines` has come to its end; None when the file ends without one."""

    def lines(self) -> Iterator[Line]:
        """Yield the events' lines."""
        ...


def open_source(path: Path, file: TextIO) -> Source:
    """Return the reader of a file by what is in it; ``file`` is the open file in UTF-8 without newline translation."""
    beginning = file.buffer.peek(4)[:4]  # type: ignore[attr-defined]  # a buffered reader
    if beginning == _PARQUET_MAGIC:
        return ParquetSource(path)
    return CsvSource(file) if beginning[:2] == b"# " else NdjsonSource(file)


class NdjsonSource:
    """The format itself."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.trailer: str | None = None
        self.header = _next_line(file, 1) or ""

    def lines(self) -> Iterator[Line]:
        """Yield the events' lines; nothing may follow the trailer."""
        number = 1
        while (text := _next_line(self._file, number + 1)) is not None:
            number += 1
            if self.trailer is not None:
                raise DoesNotVerifyError(f"Line {number} stands behind the trailer.")
            if is_trailer(text):
                self.trailer = text
            else:
                yield read_line(text, number)


class CsvSource:
    """Rows for spreadsheets."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.trailer: str | None = None
        self.header = (_next_line(file, 1) or "").removeprefix("# ")

    def lines(self) -> Iterator[Line]:
        """Yield the events' lines, made again from the columns."""
        csv.field_size_limit(LONGEST_LINE)
        names: list[str] | None = None
        rows = csv.reader(self._rows(), strict=True)
        number = 1
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise DoesNotVerifyError(f"Row {number} is no CSV: {error}.") from None
            if row is None:
                break
            if names is None:
                names = row
                if tuple(names) != COLUMNS:
                    raise DoesNotVerifyError(f"The columns are not {', '.join(COLUMNS)}.")
                continue
            number += 1
            if len(row) != len(COLUMNS):
                raise DoesNotVerifyError(f"Row {number} has {len(row)} columns instead of {len(COLUMNS)}.")
            yield from_columns(dict(zip(COLUMNS, row, strict=True)), number)

    def _rows(self) -> Iterator[str]:
        number = 1
        while (text := _next_line(self._file, number + 1)) is not None:
            number += 1
            if self.trailer is not None:
                raise DoesNotVerifyError(f"Line {number} stands behind the trailer.")
            if text.startswith("# "):
                self.trailer = text[2:]
            else:
                yield text + "\n"


class ParquetSource:
    """Columns for analysis; needs ``pyarrow``."""

    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise CannotVerifyError("To read Parquet, install `pyarrow`; NDJSON and CSV need nothing.") from None
        try:
            self._file: Any = parquet.ParquetFile(path)
            metadata = self._file.metadata.metadata or {}
            names = tuple(self._file.schema_arrow.names)
            self.header = metadata.get(HEADER_KEY, b"").decode("utf-8")
            self._trailer = metadata.get(TRAILER_KEY, b"").decode("utf-8") or None
        except (ArrowException, OSError, UnicodeDecodeError, ValueError) as error:
            raise DoesNotVerifyError(f"The Parquet file cannot be read: {str(error)[:200]}.") from None
        if names != COLUMNS:
            raise DoesNotVerifyError(f"The columns are not {', '.join(COLUMNS)}.")
        self.trailer: str | None = None

    def lines(self) -> Iterator[Line]:
        """Yield the events' lines, made again from the columns."""
        from pyarrow import ArrowException

        number = 0
        batches = self._file.iter_batches(batch_size=_ROWS)
        while True:
            try:
                batch = next(batches, None)
                rows = [] if batch is None else batch.to_pylist()
            except (ArrowException, OSError, UnicodeDecodeError, ValueError) as error:
                raise DoesNotVerifyError(f"The Parquet file is damaged: {str(error)[:200]}.") from None
            if batch is None:
                break
            for row in rows:
                number += 1
                yield from_columns({name: _text(value, number) for name, value in row.items()}, number)
        self.trailer = self._trailer


def from_columns(row: dict[str, str], number: int) -> Line:
    """Make the NDJSON line again from the columns of a row; an empty column is an absent field."""
    if not _INDEX.fullmatch(row["index"]):
        raise DoesNotVerifyError(f"The index in row {number} is no whole number from 0.")
    fields: dict[str, Any] = {"index": int(row["index"]), "leaf": row["leaf"]}
    if row["proof"]:
        fields["proof"] = parse_json(row["proof"], f"The proof in row {number}")
    for name in ("payload", "nonce"):
        if row[name]:
            fields[name] = row[name]
    line = read_line(canonical(fields), number)
    return Line(line.text, line.index, line.leaf, line.proof, line.payload, line.nonce, {n: row[n] for n in READABLE})


def _text(value: object, number: int) -> str:
    """Return what CSV has for a value of Parquet's."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if value is None or type(value) in {int, str}:
        return "" if value is None else str(value)
    raise DoesNotVerifyError(f"Row {number} has a value of another type than an export's.")


def _next_line(file: TextIO, number: int) -> str | None:
    """Return the next line without its newline, None at the end. A last line without newline was cut off."""
    try:
        text = file.readline(LONGEST_LINE)
    except UnicodeDecodeError:
        raise DoesNotVerifyError(f"Line {number} or one after it is no UTF-8.") from None
    if not text:
        return None
    if not text.endswith("\n"):
        raise DoesNotVerifyError(f"The export is cut off in line {number}, or the line is too long.")
    return text[:-1]
