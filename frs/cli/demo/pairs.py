"""The demonstration's own known pairs: people of the photograph who are on no list, as the camera would see them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from frs.cli.demo.cast import Person
from frs.cli.demo.clip import Scene, frames
from frs.cli.pairs_file import COLUMNS, NAME
from frs.embed.decoding import encode_jpeg

PAIRS = {"DEMO/0101": True, "DEMO/0102": False}
"""Whether the pair that shows this nominal is of one person."""
_FACE = 120.0
_SOURCE = "sample photograph of an installed package, for demonstration"


def write_pairs(folder: Path, cast: Sequence[Person]) -> None:
    """Write a folder for ``frs vigilance load``: a pair of one person, and a pair of two."""
    folder.mkdir(parents=True, exist_ok=True)
    one, other, third = [person for person in cast if not person.listed][:3]
    shown = ((one, one), (other, third))
    lines = []
    for (nominal, matching), (seen, held) in zip(PAIRS.items(), shown, strict=True):
        number = nominal[-4:]
        picture, _ = next(frames([Scene((seen,), 1.0, (_FACE, _FACE))]))
        (folder / f"{number}-probe.jpg").write_bytes(encode_jpeg(picture, 90))
        (folder / f"{number}-reference.jpg").write_bytes(encode_jpeg(held.photograph(), 95))
        files = (f"{number}-probe.jpg", f"{number}-reference.jpg")
        lines.append((*files, "yes" if matching else "no", nominal, _SOURCE))
    with (folder / NAME).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *lines])
