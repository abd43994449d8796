"""Who made a watchlist what it is since it was last approved: none of them may approve it.

Created, changed, enrolled, added a picture: each leaves a name here, in the transaction of the act, and an approval
clears them. What only narrows a list (a withdrawal, a picture removed) leaves none: nobody has to approve less. On an
active list nothing is noted either: what is added there is approved by the authorising officer who adds it.
"""

from __future__ import annotations

import sqlalchemy as sa

from frs.access.duties import require_other
from frs.store.schema import watchlist_drafter
from frs.types import Actor
from frs.watchlist.model import Watchlist, WatchlistState
from frs.watchlist.standing import Standing


def note_drafter(connection: sa.Connection, found: Watchlist | Standing, actor: Actor) -> None:
    """Note within an act that widens a list, found as it stood before, whose act it was."""
    if found.state is WatchlistState.ACTIVE:
        return
    table = watchlist_drafter
    known = sa.select(table.c.name).where(table.c.watchlist_id == found.id, table.c.name == actor.name)
    if connection.execute(known).first() is None:
        connection.execute(table.insert().values(watchlist_id=found.id, name=actor.name))


def require_another(connection: sa.Connection, found: Watchlist, actor: Actor) -> None:
    """SEPARATION_OF_DUTIES when the actor made the list what it is; else forget who did: it is being approved."""
    mine = watchlist_drafter.c.watchlist_id == found.id
    names = connection.scalars(sa.select(watchlist_drafter.c.name).where(mine)).all()
    what = f"{actor.name} created, changed or enrolled into watchlist {found.id} since it was last approved."
    require_other(actor, names, what)
    connection.execute(watchlist_drafter.delete().where(mine))
