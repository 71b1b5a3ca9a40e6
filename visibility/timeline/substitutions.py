"""What is sent in place of what: substitutes for an article, the components of a kit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from connectors.sdk.events import EventType, Measure
from connectors.sdk.events import Line as SpokenLine
from visibility.timeline.dictionary import Article
from visibility.timeline.model import Spoken

Keyed = Sequence[tuple[Spoken, list[tuple[int, str, SpokenLine]]]]
PROGRESS = (
    Measure.ALLOCATED,
    Measure.PICKED,
    Measure.PACKED,
    Measure.SHIPPED,
    Measure.DELIVERED,
)


@dataclass(frozen=True, slots=True)
class Instead:
    """The lines that fill another: each child with how many of it make one of the parent."""

    kit: bool
    children: Mapping[str, Fraction]


def kits(lines: Iterable[str], articles: Mapping[str, Article | None]) -> dict[str, Instead]:
    """The lines whose article is made of others, where one of these was told of."""
    known = set(lines)
    found = {}
    for key, article in articles.items():
        if article is None or not article.components:
            continue
        children = {n.strip().upper(): Fraction(q) for n, q in article.components.items()}
        if known & set(children):
            found[key] = Instead(kit=True, children=children)
    return found


def substitutes(keyed: Keyed) -> dict[str, Instead]:
    """Said outright, or seen: a source ordered one article on a line and moved another on it."""
    pairs = [pair for spoken, lines in keyed for pair in _said(spoken, lines)]
    ordered: dict[tuple[str, str], str] = {}
    wanted: set[tuple[str, str]] = set()
    for spoken, lines in keyed:
        if spoken.event.type is EventType.LINE_SUBSTITUTED:
            continue
        for _, key, line in lines:
            if Measure.ORDERED in line.quantities:
                ordered[(spoken.source, line.line_id)] = key
                wanted.add((spoken.source, key))
    for spoken, lines in keyed:
        for _, key, line in lines:
            parent = ordered.get((spoken.source, line.line_id))
            moves = any(measure in line.quantities for measure in PROGRESS)
            if parent and moves and parent != key and (spoken.source, key) not in wanted:
                pairs.append((parent, key))
    found: dict[str, dict[str, Fraction]] = {}
    for parent, child in sorted(set(pairs)):
        if (child, parent) not in pairs and parent != child:
            found.setdefault(parent, {})[child] = Fraction(1)
    return {parent: Instead(kit=False, children=children) for parent, children in found.items()}


def _said(
    spoken: Spoken, lines: Sequence[tuple[int, str, SpokenLine]]
) -> Iterable[tuple[str, str]]:
    """(replaced, substitute): of one line id where it stands twice, else of the two lines told."""
    if spoken.event.type is not EventType.LINE_SUBSTITUTED:
        return
    groups: dict[str, list[tuple[str, SpokenLine]]] = {}
    for _, key, line in lines:
        groups.setdefault(line.line_id, []).append((key, line))
    several = [group for group in groups.values() if len(group) > 1]
    for group in several or [[(key, line) for _, key, line in lines]]:
        parents = [key for key, line in group if Measure.CANCELLED in line.quantities]
        parent = parents[0] if parents else group[0][0] if group else ""
        yield from ((parent, key) for key, _ in group if key != parent)
