"""Where versions come from, as the geometry of an SVG picture and in words; the template draws it, the style sheet colours it.

●  1.2.0          own versions below each other, the newest on top
├─╮
│ ●  tax@1.0.0    what a version was made from, each in a lane of its own
●  1.1.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hatrack.core.lineage import Manifest
from hatrack.registry.store import Registry

__all__ = ["Edge", "Lineage", "Node", "lineage_of"]

_MOST = 40  # own versions that are drawn, the newest
_ALL = 120  # with those of other adapters
_LANES = 4  # beside the first
_ROW, _LANE, _LEFT, _TOP = 36, 24, 40, 20
_LETTER = 8  # width of one, at most

_MADE, _AFTER = "made", "after"


@dataclass(frozen=True)
class Node:
    """One version; ``kind``: own, other (of another adapter) or gone (not in this registry any more)."""

    x: int
    y: int
    name: str
    note: str
    kind: str


@dataclass(frozen=True)
class Edge:
    """From a version to one that it comes from; ``kind``: made (trained on from, merged, shrunk) or after (the version before)."""

    path: str
    kind: str


@dataclass(frozen=True)
class Lineage:
    """A picture of ``width`` by ``height``; names stand at ``text_at``. ``words`` say the same, a sentence for each version."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int
    text_at: int
    words: tuple[str, ...]


def lineage_of(registry: Registry, name: str) -> Lineage | None:
    """The versions of an adapter and what they were made from; None where no version comes from another.

    Raises:
        AdapterNotFound: the adapter has no version.
    """
    graph = _Graph(registry, name)
    if not any(graph.sources.values()):
        return None
    order = graph.order()
    own = {digest for digest in order if digest in graph.own}
    others = [digest for digest in order if digest not in own]
    lanes = dict.fromkeys(own, 0) | {digest: 1 + number % _LANES for number, digest in enumerate(others)}
    places = {digest: (_LEFT + _LANE * lanes[digest], _TOP + _ROW * row) for row, digest in enumerate(order)}
    aliases = registry.aliases(name)
    nodes = []
    for digest in order:
        manifest = graph.known[digest]
        kind = "own" if digest in own else "other" if manifest else "gone"
        named = sorted(alias for alias, version in aliases.items() if digest in own and manifest and version == manifest.version)
        nodes.append(Node(*places[digest], graph.name(digest), ", ".join(named) if manifest else "not here any more", kind))
    line = [digest for digest in order if digest in own]
    edges = [
        Edge(_path(places[child], places[source], next_to=_follow(line, child, source)), kind)
        for child in order
        for source, kind in graph.sources[child]
        if source in places
    ]
    text_at = _LEFT + _LANE * max(lanes.values()) + 18
    width = text_at + _LETTER * max(len(f"{node.name} {node.note}") for node in nodes)
    words = tuple(graph.sentence(digest) for digest in order if digest in own or graph.sources[digest])
    return Lineage(tuple(nodes), tuple(edges), width, _ROW * len(order) + 4, text_at, words)


class _Graph:
    """Versions by digest, and what each comes from.

    Attributes:
        own: those of the adapter, oldest first.
        known: all that are drawn; None for what is in no list any more.
        sources: digest and kind of what each comes from.
    """

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry, self._name = registry, name
        every = {manifest.digest: manifest for manifest in registry.versions(name)}
        self.own = dict(list(every.items())[-_MOST:])
        self._older = {digest: manifest for digest, manifest in every.items() if digest not in self.own}
        self.known: dict[str, Manifest | None] = {**self.own}
        self.sources: dict[str, list[tuple[str, str]]] = {}
        for digest, manifest in self.own.items():
            made = dict.fromkeys(manifest.parents)
            before = [(manifest.parent, _AFTER)] if manifest.parent and manifest.parent not in made else []
            self.sources[digest] = [*((parent, _MADE) for parent in made), *before]
        for manifest in self.own.values():
            for parent, _ in self.sources[manifest.digest]:
                self._meet(parent)

    def order(self) -> list[str]:
        """Own versions, the newest first; what they were made from stands below the oldest of those that were."""
        order: list[str] = []
        for digest in self.own:  # upwards
            below: list[str] = []
            self._below(digest, {*order, *self.own}, below)
            order = [digest, *below, *order]
        return order

    def name(self, digest: str) -> str:
        """As it is called on its adapter's own page, or elsewhere, or nowhere any more."""
        manifest = self.known.get(digest) or self._older.get(digest)
        if manifest is None:
            return digest[:12]
        return manifest.version if manifest.name == self._name else f"{manifest.name}@{manifest.version}"

    def sentence(self, digest: str) -> str:
        """What a version comes from."""
        made = [self.name(source) for source, kind in self.sources[digest] if kind == _MADE]
        parts = [f"{'merged' if len(made) > 1 else 'made'} from {' and '.join(made)}"] if made else []
        parts += [f"after {self.name(source)}" for source, kind in self.sources[digest] if kind == _AFTER]
        return f"{self.name(digest)}: {', '.join(parts) or 'the first'}"

    def _meet(self, digest: str) -> None:
        if digest in self.known or digest in self._older or len(self.known) >= _ALL:
            return
        manifest = self.known[digest] = self._registry.find(digest)
        self.sources[digest] = [(parent, _MADE) for parent in dict.fromkeys(manifest.parents)] if manifest else []
        for parent, _ in self.sources[digest]:
            self._meet(parent)

    def _below(self, digest: str, placed: set[str], below: list[str]) -> None:
        for source, _ in self.sources[digest]:
            if source in self.sources and source not in placed:
                placed.add(source)
                below.append(source)
                self._below(source, placed, below)


def _follow(line: Sequence[str], child: str, source: str) -> bool:
    """Whether the two are neighbours in the line of own versions."""
    return child in line and source in line and line.index(source) == line.index(child) + 1


def _path(child: tuple[int, int], source: tuple[int, int], *, next_to: bool) -> str:
    (x, y), (to_x, to_y) = child, source
    if next_to:
        return f"M{x},{y}V{to_y}"
    if x == to_x:  # round whatever lies between
        return f"M{x},{y}C{x - _LANE - 8},{y} {x - _LANE - 8},{to_y} {x},{to_y}"
    if x < to_x:  # into the source's lane at once, and along it
        turn = y + (_ROW if to_y > y else -_ROW)
        return f"M{x},{y}C{to_x},{y} {to_x},{y} {to_x},{turn}V{to_y}"
    middle = (y + to_y) // 2
    return f"M{x},{y}C{x},{middle} {to_x},{middle} {to_x},{to_y}"
