"""The payload of a message for display, with the place of the error that parked it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.sdk.payload import UNSTORABLE_CHARACTERS

# As `PayloadError` writes it: `order.lines[2].sku: expected text, got nothing`.
PATH = re.compile(r"(\$|[^\s:]+): ")
POSITION = re.compile(r"line (\d+) column (\d+)")
MARKED_CHARACTERS = 24


@dataclass(frozen=True, slots=True)
class MarkedText:
    """Text before, at and after the error. `marked` is empty if the place is not known."""

    before: str
    marked: str = ""
    after: str = ""

    @property
    def line(self) -> int:
        """The number of the marked line, from 1."""
        return self.before.count("\n") + 1


def format_json_and_highlight_error(text: str, detail: str) -> MarkedText | None:
    """Indent a JSON document, and mark the line that the detail of the error names.

    None if the text is no JSON. Numbers stay as they were sent. Lone surrogates become U+FFFD, as
    in the detail: UTF-8 cannot encode them.
    """
    try:
        value = json.loads(text, parse_float=Decimal)
        lines = [
            (UNSTORABLE_CHARACTERS.sub("\ufffd", path), UNSTORABLE_CHARACTERS.sub("\ufffd", line))
            for path, line in _lines_with_paths(value, "", "", "")
        ]
    except (ValueError, RecursionError):
        return None
    error_path = PATH.match(detail)
    index = _index_of_path(lines, error_path[1]) if error_path else None
    shown = [line for _, line in lines]
    if index is None:
        return MarkedText("\n".join(shown))
    before, after = shown[:index], shown[index + 1 :]
    return MarkedText(
        "".join(f"{line}\n" for line in before),
        shown[index],
        "".join(f"\n{line}" for line in after),
    )


def highlight_position(text: str, detail: str) -> MarkedText:
    """Mark the characters at the line and column that the detail of the error names."""
    position = POSITION.search(detail)
    if position is None:
        return MarkedText(text)
    lines = text.split("\n")
    line, column = int(position[1]), int(position[2])
    if line > len(lines):
        return MarkedText(text)
    at = min(sum(len(each) + 1 for each in lines[: line - 1]) + column - 1, len(text))
    # At the end of a truncated document only what comes before can be highlighted.
    start = at if text[at:].strip() else max(at - MARKED_CHARACTERS, 0)
    end = start + MARKED_CHARACTERS
    return MarkedText(text[:start], text[start:end], text[end:])


def _index_of_path(lines: list[tuple[str, str]], path: str) -> int | None:
    """The line of the value with this path, or of the nearest value that contains it."""
    indexes: dict[str, int] = {}
    for index, (line_path, _) in enumerate(lines):
        indexes.setdefault(line_path, index)
    wanted = "" if path == "$" else path
    while wanted not in indexes:
        cut = max(wanted.rfind("."), wanted.rfind("["))
        if cut < 0:
            return None
        wanted = wanted[:cut]
    return indexes[wanted] if wanted or path == "$" else None


def _lines_with_paths(
    value: Any, path: str, indent: str, prefix: str, suffix: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield (path, line) of an indented JSON value."""
    if isinstance(value, dict) and value:
        members = [
            (f"{path}.{key}" if path else key, f"{json.dumps(key, ensure_ascii=False)}: ", member)
            for key, member in value.items()
        ]
        brackets = "{}"
    elif isinstance(value, list) and value:
        members = [(f"{path}[{index}]", "", member) for index, member in enumerate(value)]
        brackets = "[]"
    else:
        literal = (
            str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
        )
        yield path, f"{indent}{prefix}{literal}{suffix}"
        return
    yield path, f"{indent}{prefix}{brackets[0]}"
    for number, (member_path, member_prefix, member) in enumerate(members, start=1):
        comma = "," if number < len(members) else ""
        yield from _lines_with_paths(member, member_path, f"{indent}  ", member_prefix, comma)
    yield path, f"{indent}{brackets[1]}{suffix}"
