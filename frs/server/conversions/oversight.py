"""Events, filters and checkpoints of the log."""

from __future__ import annotations

import rfc8785

from frs.audit.checkpoints import Checkpoint
from frs.audit.log import EventFilter, StoredEvent
from frs.server import names
from frs.server.instants import optional_instant, stamp
from frs.v1 import oversight_pb2


def event_filter(
    request: oversight_pb2.ListEventsRequest | oversight_pb2.EventFilter, subject: str | None
) -> EventFilter:
    """Return the filter; ``subject`` is the nominal that the request's subject resolved to."""
    return EventFilter(
        since=optional_instant(request.since, request.HasField("since")),
        until=optional_instant(request.until, request.HasField("until")),
        actor=request.actor.strip() or None,
        action=request.action or None,
        watchlist=names.optional_id(names.WATCHLIST, request.watchlist),
        subject=subject,
        deployment=names.optional_id(names.DEPLOYMENT, request.deployment),
        alert=names.optional_id(names.ALERT, request.alert),
        search=names.optional_id(names.SEARCH, request.search),
        job=names.optional_id(names.JOB, request.job),
    )


def event_message(event: StoredEvent) -> oversight_pb2.Event:
    """Return an event, with its payload where it was opened."""
    return oversight_pb2.Event(
        name=names.make(names.EVENT, str(event.seq)),
        index=event.seq,
        time=stamp(event.time),
        action=event.action,
        operation=event.operation,
        leaf=event.leaf,
        # Canonical again: byte for byte what the leaf's commitment was made of.
        payload_json=rfc8785.dumps(event.payload).decode("utf-8") if event.payload is not None else "",
        payload_nonce=event.nonce or b"",
    )


def checkpoint_message(checkpoint: Checkpoint, note: str, vkey: str) -> oversight_pb2.Checkpoint:
    """Return a signed checkpoint."""
    return oversight_pb2.Checkpoint(
        tree_size=checkpoint.size, root_hash=checkpoint.root, signed_note=note, verifier_key=vkey
    )
