"""The contact sheet: of every alert the probe beside the reference, with what was proposed and decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from frs.cli.demo.summary import AlertLine

_CELL = 200
_TEXT = 74
_GAP = 16
_COLUMNS = 3


def write_sheet(path: Path, alerts: Sequence[AlertLine], folder: Path) -> None:
    """Write the sheet; ``folder`` holds each alert's ``-probe.jpg`` and ``-reference.jpg`` as the reviewer got them."""
    columns = min(_COLUMNS, max(len(alerts), 1))
    rows = max((len(alerts) + columns - 1) // columns, 1)
    width, height = 2 * _CELL + _GAP, _CELL + _TEXT
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for number, line in enumerate(alerts):
        x = _GAP + (number % columns) * (width + _GAP)
        y = _GAP + (number // columns) * (height + _GAP)
        for place, kind in enumerate(("probe", "reference")):
            picture = folder / f"{line.alert}-{kind}.jpg"
            if picture.exists():
                with Image.open(picture) as opened:
                    opened.thumbnail((_CELL, _CELL))
                    sheet.paste(opened, (x + place * (_CELL + _GAP), y))
        colour = "darkgreen" if line.right else "darkred"
        draw.text((x, y + _CELL + 4), f"camera | reference {line.nominal}", fill="black", font=font)
        scores = f"score {line.score:.3f}, threshold {line.threshold:.3f}, {line.frames} frames"
        draw.text((x, y + _CELL + 26), scores, fill="black", font=font)
        draw.text((x, y + _CELL + 48), f"shows {line.shown}: {line.state}", fill=colour, font=font)
    sheet.save(path)
