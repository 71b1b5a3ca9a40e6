"""Changed copies of a sample: members and segments dropped, repeated, retyped or damaged.

Each copy has one to three changes. A document is changed as a tree, and its text as well. The
given random numbers choose everything, so a seed repeats a run.
"""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

# Replacements of a value of a JSON document.
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    -12.5,
    0.5,
    10**9,
    10**20,
    float("nan"),
    float("inf"),
    "",
    " ",
    "NaN",
    "-Infinity",
    "1e400",
    "1E15",
    "-3",
    "1_000",
    "٣",
    "\0x",
    "\ud800",
    "a\u202eb\u200b",
    "Ж́" * 9,
    "\x1b[31m\r\n",
    "x" * 300_000,
    "y" * 600,
    "2026-02-30",
    "1969-12-31T23:59:59Z",
    "1999-12-31",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01",
    "2026-06-01T25:61:00",
    "/Date(-62135596800000)/",
    [],
    {},
    [7],
    [None],
    [[]],
    {"x": 1},
    {"value": {"value": []}},
)
# Replacements of the content of an XML element, a cell or an EDI element.
TEXTS = tuple(
    text
    for text in (*(value for value in VALUES if isinstance(value, str)), "-1", "0", "99999999999")
    if "\ud800" not in text and len(text) < 1000
)
# Bytes that are set into the text of any format.
SNIPPETS = (
    *(b"", b" ", b"\n", b"\r", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\x1a", b"\x85"),
    *(b'"', b"'", b";", b",", b"\t", b"|", b"*", b"~", b"+", b":", b"?", b"^"),
    *(b"{", b"}", b"[", b"]", b"<", b"</", b"/>", b"<x>", b"&x;", b"&#0;", b"<!DOCTYPE x>"),
    *(b"9" * 40, b"-", b"NaN", b"1e9", b"2026-13-99", b"000000", "\u202e".encode(), b"A" * 5000),
)
MAX_CHANGES = 3
DEEP = 3000


def changed_copies(body: bytes, count: int, chance: random.Random) -> Iterator[bytes]:
    """Yield so many changed copies of a JSON, XML, EDI, CSV or fixed-width payload."""
    document = _json_document(body)
    members = [] if document is None else list(_walk_members(document))
    chance.shuffle(members)
    for number in range(count):
        if members and number % 4:
            yield _with_changed_members(document, members, number, chance)
        elif members and number % 8 == 4:
            yield _reshaped(document, body, chance)
        else:
            yield _changed_text(body, chance)


def _json_document(body: bytes) -> Any:
    """The document to change; None if the payload is no JSON object or list."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict | list) else None


def _walk_members(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _walk_members(inner)


def _with_changed_members(
    document: Any, members: list[tuple[Any, Any]], number: int, chance: random.Random
) -> bytes:
    """Change some members, write the document, and restore it. Every member has its turn first."""
    chosen = [members[number % len(members)]]
    chosen += [chance.choice(members) for _ in range(chance.randrange(MAX_CHANGES))]
    before = [(holder, holder.copy()) for holder, _ in chosen]
    for holder, key in chosen:
        if isinstance(holder, dict) and key in holder:
            _change_member(holder, key, chance)
        elif isinstance(holder, list) and key < len(holder):
            _change_element(holder, key, chance)
    try:
        return json.dumps(document).encode()
    finally:
        for holder, copy in reversed(before):
            holder.clear()
            holder.update(copy) if isinstance(holder, dict) else holder.extend(copy)


def _change_member(holder: dict[str, Any], key: str, chance: random.Random) -> None:
    action = chance.random()
    if action < 0.25:
        del holder[key]
    elif action < 0.35:
        holder["an unknown key"] = {"of": ["any", {"shape": 1}]}
    elif action < 0.4:
        holder[key.upper() if key.upper() != key else key.lower()] = holder.pop(key)
    elif action < 0.5:
        holder[key] = _retyped(holder[key])
    else:
        holder[key] = chance.choice(VALUES)


def _change_element(holder: list[Any], index: int, chance: random.Random) -> None:
    action = chance.random()
    if action < 0.2:
        del holder[index]
    elif action < 0.4:
        holder.insert(index, holder[index])
    elif action < 0.5:
        holder.reverse()
    elif action < 0.6:
        holder[index] = _retyped(holder[index])
    else:
        holder[index] = chance.choice(VALUES)


def _retyped(value: Any) -> Any:
    """The same content as another type, as systems do between versions of their API."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() else [value]
    return [value] if isinstance(value, dict) else dict(enumerate(map(str, value)))


def _reshaped(document: Any, body: bytes, chance: random.Random) -> bytes:
    """The document in a list, in an object, twice, or with a duplicate key or deep nesting."""
    shapes = (
        lambda: json.dumps([document, document]).encode(),
        lambda: json.dumps({"data": document}).encode(),
        lambda: json.dumps([document, None, 7, "x", []]).encode(),
        lambda: body + b"\n" + body,
        lambda: body.replace(b"{", b'{"id": 1, "id": 2, ', 1),
        lambda: body.replace(b":", b":" + b"[" * DEEP + b"]" * DEEP + b', "deep":', 1),
        lambda: body.replace(b":", b":" + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b', "deep":', 1),
    )
    return chance.choice(shapes)()


def _changed_text(body: bytes, chance: random.Random) -> bytes:
    """Change the text of a payload of any format."""
    changes = (
        _with_snippets,
        _with_changed_segments,
        _with_changed_segments,
        _with_changed_fields,
        _with_changed_fields,
        _with_changed_fields,
        _truncated,
        _in_another_encoding,
    )
    return chance.choice(changes)(body, chance)


def _with_snippets(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, MAX_CHANGES)):
        start = chance.randrange(len(changed) + 1)
        changed[start : start + chance.choice((0, 1, 3))] = chance.choice(SNIPPETS)
    return bytes(changed)


