"""A tree whose nodes are in a dictionary, appended to as the log appends to its table."""

from __future__ import annotations

from collections.abc import Sequence

from frs.audit import tree
from frs.audit.tree import NodeId


class MemoryTree:
    """Nodes in a dictionary, appended to as the log appends to its table."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.nodes: dict[NodeId, bytes] = {}
        self.leaves: list[bytes] = []
        for leaf in leaves:
            self.append(leaf)

    def append(self, leaf: bytes) -> None:
        for level, number, digest in tree.append(len(self.leaves), leaf, self.read):
            assert (level, number) not in self.nodes, "a complete subtree was written twice"
            self.nodes[level, number] = digest
        self.leaves.append(leaf)

    def read(self, wanted: Sequence[NodeId]) -> dict[NodeId, bytes]:
        return {node: self.nodes[node] for node in wanted}
