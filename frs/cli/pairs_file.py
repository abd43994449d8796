"""``pairs.csv``: a folder's list of known pairs, read whole before anything is sent.

Columns, in any order, named in the first line: ``probe`` and ``reference`` (files in the folder), ``matching`` (yes or
no, true or false, 1 or 0), ``nominal`` and ``source``. UTF-8, with or without a byte order mark; RFC 4180.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import typer

NAME = "pairs.csv"
COLUMNS = ("probe", "reference", "matching", "nominal", "source")
_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class PairLine:
    """One line of the file."""

    number: int
    """Of the line in the file, from 1."""
    probe: Path
    reference: Path
    matching: bool
    nominal: str
    source: str


def read_pairs(folder: Path) -> tuple[PairLine, ...]:
    """Return the lines of a folder's ``pairs.csv``; typer.BadParameter names every line that is wrong."""
    path = folder / NAME
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise typer.BadParameter(f"{path} has no column {', '.join(missing)}")
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise typer.BadParameter(f"{path} is no CSV in UTF-8: {error}") from None
    wrong: list[str] = []
    lines = [_line(folder, number, row, wrong) for number, row in rows]
    if wrong:
        raise typer.BadParameter(f"{path}: {'; '.join(wrong)}")
    if not lines:
        raise typer.BadParameter(f"{path} lists no pair")
    return tuple(lines)


def _line(folder: Path, number: int, row: dict[str, str | None], wrong: list[str]) -> PairLine:
    given = {name: (row[name] or "").strip() for name in COLUMNS}
    wrong += [f"line {number} has no {name}" for name in COLUMNS if not given[name]]
    matching = _TRUTHS.get(given["matching"].lower())
    if given["matching"] and matching is None:
        wrong.append(f"line {number}: matching is yes or no, not {given['matching']!r}")
    probe, reference = folder / given["probe"], folder / given["reference"]
    for name, file in (("probe", probe), ("reference", reference)):
        if given[name] and not file.is_file():
            wrong.append(f"line {number}: there is no file {given[name]}")
    return PairLine(number, probe, reference, bool(matching), given["nominal"], given["source"])
