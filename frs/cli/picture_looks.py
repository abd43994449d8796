"""How a terminal shows pictures, by what it says of itself in the environment; where it says nothing they are files."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Look(StrEnum):
    """How pictures are shown."""

    AUTO = "auto"
    KITTY = "kitty"
    ITERM = "iterm"
    BLOCKS = "blocks"
    FILES = "files"
    """Not in the terminal."""


def look_of(environment: Mapping[str, str], *, terminal: bool) -> Look:
    """Return how this terminal shows pictures best."""
    if not terminal:
        return Look.FILES
    plain = "TMUX" not in environment and not environment.get("TERM", "").startswith(("screen", "tmux"))
    if plain and ("KITTY_WINDOW_ID" in environment or environment.get("TERM") in {"xterm-kitty", "xterm-ghostty"}):
        return Look.KITTY
    if plain and environment.get("TERM_PROGRAM") in {"iTerm.app", "WezTerm"}:
        return Look.ITERM
    if environment.get("COLORTERM") in {"truecolor", "24bit"}:
        return Look.BLOCKS
    return Look.FILES
