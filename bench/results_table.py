"""``bench/RESULTS.md`` from the results in ``bench/results``: what people read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.report import RESULTS

TABLE = RESULTS.parent / "RESULTS.md"
_HEAD = """# Results

Medians over rounds in which both sides alternate on the same machine; the ratio is ours to the baseline, above 1 is
faster. Raw results with every round are in `bench/results/*.json`; `python -m bench` makes them anew. The machine is
shared, so single figures drift with its load and ratios less so.
"""


def write_table() -> Path:
    """Write the table; sections whose result is not there are left out."""
    parts = [_HEAD]
    sections = {"embedding": _embedding, "search": _search, "operator_search": _operator_search, "audit": _audit}
    for name, render in sections.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(render(json.loads(path.read_text())))
    TABLE.write_text("\n".join(parts))
    return TABLE


def _section(
    title: str, result: dict[str, Any], command: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> str:
    machine = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['date']}, load before {machine['load_before']}"
    lines = [
        f"## {title}\n",
        f"`{command}`. {where}; Python {machine['python']}, {packages}.\n",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _embedding(result: dict[str, Any]) -> str:
    rows = [
        (row["what"], f"{row['ours']} {row['unit']}", f"{row['theirs']} {row['unit']}", row["ratio"],
         row["threads"]["ours"], row["threads"]["theirs"])
        for row in [*result["pipeline"], *_listed(result["recogniser"])]
    ]  # fmt: skip
    columns = ("what", "ours", "baseline", "ratio", "our threads", "baseline's threads")
    return _section("Embedding", result, "python -m bench.embedding", columns, rows)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _search(result: dict[str, Any]) -> str:
    names = list(result["searches"][0]["queries_per_second"])
    rows = [
        (
            row["dimension"],
            f"{row['templates']:,}",
            row["batch"],
            *(row["queries_per_second"].get(name, "not run") for name in names),
            row["ratio"],
        )
        for row in result["searches"]
    ]
    columns = ("dimension", "templates", "batch", *(f"{name.replace('_', ' ')}, queries/s" for name in names), "ratio")
    threads = result["threads"]
    sides = f"threads: ours {threads['ours']}, FAISS {threads['faiss']}"
    title = f"Search (top {result['k']}; {sides}; ratio to FAISS one by one)"
    return _section(title, result, "python -m bench.search", columns, rows)


def _operator_search(result: dict[str, Any]) -> str:
    rows = [
        (
            row["photograph"],
            row["clients"],
            *(_timing(row, side) for side in ("grpc", "bare")),
            f"{row['overhead_percent']} %",
        )
        for row in result["rows"]
    ]
    threads = ", ".join(f"{what}: {count}" for what, count in result["threads"].items())
    columns = (
        "photograph",
        "clients",
        "through gRPC with TLS: p50 / p99 ms, requests/s",
        "bare calls: p50 / p99 ms, requests/s",
        "overhead at p50",
    )
    title = f"Operator search ({result['model']}; {threads})"
    return _section(title, result, "python -m bench.operator_search", columns, rows)


def _timing(row: dict[str, Any], side: str) -> str:
    return f"{row[f'{side}_p50_ms']} / {row[f'{side}_p99_ms']}, {row[f'{side}_per_second']}"


def _audit(result: dict[str, Any]) -> str:
    appending, log, proofs = result["appending"], result["log"], result["proofs"]
    speeds = appending["events_per_second"]
    rows: list[Sequence[Any]] = [
        ("durable events/s, many to a commit", f"{speeds['group_commit']:,}", f"from {appending['threads']} threads"),
        (
            "durable events/s, one fsync each",
            f"{speeds['one_event_each_fsync']:,}",
            f"from as many; ratio {appending['ratio']}; from one thread {speeds['one_thread']:,}",
        ),
        ("building, in large acts", f"{log['events_per_second']:,} events/s", f"{log['bytes_per_event']} bytes each"),
    ]
    for name, found in result["verification"].items():
        rows.append((f"verification, {name.replace('_', ' ')}", f"{found['seconds']} s", "of the whole log, one core"))
    for name, times in proofs["milliseconds"].items():
        size = f"at most {proofs['most_bytes'][name]} bytes" if name in proofs["most_bytes"] else ""
        rows.append((f"proof, {name.replace('_', ' ')}", f"{times['p50']} / {times['p95']} ms", size))
    for row in result["searches"]:
        over = "" if row["p95_ms"] < result["search_target_ms"] else f"over {result['search_target_ms']:.0f} ms"
        rows.append((f"search, {row['search']}, {row['order']}", f"{row['p50_ms']} / {row['p95_ms']} ms", over))
    title = f"Audit log ({log['events']:,} events; searches p50 / p95)"
    return _section(title, result, "python -m bench.audit", ("what", "measured", ""), rows)