def _with_changed_segments(body: bytes, chance: random.Random) -> bytes:
    """Drop, repeat, swap or insert segments, lines or elements."""
    separator = _segment_separator(body)
    segments = body.split(separator)
    for _ in range(chance.randint(1, MAX_CHANGES)):
        first, second = chance.randrange(len(segments)), chance.randrange(len(segments))
        action = chance.randrange(4)
        if action == 0 and len(segments) > 1:
            del segments[first]
        elif action == 1:
            segments.insert(first, segments[second])
        elif action == 2:
            segments[first], segments[second] = segments[second], segments[first]
        else:
            segments[first : first + 1] = [segments[first]] * chance.choice((2, 50))
    return separator.join(segments)


def _segment_separator(body: bytes) -> bytes:
    if body.lstrip().startswith(b"ISA") and len(body.lstrip()) > 105:
        return body.lstrip()[105:106]
    for separator in (b"'", b"~"):
        if body.count(separator) > 5 and not body.lstrip().startswith((b"<", b"{", b"[")):
            return separator
    return b"><" if body.count(b"><") > 3 else b"\n"


def _with_changed_fields(body: bytes, chance: random.Random) -> bytes:
    """Replace the content between two delimiters, whatever the format delimits with."""
    text = body.decode("utf-8", "surrogateescape")
    spans = [match.span() for match in re.finditer(r"[^<>*~+:'\"|;,\n\t{}\[\]]+", text)]
    for _ in range(min(len(spans), chance.randint(1, MAX_CHANGES))):
        start, end = chance.choice(spans)
        if end <= len(text):
            text = text[:start] + chance.choice(TEXTS) + text[end:]
    return text.encode("utf-8", "surrogateescape")


def _truncated(body: bytes, chance: random.Random) -> bytes:
    cut = chance.randrange(len(body) + 1)
    return body[:cut] if chance.random() < 0.7 else body[cut:]


def _in_another_encoding(body: bytes, chance: random.Random) -> bytes:
    text = body.decode("utf-8", "replace")
    charset = chance.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "cp500", "utf-8-sig"))
    if chance.random() < 0.5:
        text = text.replace("e", "é", 3)
    return text.encode(charset, "replace")
