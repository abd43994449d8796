"""Faces beside each other, for a person to compare: in the terminal where it can, in files where they are asked for.

Files are for the person alone: nobody else may read them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from frs.cli.output import write_private
from frs.cli.picture_looks import look_of

_ROWS = 14
_MARGIN = 2


def show_faces(pictures: Sequence[bytes]) -> bool:
    """Draw JPEG pictures beside each other on standard output; returns whether the terminal could."""
    from frs.cli.terminal_pictures import beside, drawn  # decoders load for a while, and few commands draw

    look = look_of(os.environ, terminal=sys.stdout.isatty())
    given = [picture for picture in pictures if picture]
    if not given:
        return False
    columns = max(20, shutil.get_terminal_size().columns - _MARGIN)
    text = drawn(beside(given, columns, _ROWS), look)
    sys.stdout.write(text)
    sys.stdout.flush()
    return bool(text)


def write_faces(folder: Path, stem: str, pictures: Mapping[str, bytes]) -> list[Path]:
    """Write each picture that is there as ``STEM-KIND.jpg``; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, data in pictures.items():
        if data:
            path = folder / f"{stem}-{kind}.jpg"
            write_private(path, data)
            written.append(path)
    return written
