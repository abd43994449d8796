"""A self-contained page: one HTML file that needs no script, no network and no other file.

Its Content-Security-Policy forbids all but the style within it, so that even text that slipped through unescaped could
load and run nothing. Everything given is text and is escaped here; only :class:`Markup` is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """HTML that was made here."""

    __slots__ = ()


STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #59636e; --line: #d5dae0; --back: #fff; --card: #f5f7f9;
  --s0: #0072b2; --s1: #d55e00; --s2: #9aa4ae; }
@media (prefers-color-scheme: dark) { :root { --text: #e8ebee; --soft: #a4adb6; --line: #3a424b; --back: #14181c;
  --card: #1d2329; --s0: #56b4e9; --s1: #e69f00; --s2: #77828d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--back); }
h1 { line-height: 1.2; margin-bottom: .25rem; } h2 { margin-top: 2.5rem; } .soft { color: var(--soft); }
dl.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; padding: 0; }
dl.cards div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
dl.cards dt { color: var(--soft); font-size: .9rem; }
dl.cards dd { margin: 0; font-size: 1.6rem; font-weight: 600; }
dl.cards dd small { display: block; font-size: .8rem; font-weight: 400; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
svg.chart { width: 100%; height: auto; display: block; margin: 1rem 0; font-size: 12px; }
svg text { fill: var(--text); } svg .label { text-anchor: end; } svg .tick { text-anchor: middle; fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .span { stroke: var(--s0); stroke-width: 2; fill: none; }
svg .mark { fill: var(--s0); } svg line.guide { stroke: var(--s1); stroke-dasharray: 4 3; }
svg text.guide { fill: var(--s1); } .s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); }
@media print { :root { color-scheme: light; --text: #000; --soft: #333; --line: #999; --back: #fff; --card: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; } h2 { break-after: avoid; }
  svg.chart, tr, dl.cards div { break-inside: avoid; } thead { display: table-header-group; }
  * { print-color-adjust: exact; } }
"""


def page(title: str, lead: str, sections: Iterable[str]) -> str:
    """Return the whole page."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1>\n<p class="soft">{escape(lead)}</p></header>\n<main>\n'
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def section(heading: str, *parts: str) -> Markup:
    """Return a section; parts that are no :class:`Markup` are paragraphs of text."""
    held = (part if isinstance(part, Markup) else paragraph(part) for part in parts)
    return Markup(f"<section>\n<h2>{escape(heading)}</h2>\n" + "\n".join(held) + "\n</section>")


def paragraph(text: str) -> Markup:
    """Return a paragraph of text."""
    return Markup(f"<p>{escape(text)}</p>")


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str | int]], texts: int = 1) -> Markup:
    """Return a table; the first ``texts`` columns are text, the others figures. The first cell of a row heads it."""
    kinds = ["" if number < texts else ' class="n"' for number in range(len(columns))]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for kind, name in zip(kinds, columns, strict=True))
    lines = []
    for row in rows:
        cells = [escape(f"{value:,}" if isinstance(value, int) else value) for value in row]
        rest = "".join(f"<td{kind}>{value}</td>" for kind, value in zip(kinds[1:], cells[1:], strict=True))
        lines.append(f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>')
    body = "\n".join(lines) or f'<tr><td colspan="{len(columns)}">None.</td></tr>'
    return Markup(
        f'<div class="wide"><table><caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def cards(items: Iterable[tuple[str, str, str]]) -> Markup:
    """Return figures at a glance: what it is, the figure, what to know of it."""
    held = "".join(
        f"<div><dt>{escape(what)}</dt><dd>{escape(figure)}<small>{escape(more)}</small></dd></div>"
        for what, figure, more in items
    )
    return Markup(f'<dl class="cards">{held}</dl>')


def terms(items: Iterable[tuple[str, str]]) -> Markup:
    """Return words and what they mean."""
    return Markup(
        "<dl>"
        + "".join(f"<dt><strong>{escape(word)}</strong></dt><dd>{escape(text)}</dd>" for word, text in items)
        + "</dl>"
    )
