"""All watchlists' galleries: searched together by many threads, changed one at a time.

A cache that knows nothing of the database but a revision for each watchlist. Every change names the revision it leads
to; when that is not the next one, a change was missed, and the gallery is *stale*: it refuses to be searched until
it is loaded again. Between two revisions there is nothing: a search sees a change whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from frs.errors import FrsError, Reason
from frs.index.exact import NONE
from frs.index.gallery import Gallery, GalleryRow
from frs.index.turns import Turns
from frs.types import Hit

__all__ = ["Galleries", "GalleryRow"]


class Galleries:
    """The galleries of one model: templates of ``dimension`` float32 numbers. Thread-safe."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._turns = Turns()
        self._galleries: dict[str, Gallery] = {}

    def load(self, watchlist: str, revision: int, rows: Iterable[GalleryRow]) -> None:
        """Put a gallery in place of what was there, at once; searches go on with the old one until it is built."""
        new = Gallery(self.dimension, revision, rows)
        with self._turns.changing():
            old = self._galleries.get(watchlist)
            self._galleries[watchlist] = new
            if old is not None:
                old.clear()

    def add(self, watchlist: str, revision: int, rows: Sequence[GalleryRow]) -> None:
        """Add references. Raises ValueError for rows the index cannot hold; the gallery is then stale."""
        self._change(watchlist, revision, lambda gallery: gallery.add(rows))

    def remove_subject(self, watchlist: str, revision: int, subject: str) -> None:
        """Remove a subject's references and overwrite their templates."""
        self._change(watchlist, revision, lambda gallery: gallery.remove_subject(subject))

    def remove_reference(self, watchlist: str, revision: int, reference: str) -> None:
        """Remove one reference and overwrite its template."""
        self._change(watchlist, revision, lambda gallery: gallery.remove_reference(reference))

    def drop(self, watchlist: str) -> None:
        """Forget a watchlist and overwrite its templates; nothing happens when it is not there."""
        with self._turns.changing():
            gallery = self._galleries.pop(watchlist, None)
            if gallery is not None:
                gallery.clear()

    def mark_stale(self, watchlist: str) -> None:
        """Refuse searches of a watchlist until it is loaded again."""
        with self._turns.changing():
            self._stale_gallery(watchlist)

    def revision(self, watchlist: str) -> int | None:
        """Return the revision a gallery agrees with; None when it is absent or stale."""
        with self._turns.searching():
            gallery = self._galleries.get(watchlist)
            return None if gallery is None or gallery.stale else gallery.revision

    def stale(self) -> tuple[str, ...]:
        """Return the watchlists that must be loaded again."""
        with self._turns.searching():
            return tuple(sorted(name for name, gallery in self._galleries.items() if gallery.stale))

    def watchlists(self) -> tuple[str, ...]:
        """Return the watchlists that have a gallery, stale ones included."""
        with self._turns.searching():
            return tuple(sorted(self._galleries))

    def size(self, watchlist: str) -> int:
        """Return how many templates a watchlist has in the index; 0 when it is absent."""
        with self._turns.searching():
            gallery = self._galleries.get(watchlist)
            return 0 if gallery is None else len(gallery)

    def people(self, watchlist: str) -> int:
        """Return how many subjects of a watchlist the index has; 0 when it is absent."""
        with self._turns.searching():
            gallery = self._galleries.get(watchlist)
            return 0 if gallery is None else gallery.people

    @property
    def templates(self) -> int:
        """Templates in all galleries."""
        with self._turns.searching():
            return sum(len(gallery) for gallery in self._galleries.values())

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the templates take."""
        with self._turns.searching():
            return sum(gallery.nbytes for gallery in self._galleries.values())

    def buffers(self) -> tuple[memoryview, ...]:
        """Return the memory that templates lie in, for whoever must see that nothing is left in it."""
        with self._turns.searching():
            return tuple(gallery.buffer() for gallery in self._galleries.values())

    def search(
        self,
        queries: npt.NDArray[np.float32],
        watchlists: Sequence[str],
        k: int,
        exclude: frozenset[str] = frozenset(),
    ) -> list[list[Hit]]:
        """Return for each query its best k subjects over the watchlists, best first, each by its best reference.

        ``queries`` is (q, dimension) float32, each of unit length or shorter; ``exclude`` names subjects to leave out.
        Equal scores go to the reference enrolled first. Raises FrsError INDEX_UNAVAILABLE when a watchlist is stale or
        absent.
        """
        names = tuple(dict.fromkeys(watchlists))
        with self._turns.searching():
            galleries = [self._searchable(name) for name in names]
            if not names or not len(queries):
                return [[] for _ in queries]
            parts = [gallery.best_subjects(queries, k, exclude) for gallery in galleries]
            scores, keys = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
            best = np.lexsort((keys, -scores), axis=1)[:, :k]
            return [
                [
                    _hit(names[place // k], galleries[place // k], int(keys[query, place]), float(scores[query, place]))
                    for place in row.tolist()
                    if keys[query, place] != NONE
                ]
                for query, row in enumerate(best)
            ]

    def _searchable(self, watchlist: str) -> Gallery:
        gallery = self._galleries.get(watchlist)
        if gallery is None or gallery.stale:
            what = "is not in the index" if gallery is None else "does not agree with the database"
            raise FrsError(Reason.INDEX_UNAVAILABLE, f"Watchlist {watchlist} {what}.", watchlist=watchlist)
        return gallery

    def _change(self, watchlist: str, revision: int, change: Callable[[Gallery], None]) -> None:
        with self._turns.changing():
            gallery = self._galleries.get(watchlist)
            if gallery is None or gallery.stale or revision != gallery.revision + 1:
                self._stale_gallery(watchlist)
                return
            try:
                change(gallery)
            except BaseException:
                gallery.stale = True
                raise
            gallery.revision = revision

    def _stale_gallery(self, watchlist: str) -> None:
        self._galleries.setdefault(watchlist, Gallery(self.dimension, 0)).stale = True


def _hit(watchlist: str, gallery: Gallery, key: int, score: float) -> Hit:
    return Hit(watchlist, gallery.subject_of(key), gallery.reference_of(key), score)
