"""Where people wrote a nominal into a text: in its place stands the person's pseudonym once they are erased.

Reasons, notes and file names are free text, and nobody can keep a nominal out of them. So an erasure looks for the
nominal, as a word of its own, in every text that the database holds. A name or a description of the person it cannot
know; texts about this person alone are emptied (:mod:`frs.retention.erasers`).
"""

from __future__ import annotations

import json
import re

import sqlalchemy as sa

from frs.store import schema
from frs.store.transaction import Transaction

TEXTS: tuple[tuple[sa.Table, tuple[str, ...]], ...] = (
    (schema.watchlist, ("purpose", "legal_basis")),
    (schema.subject, ("justification", "under_18_rationale", "withdrawn_reason")),
    (schema.reference_image, ("source",)),
    (schema.deployment, ("purpose", "place", "close_reason")),
    (schema.alert, ("adjudication_reason", "engagement_note")),
    (schema.upload, ("file_name",)),
    (schema.job, ("reason", "incident", "authorisation", "error_message")),
    (schema.job_item, ("error_message",)),
    (schema.operator_search, ("reason", "legal_power", "outcome_reason")),
    (schema.review_decision, ("reason", "observation")),
    (schema.vigilance_pair, ("source",)),
    (schema.identity, ("reason",)),
    (schema.hold, ("reason", "release_reason")),
    (schema.erasure, ("reason", "requested_by", "decision_reason")),
    (schema.outside_copy, ("place",)),
)
"""The texts that people write, by table. ``tests/retention`` proves that none is missing."""
SHORTEST = 4
"""A nominal of fewer characters stands in too many texts that do not mean it."""


def replace_mention(text: str, nominal: str, pseudonym: str) -> str:
    """Return the text with the pseudonym in place of the nominal, where that stands as a word of its own."""
    if len(nominal) < SHORTEST or nominal not in text:
        return text
    return re.sub(rf"(?<![\w-]){re.escape(nominal)}(?![\w-])", lambda _: pseudonym, text)


def mentions(text: str, nominal: str) -> bool:
    """Whether the nominal stands in a text as a word of its own."""
    return replace_mention(text, nominal, "") != text


def replace_mentions(tx: Transaction, nominal: str, pseudonym: str) -> int:
    """Do so in every text of the database; returns how many texts changed."""
    changed = 0
    if len(nominal) < SHORTEST:
        return changed
    for table, names in TEXTS:
        keys = list(table.primary_key.columns)
        for name in names:
            column = sa.type_coerce(table.c[name], sa.Text)  # an observation is a note within JSON
            written = json.dumps(nominal)[1:-1] if isinstance(table.c[name].type, sa.JSON) else nominal
            rows = tx.connection.execute(sa.select(*keys, column).where(column.contains(written, autoescape=True)))
            for *key, text in rows.all():
                new = replace_mention(text, written, pseudonym)
                if new != text:
                    this = sa.and_(*(part == value for part, value in zip(keys, key, strict=True)))
                    tx.connection.execute(table.update().where(this).values({name: sa.literal(new, sa.Text)}))
                    changed += 1
    tx.erases = tx.erases or changed > 0
    return changed
