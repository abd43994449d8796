"""YAML with positions: a reader of PyYAML's events that keeps line and column and refuses what is hostile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

_MAX_DEPTH = 8
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: a list of 17,000 entries takes seconds instead of minutes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at a line and column counted from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the document: exactly one of scalar, items and fields is set."""

    line: int
    column: int
    scalar: str | None = None
    items: tuple[Node, ...] | None = None
    fields: tuple[tuple[str, Node], ...] | None = None

    def text(self, problems: list[Problem], what: str) -> str | None:
        """Return the scalar's text, or None with a problem."""
        if self.scalar is None:
            problems.append(Problem(self.line, self.column, f"{what} must be text"))
        return self.scalar

    def sequence(self, problems: list[Problem], what: str) -> tuple[Node, ...] | None:
        """Return the items of a list, or None with a problem."""
        if self.items is None:
            problems.append(Problem(self.line, self.column, f"{what} must be a list"))
        return self.items

    def mapping(self, problems: list[Problem], known: set[str], what: str) -> dict[str, Node] | None:
        """Return the fields by name, or None with a problem; unknown and repeated fields are problems too."""
        if self.fields is None:
            problems.append(Problem(self.line, self.column, f"{what} must be a mapping of fields"))
            return None
        found: dict[str, Node] = {}
        for key, node in self.fields:
            if key not in known:
                problems.append(
                    Problem(node.line, node.column, f"{what} has no field {key!r}; fields: {', '.join(sorted(known))}")
                )
            elif key in found:
                problems.append(Problem(node.line, node.column, f"{key} stands twice"))
            else:
                found[key] = node
        return found


def read_document(data: bytes, problems: list[Problem]) -> Node | None:
    """Parse one YAML document into nodes; on failure add a problem and return None."""
    try:
        root = _tree(yaml.parse(data.decode("utf-8-sig"), Loader=_LOADER))
        if root is None:
            problems.append(Problem(1, 1, "the file is empty"))
        return root
    except UnicodeDecodeError as error:
        problems.append(Problem(1, 1, f"the file is not UTF-8 text (byte {error.start})"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problems.append(Problem(line, column, f"not valid YAML: {error.problem or error.context}"))
    except (yaml.YAMLError, ValueError) as error:
        problems.append(Problem(1, 1, f"not valid YAML: {error}".splitlines()[0]))
    return None


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet; its children are keys and values in turn when it is a mapping."""

    event: yaml.Event
    children: list[Node]


def _tree(events: Iterable[yaml.Event]) -> Node | None:
    """Build the nodes of the one document straight from the parser's events.

    Aliases could expand a small file into a huge one, and tags have no meaning here: both are refused where they stand.
    """
    stack: list[_Open] = []
    root: Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise _refused("the file holds a second document", event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors, aliases and tags are not allowed", event)
        if getattr(event, "tag", None) not in {None, "!"}:
            raise _refused("anchors, aliases and tags are not allowed", event)
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) == _MAX_DEPTH:
                raise _refused(f"nested deeper than {_MAX_DEPTH} levels", event)
            stack.append(_Open(event, []))
            continue
        if isinstance(event, yaml.ScalarEvent):
            node = Node(*_position(event), scalar=event.value)
        elif isinstance(event, yaml.CollectionEndEvent):
            node = _closed(stack.pop())
        else:
            continue
        if stack:
            stack[-1].children.append(node)
        else:
            root = node
    return root


def _closed(found: _Open) -> Node:
    if isinstance(found.event, yaml.SequenceStartEvent):
        return Node(*_position(found.event), items=tuple(found.children))
    names = ("?" if key.scalar is None else key.scalar for key in found.children[::2])
    return Node(*_position(found.event), fields=tuple(zip(names, found.children[1::2], strict=True)))


def _position(event: yaml.Event) -> tuple[int, int]:
    mark: Any = event.start_mark
    return mark.line + 1, mark.column + 1


def _refused(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark  # the stubs give it the C parser's type as well
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
