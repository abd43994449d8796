"""The report of a subject access package for people: one HTML file that needs nothing else and prints well.

It holds no script and no address of another place; everything that comes from the record is escaped; pictures are in
the file itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; }
h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #999; }
section.item { border: 1px solid #ccc; border-radius: 4px; padding: .6rem .9rem; margin: .8rem 0; break-inside: avoid; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .15rem 1rem; margin: .3rem 0; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
img { max-height: 12rem; max-width: 100%; border: 1px solid #999; margin: .3rem .5rem .3rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9em; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td { overflow-wrap: anywhere; }
p.none { color: #555; } @media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } }
"""

SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("entries", "Watchlists you are or were on", "You are and were on no watchlist."),
    ("alerts", "Alerts: a camera's picture was taken for you", "There was no alert that is still recorded."),
    ("searches", "Searches by an officer that found you", "No officer's search that is still recorded found you."),
    ("job_candidates", "Searches of recordings that proposed you", "No search of recordings proposes you."),
    ("holds", "Holds: what is kept beyond its time", "Nothing on you is held beyond its time."),
    ("erasures", "Erasures", "No request for erasure is on record. The log below says what was erased."),
    ("copies", "Copies given out", "No copy of your record was given out before this one."),
)
"""Kind, heading, and what is said where there is nothing."""
_TECHNICAL = frozenset({"sha256", "quality", "probe_quality", "reference_quality", "profile", "margin", "frames"})
"""What ``data.json`` has, and a reader would stumble over."""
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9:]{8})(?:[.][0-9]+)?Z")
_LABELS = {
    "adjudicated": "decided at",
    "adjudicated_by": "decided by",
    "adjudication_reason": "reason of the decision",
    "captured": "seen at",
    "officer": "officer who was sent",
    "engagement": "spoken to at",
    "engagement_outcome": "what came of it",
    "engagement_by": "spoken to by",
    "engagement_note": "note",
    "state": "state",
    "since": "since",
}


def report_html(data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return the report of ``data.json`` and the pictures that it names."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">",
        f"<title>Subject access</title><style>{_STYLE}</style></head><body>",
        "<h1>What is held and logged on you</h1>",
        "<p>This report holds everything that this face-matching service holds or has logged on the person under the "
        "reference below. What names or shows other people is left out, and it says where. The file data.json beside "
        "it has the same with every technical detail.</p>",
        _fields(data, ("nominal", "made", "made_by", "recipient", "reason", "installation", "access", "pseudonym")),
    ]
    for kind, heading, none in SECTIONS:
        parts.append(f"<h2>{escape(heading)}</h2>")
        parts += [_item(item, pictures) for item in data[kind]] or [f'<p class="none">{escape(none)}</p>']
    parts += ["<h2>The log: every act on your data</h2>", _events(data["events"]), "</body></html>"]
    return "\n".join(parts) + "\n"


def _item(item: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    shown = [_picture(str(value), pictures) for name, value in item.items() if _is_picture(value, pictures)]
    images = item.get("images", ())
    shown += [_picture(str(image["picture"]), pictures) for image in images if image["picture"] in pictures]
    names = [name for name in item if name != "images" and not _is_picture(item[name], pictures)]
    listed = "".join(
        _fields(image, [name for name in image if not _is_picture(image[name], pictures)]) for image in images
    )
    return f'<section class="item">{_fields(item, names)}{listed}{"".join(shown)}</section>'


def _is_picture(value: Any, pictures: Mapping[str, bytes]) -> bool:
    return isinstance(value, str) and value in pictures


def _picture(path: str, pictures: Mapping[str, bytes]) -> str:
    encoded = base64.b64encode(pictures[path]).decode("ascii")
    return f'<img alt="{escape(path, quote=True)}" src="data:image/jpeg;base64,{encoded}">'


def _fields(values: Mapping[str, Any], names: Sequence[str]) -> str:
    rows = [
        f"<dt>{escape(_label(name))}</dt><dd>{escape(_text(values[name]))}</dd>"
        for name in names
        if values[name] not in _NOTHING and name not in _TECHNICAL
    ]
    return f"<dl>{''.join(rows)}</dl>"


def _events(events: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for event in events:
        lists = ", ".join(f"{each['id']} version {each['version']}" for each in event["watchlists"])
        kinds = ("deployment", "alert", "search", "job")
        concerns = "; ".join([lists, *(f"{kind} {event[kind]}" for kind in kinds if event[kind])]).strip("; ")
        cells = (
            event["event"],
            _text(event["time"]),
            event["action"],
            event["operation"],
            concerns,
            _text(event["payload"]),
        )
        rows.append("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
    heads = ("number", "time", "act", "operation", "concerns", "what was recorded")
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{''.join(rows)}</table>"


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))


def _text(value: Any, within: bool = False) -> str:
    """Write a value for people; what is nested stands in brackets."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        told = {name: inner for name, inner in value.items() if inner not in _NOTHING and name not in _TECHNICAL}
        said = "; ".join(f"{_label(name)}: {_text(inner, True)}" for name, inner in told.items())
        return f"({said})" if within else said
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(inner, True) for inner in value)
    found = _INSTANT.fullmatch(str(value))
    return f"{found[1]} {found[2]} UTC" if found else str(value)
