"""The single values of a raw document, each with its path and its position in the text."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.sdk.payload import PayloadError
from connectors.sdk.x12_segments import detect_delimiters

JSON_TOKEN = re.compile(
    r'[\s\x1e]*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<bare>-?\d[\d.eE+-]*|true|false|null)'
    r"|(?P<sign>[\[\]{},:]))",
    re.DOTALL,
)
DELIMITERS = ",;\t|"
DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class RawField:
    """One value: its path, its content, and where the content is in the text.

    `is_json_text`: the content is written as a JSON string.
    """

    path: str
    value: str
    start: int
    end: int
    is_json_text: bool = False

    def replaced_in(self, text: str, value: str) -> str:
        """The text with another content of this field."""
        written = json.dumps(value)[1:-1] if self.is_json_text else value
        return text[: self.start] + written + text[self.end :]


def raw_fields(text: str) -> list[RawField]:
    """The values of a JSON document, of JSON lines, of an X12 file or of a table; else none."""
    beginning = text.lstrip("\ufeff \t\r\n")
    at = len(text) - len(beginning)
    if beginning[:1] in {"{", "["}:
        return _without_duplicates(_json_fields(text, at))
    if beginning[:2] in {"GS", "ST"} or beginning[:3] == "ISA":
        return list(_x12_fields(text, at))
    if beginning[:1] == "<":
        return []  # XML
    return list(_table_fields(text, at))


def other_contents(value: str) -> list[str]:
    """Other values of the same kind: what a connector makes of the field changes with them."""
    if value in {"true", "false"}:
        return ["false" if value == "true" else "true"]
    if DATE.match(value):
        day = "02" if value[8:10] == "01" else "01"
        return [value[:8] + day + value[10:]]
    positions = [at for at, character in enumerate(value) if character.isalnum()]
    if not positions:
        return []
    last, first = positions[-1], positions[0]
    ways = [(last, 1), (last, -1), (first, 1)]
    texts = [value[:at] + _neighbor(value[at], step) + value[at + 1 :] for at, step in ways]
    return list(dict.fromkeys(text for text in texts if text != value))


def _neighbor(character: str, step: int) -> str:
    if character.isascii() and character.isdigit():
        return str((int(character) + step) % 10)
    if not character.isascii():
        return "x"
    moved = chr(ord(character) + step)
    return moved if moved.isalpha() else chr(ord(character) - step)


def _json_fields(text: str, at: int) -> Iterator[RawField]:
    """Walk the tokens without building the document. Invalid JSON ends the walk."""
    stack: list[str | int] = []  # the key or the index at each depth
    is_object: list[bool] = []
    is_key, documents = False, 0
    while token := JSON_TOKEN.match(text, at):
        at = token.end()
        sign, content = token["sign"], token["text"] or token["bare"]
        if sign in {"{", "["}:
            documents += not stack
            stack.append("" if sign == "{" else 0)
            is_object.append(sign == "{")
            is_key = sign == "{"
        elif sign in {"}", "]"}:
            if not stack:
                return
            stack.pop()
            is_object.pop()
        elif sign == ",":
            is_key = bool(is_object) and is_object[-1]
            if is_object and not is_key:
                stack[-1] = int(stack[-1]) + 1
        elif content and is_key:
            stack[-1], is_key = _decoded(content), False
        elif content and content != "null" and stack:
            is_text = token["text"] is not None
            end = at - is_text
            value = _decoded(content) if is_text else content
            prefix = f"document {documents}: " if documents > 1 else ""
            start = at - len(content) + is_text
            yield RawField(prefix + _path(stack), value, start, end, is_text)


def _without_duplicates(fields: Iterator[RawField]) -> list[RawField]:
    return list({field.path: field for field in fields}.values())


def _decoded(content: str) -> str:
    try:
        return str(json.loads(content, strict=False))
    except ValueError:
        return content[1:-1]


def _path(keys: list[str | int]) -> str:
    """The path as errors name it, such as `order.lines[2].sku`."""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in keys).removeprefix(".")


def _x12_fields(text: str, at: int) -> Iterator[RawField]:
    try:
        element, terminator = detect_delimiters(text, at)
    except PayloadError:
        return
    for number, segment in enumerate(_pieces(text, at, terminator), start=1):
        tag = ""
        for position, (start, end) in enumerate(_pieces_of(text, *segment, element)):
            value = text[start:end].strip()
            if position == 0:
                tag = value
            elif value:
                yield RawField(f"segment {number} {tag}{position:02}", value, start, end)


def _table_fields(text: str, at: int) -> Iterator[RawField]:
    """The cells below a header. Only the usual delimiters and double quotes are known."""
    (first_start, first_end), *lines = _pieces(text, at, "\n")
    header = text[first_start:first_end].rstrip("\r")
    delimiter = max(DELIMITERS, key=header.count)
    if delimiter not in header:
        return
    columns = [name.strip(' "\ufeff') for name in header.split(delimiter)]
    for number, (start, end) in enumerate(lines, start=2 + text.count("\n", 0, at)):
        cells = list(_pieces_of(text, start, end, delimiter))
        if len(cells) != len(columns):
            continue  # a delimiter or a line end inside quotes
        for name, (first, last) in zip(columns, cells, strict=True):
            content = text[first:last]
            value = content.strip(' "\r')
            if value:
                begin = first + content.index(value)
                yield RawField(f"line {number}.{name}", value, begin, begin + len(value))


def _pieces(text: str, at: int, separator: str) -> Iterator[tuple[int, int]]:
    yield from _pieces_of(text, at, len(text), separator)


def _pieces_of(text: str, start: int, end: int, separator: str) -> Iterator[tuple[int, int]]:
    while (at := text.find(separator, start, end)) >= 0:
        yield start, at
        start = at + len(separator)
    yield start, end
