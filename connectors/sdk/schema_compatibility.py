"""Whether a changed JSON Schema still accepts, and still uses, what senders send today.

The check is for producers: a document that was valid must stay valid, and a member that had an
effect must keep it. It knows the keywords that the schemas of this package use.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Keywords that no sender depends on.
DESCRIPTIVE = frozenset(
    {"$schema", "$id", "title", "description", "examples", "default", "x-use", "format"}
)
# Of these, the greater limit (or the smaller) accepts less.
LOWER_LIMITS = ("minLength", "minItems", "minimum")
UPPER_LIMITS = ("maxLength", "maxItems", "maximum")
MAPPINGS = ("properties", "$defs")
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A change at a path of a schema. If it `is_breaking`, it needs a new version."""

    path: str
    text: str
    is_breaking: bool

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


def compare_schemas(old: Schema, new: Schema, path: str = "") -> list[SchemaChange]:
    """Return what changed from the old schema to the new one, without changed descriptions."""
    return list(_changes(old, new, path))


def _changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    yield from _member_changes(old, new, path)
    yield from _required_changes(old, new, path)
    yield from _type_changes(old, new, path)
    yield from _limit_changes(old, new, path)
    yield from _alternative_changes(old, new, path)
    if old.get("x-use") != new.get("x-use") and "x-use" in old:
        is_breaking = new.get("x-use") != "used"
        yield SchemaChange(path, f"{old['x-use']}, now {new.get('x-use')}", is_breaking)
    if isinstance(old.get("items"), Mapping) and isinstance(new.get("items"), Mapping):
        yield from _changes(old["items"], new["items"], f"{path}[]")
    known = {
        *DESCRIPTIVE,
        *MAPPINGS,
        *LOWER_LIMITS,
        *UPPER_LIMITS,
        *("required", "type", "enum", "const", "anyOf", "items"),
    }
    for keyword in sorted((old.keys() | new.keys()) - known):
        if old.get(keyword) != new.get(keyword):
            # Without `additionalProperties`, `pattern` and others, more is accepted.
            yield SchemaChange(path, f"{keyword} changed", keyword in new)


def _member_changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    for keyword in MAPPINGS:
        before, after = old.get(keyword, {}), new.get(keyword, {})
        for name in sorted(before.keys() | after.keys()):
            below = f"{path}.{name}" if path else name
            if name not in after:
                yield SchemaChange(below, "removed", True)
            elif name not in before:
                yield SchemaChange(below, "added", False)
            else:
                yield from _changes(before[name], after[name], below)


def _required_changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(after - before):
        yield SchemaChange(f"{path}.{name}" if path else name, "now required", True)
    for name in sorted(before - after):
        yield SchemaChange(f"{path}.{name}" if path else name, "no longer required", False)


def _type_changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    for keyword, noun in (("type", "types"), ("enum", "values"), ("const", "values")):
        if old.get(keyword) == new.get(keyword):
            continue
        before, after = _values(old, keyword), _values(new, keyword)
        if before is None or (after is not None and before - after):
            fewer = "any" if before is None else ", ".join(sorted(before - (after or set())))
            yield SchemaChange(path, f"{noun} no longer accepted: {fewer}", True)
        if before is not None and (after is None or after - before):
            more = "any" if after is None else ", ".join(sorted(after - before))
            yield SchemaChange(path, f"{noun} newly accepted: {more}", False)


def _values(schema: Schema, keyword: str) -> set[str] | None:
    """The accepted values as text; None if the keyword does not limit them."""
    if keyword not in schema:
        return None
    value = schema[keyword]
    return {str(each) for each in value} if isinstance(value, list) else {str(value)}


def _limit_changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    for keywords, sign in ((LOWER_LIMITS, 1), (UPPER_LIMITS, -1)):
        for keyword in keywords:
            before, after = old.get(keyword), new.get(keyword)
            if before == after:
                continue
            is_breaking = after is not None and (before is None or sign * (after - before) > 0)
            yield SchemaChange(path, f"{keyword} {before} is now {after}", is_breaking)


def _alternative_changes(old: Schema, new: Schema, path: str) -> Iterator[SchemaChange]:
    """Alternatives are compared in their order; an alternative may be added at the end."""
    before, after = old.get("anyOf"), new.get("anyOf")
    if before == after:
        return
    if before is None:
        yield SchemaChange(path, "at least one of several members or types is now required", True)
    elif after is None:
        yield SchemaChange(path, "no alternatives are required any more", False)
    elif all(set(each) == {"required"} for each in (*before, *after)):
        missing = [_names(each) for each in before if each not in after]
        added = [_names(each) for each in after if each not in before]
        if missing:
            yield SchemaChange(path, f"no longer sufficient: {', '.join(missing)}", True)
        if added:
            yield SchemaChange(path, f"newly sufficient: {', '.join(added)}", False)
    else:
        for number, (first, second) in enumerate(zip(before, after, strict=False)):
            yield from _changes(first, second, path or f"alternative {number + 1}")
        if len(after) < len(before):
            yield SchemaChange(path, "an alternative was removed", True)
        elif len(after) > len(before):
            yield SchemaChange(path, "an alternative was added", False)


def _names(alternative: Schema) -> str:
    return " with ".join(alternative["required"])
