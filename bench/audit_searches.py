"""Searches of the log's benchmark: each way of asking, alone and combined, for much, little and nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np

from bench.audit_events import ADAPTERS, NOMINALS, OFFICERS, RARE, START, STEP
from frs.audit.log import AuditLog
from frs.audit.query import EventFilter

PAGE = 50
TARGET_MS = 100.0
Chooser: TypeAlias = "Callable[[random.Random], EventFilter]"


def searches(count: int) -> dict[str, Chooser]:
    """Return what is asked, by name; each question is put with other values every time."""

    def hour(choose: random.Random) -> dict[str, Any]:
        since = START + choose.randrange(count) * STEP
        return {"since": since, "until": since + timedelta(hours=1)}

    def who(choose: random.Random) -> str:
        return f"officer-{choose.randrange(OFFICERS)}"

    def nominal(choose: random.Random) -> str:
        return f"N{int(NOMINALS * choose.random() ** 2)}"

    def camera(choose: random.Random) -> str:
        return f"camera-{choose.randrange(ADAPTERS)}"

    return {
        "all": lambda _: EventFilter(),
        "time: an hour": lambda c: EventFilter(**hour(c)),
        "action: half of the log": lambda _: EventFilter(action="live.minute"),
        "action: a group": lambda _: EventFilter(action="alert"),
        "action: rare": lambda _: EventFilter(action=RARE),
        "actor: an officer": lambda c: EventFilter(actor=who(c)),
        "actor: a camera": lambda c: EventFilter(actor=camera(c)),
        "subject": lambda c: EventFilter(subject=nominal(c)),
        "alert": lambda c: EventFilter(alert=f"a{c.randrange(count // 3) * 3}"),
        "subject and action": lambda c: EventFilter(subject=nominal(c), action="alert.adjudicated"),
        "actor and action": lambda c: EventFilter(actor=who(c), action="alert"),
        "actor, action and time": lambda c: EventFilter(actor=who(c), action="alert", **hour(c)),
        "action, watchlist and deployment": lambda _: EventFilter(
            action="alert.viewed", watchlist="wanted", deployment="d25"
        ),
        "actor and subject": lambda c: EventFilter(actor=who(c), subject=nominal(c)),
        "nothing: time": lambda _: EventFilter(since=START - timedelta(days=2), until=START - timedelta(days=1)),
        "nothing: subject unknown": lambda _: EventFilter(subject="nobody"),
        "nothing: actor unknown and action": lambda _: EventFilter(actor="nobody", action="live.minute"),
        "nothing: camera and an officer's acts": lambda c: EventFilter(actor=camera(c), action="alert"),
        "nothing: officer and a list never read": lambda c: EventFilter(actor=who(c), watchlist="missing"),
        "nothing: a list and acts of others": lambda _: EventFilter(action="alert.raised", watchlist="missing"),
        "nothing: two deployments' worlds": lambda _: EventFilter(deployment="d1", alert="a0"),
        "nothing: camera, list and subject": lambda c: EventFilter(actor=camera(c), subject=nominal(c)),
    }


def measure(log: AuditLog, count: int, repeats: int) -> list[dict[str, Any]]:
    """Time every search, oldest and newest first, in milliseconds; the first page, and the one after it where any."""
    found = []
    for name, chooser in searches(count).items():
        for newest_first in (False, True):
            choose = random.Random(7)  # the same in every run
            taken: list[float] = []
            events = 0
            for _ in range(repeats):
                wanted, token = chooser(choose), ""
                for _ in range(2):
                    start = time.perf_counter()
                    page = log.list(wanted, PAGE, token, newest_first)
                    taken.append(1000 * (time.perf_counter() - start))
                    events += len(page.items)
                    token = page.next_token
                    if not token:
                        break
            row = {
                "search": name,
                "order": "newest first" if newest_first else "oldest first",
                "pages": len(taken),
                "events": events,
                "p50_ms": round(float(np.percentile(taken, 50)), 2),
                "p95_ms": round(float(np.percentile(taken, 95)), 2),
                "max_ms": round(max(taken), 2),
            }
            print(f"{name:40s} {row['order']:13s} p50 {row['p50_ms']:8.2f}  p95 {row['p95_ms']:8.2f} ms", flush=True)
            found.append(row)
    return found
