"""The shape of a JSON document: the paths of its fields with their types, never a value."""

import re
from dataclasses import dataclass

from connectors.sdk.shown_names import shown_names

MAX_DEPTH = 12
MAX_FIELDS = 300
MAX_LIST_ITEMS = 20
KINDS = {str: "text", bool: "yes or no", int: "number", float: "number"}


LEAVES = {str: 1, bool: 2, int: 3, float: 3, type(None): 0}


@dataclass(frozen=True, slots=True)
class MessageShape:
    """The fields of a document, such as `("lines[].sku", "text")`.

    `empty` are the paths of empty lists, empty objects and nulls: what they usually contain is not
    missing. `is_complete`: no field was left out because the document has too many or is too deep.
    """

    fields: frozenset[tuple[str, str]]
    empty: frozenset[str]
    is_complete: bool

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all fields, empty ones included."""
        return frozenset(path for path, _ in self.fields) | self.empty


def shape_of(document: object) -> MessageShape:
    """Return the shape of a parsed JSON document."""
    fields: set[tuple[str, str]] = set()
    empty: set[str] = set()
    is_complete = True
    pending: list[tuple[str, object, int]] = [("", document, 0)]
    while pending:
        path, value, depth = pending.pop()
        if depth > MAX_DEPTH or len(fields) + len(empty) >= MAX_FIELDS:
            is_complete = False
        elif isinstance(value, dict) and value:
            for name, child in value.items():
                shown = shown_names[name]
                pending.append((f"{path}.{shown}" if path else shown, child, depth + 1))
        elif isinstance(value, list) and value:
            pending += [(f"{path}[]", child, depth + 1) for child in value[:MAX_LIST_ITEMS]]
        elif path and (kind := KINDS.get(type(value))):
            fields.add((path[:200], kind))
        elif path:
            empty.add(path[:200])
    return MessageShape(frozenset(fields), frozenset(empty), is_complete)


def shape_fingerprint(document: object, depth: int = MAX_DEPTH) -> int:
    """Return a number that is equal, in one process, for documents of the same shape.

    Documents whose lists mix their records differently can have one shape and several of these
    numbers. It takes a third of the time of the shape.
    """
    leaf = LEAVES.get(type(document))
    if leaf is not None or not document or depth < 0:
        return leaf or 0
    if isinstance(document, dict):
        members = []
        for name, child in document.items():
            leaf = LEAVES.get(type(child))
            members.append(
                (shown_names[name], shape_fingerprint(child, depth - 1) if leaf is None else leaf)
            )
        return hash(frozenset(members))
    if isinstance(document, list):
        records = [shape_fingerprint(each, depth - 1) for each in document[:MAX_LIST_ITEMS]]
        return hash(("list", frozenset(records)))
    return 0


@dataclass(frozen=True, slots=True)
class ShapeChanges:
    """How a shape differs from a learned schema.

    `appeared` and `retyped` have the path and its type; `missing` has paths, and the path of an
    object in place of those of all its fields.
    """

    appeared: tuple[tuple[str, str], ...]
    retyped: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    missing_fields: frozenset[str]


def compare_with_schema(
    shape: MessageShape, known: frozenset[tuple[str, str]], always_present: frozenset[str]
) -> ShapeChanges:
    """Compare a shape with the fields known so far, and with those that were always present."""
    known_paths = {path for path, _ in known}
    new = sorted(shape.fields - known)
    present = shape.paths
    absent = (
        frozenset(path for path in always_present if not _is_covered(path, present, shape.empty))
        if shape.is_complete
        else frozenset[str]()
    )
    return ShapeChanges(
        appeared=tuple(pair for pair in new if pair[0] not in known_paths),
        retyped=tuple(pair for pair in new if pair[0] in known_paths),
        missing=tuple(sorted({_topmost_absent(path, present) for path in absent})),
        missing_fields=absent,
    )


def _is_covered(path: str, present: frozenset[str], empty: frozenset[str]) -> bool:
    return path in present or any(parent in empty for parent in parent_paths(path))


def _topmost_absent(path: str, present: frozenset[str]) -> str:
    """The outermost parent of which no field is present; the path itself if there is none."""
    for parent in parent_paths(path):
        if not any(other.startswith((f"{parent}.", f"{parent}[")) for other in present):
            return parent
    return path


def parent_paths(path: str) -> list[str]:
    """Return the paths of the objects and lists around a field, from the outside."""
    ends = [match.start() for match in re.finditer(r"\.|\[\]", path)]
    return [path[:end] for end in ends if end]
