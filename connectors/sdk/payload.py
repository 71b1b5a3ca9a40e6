"""Typed access to untrusted JSON. Errors carry the path, the reason and the expected type."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NoReturn

from connectors.sdk.read_paths import recording

# PostgreSQL text columns accept neither NUL nor lone surrogates.
UNSTORABLE_CHARACTERS = re.compile("[\x00\ud800-\udfff]")
MAX_DEPTH = 64
MAX_KEYS = 50_000
MAX_STRING = 262_144
MAX_DIGITS = 30
# Up to this length a number needs no further checks.
FAST_PATH_DIGITS = 15
MAX_EXPONENT = 15


class ParkReason(StrEnum):
    """Why a message was parked."""

    EMPTY = "empty"
    ENCODING = "encoding"
    SYNTAX = "syntax"
    DEPTH = "depth"
    SIZE = "size"
    NUMBER = "number"
    TIMESTAMP = "timestamp"
    SCHEMA = "schema"
    VERSION = "version"
    MAPPING = "mapping"
    IDENTIFIER = "identifier"
    REFERENCE = "reference"
    QUANTITY = "quantity"
    MEDIA = "media"
    EDI_ENVELOPE = "edi_envelope"
    DOCUMENT_REJECTED = "document_rejected"
    CONFLICT = "conflict"
    JOIN_TOO_LARGE = "join_too_large"
    CRASH = "crash"
    SOURCE = "source"
    BODY_REMOVED = "body_removed"


class PayloadError(ValueError):
    """The payload is invalid: `reason`, the `path` of the value, and a `detail` for people."""

    def __init__(self, reason: ParkReason, path: str, detail: str) -> None:
        super().__init__(
            f"{reason.value}: {path}: {detail}" if path else f"{reason.value}: {detail}"
        )
        self.reason = reason
        self.path = path
        self.detail = detail


def parse_decimal(value: object, path: str) -> Decimal:
    """Parse a finite decimal: at most 30 digits, exponent between -30 and 15, no separators.

    Raises PayloadError.
    """
    text = str(value).strip()
    if len(text) <= FAST_PATH_DIGITS and text.isascii() and text.isdecimal():
        return Decimal(text)
    try:
        result = Decimal(text)
    except InvalidOperation:
        raise PayloadError(ParkReason.NUMBER, path, f"{text[:40]!r} is not a number") from None
    # Decimal() accepts non-ASCII digits and underscores. No system sends them on purpose.
    if not result.is_finite() or "_" in text or not text.isascii():
        raise PayloadError(ParkReason.NUMBER, path, f"{text[:40]!r} is not a finite number")
    _, digits, exponent = result.as_tuple()
    if len(digits) > MAX_DIGITS or not -MAX_DIGITS <= int(exponent) <= MAX_EXPONENT:
        raise PayloadError(ParkReason.NUMBER, path, f"{text[:40]!r} has too many digits")
    return result


def load_json(body: bytes, *, max_keys: int = MAX_KEYS) -> "Node":
    """Parse `body` as a single JSON document. Numbers stay exact; a duplicate key is an error.

    Raises PayloadError with reason empty, encoding, syntax, depth, size or number. NUL and lone
    surrogates become U+FFFD, because PostgreSQL cannot store them; see `Node.was_sanitized`.
    """
    if not body.strip():
        raise PayloadError(ParkReason.EMPTY, "", "the body is empty")
    if b"\0" in body[:4]:
        raise PayloadError(ParkReason.ENCODING, "", "UTF-16 or UTF-32, not UTF-8")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(ParkReason.ENCODING, "", f"not UTF-8 at byte {error.start}") from None
    _check_depth(text)
    keys = 0

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(items)
        if keys > max_keys:
            raise PayloadError(ParkReason.SIZE, "", f"more than {max_keys} keys")
        members = dict(items)
        if len(members) != len(items):
            raise PayloadError(ParkReason.SYNTAX, "", "duplicate key in an object")
        return members

    def constant(name: str) -> NoReturn:
        raise PayloadError(ParkReason.NUMBER, "", f"{name} is not a JSON number")

    def exact(digits: str) -> Decimal:
        return parse_decimal(digits, "")

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_float=exact,
            parse_int=exact,
            parse_constant=constant,
        )
    except json.JSONDecodeError as error:
        position = f"line {error.lineno} column {error.colno}"
        raise PayloadError(ParkReason.SYNTAX, "", f"{error.msg} at {position}") from None
    return Node(recording(value), "", [False])


def _check_depth(text: str) -> None:
    """Reject deep nesting up front; json.loads would raise RecursionError."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth, inside, escaped = 0, False, False
    for char in text:
        if inside:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise PayloadError(ParkReason.DEPTH, "", f"nested deeper than {MAX_DEPTH}")
        elif char in "]}":
            depth -= 1


def _is_storable_ascii(text: str) -> bool:
    """Fast path: whether a text needs neither cleaning nor a length error."""
    return text.isascii() and "\0" not in text and len(text) <= MAX_STRING


class Node:
    """A value of a JSON document with its path. Typed getters raise PayloadError on a mismatch."""

    __slots__ = ("_location", "_sanitized", "value")

    def __init__(
        self, value: Any, location: "str | tuple[Node, str | int]", sanitized: list[bool]
    ) -> None:
        self.value = value
        self._location = location
        self._sanitized = sanitized  # shared by all nodes of the document

    @property
    def path(self) -> str:
        """The path, such as `order.lines[2].sku`. It is built on access because few are needed."""
        if isinstance(self._location, str):
            return self._location
        parent, key = self._location
        if isinstance(key, int):
            return f"{parent.path}[{key}]"
        return f"{parent.path}.{key}" if parent.path else key

    @property
    def was_sanitized(self) -> bool:
        """Whether characters were replaced in any text of the document read so far."""
        return self._sanitized[0]

    def _raise_type_mismatch(self, expected: str) -> NoReturn:
        got = "nothing" if self.value is None else type(self.value).__name__
        names = {
            "dict": "an object",
            "list": "a list",
            "str": "text",
            "Decimal": "a number",
            "bool": "true or false",
            "XmlElement": "an element with elements",
        }
        raise PayloadError(
            ParkReason.SCHEMA, self.path or "$", f"expected {expected}, got {names.get(got, got)}"
        )

    def get(self, key: str) -> "Node":
        """Return the member `key`. Its value is None if the key is absent."""
        if not isinstance(self.value, dict):
            self._raise_type_mismatch("an object")
        return Node(self.value.get(key), (self, key), self._sanitized)

    def has_value(self, key: str) -> bool:
        """Whether `key` is present and not null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def required_object(self, key: str) -> "Node":
        """Return the object at `key`. Raises PayloadError if there is none."""
        node = self.get(key)
        if not isinstance(node.value, dict):
            node._raise_type_mismatch("an object")
        return node

    def list_at(self, key: str) -> "list[Node]":
        """Return the list at `key`; empty if absent or null."""
        if isinstance(self.value, dict) and self.value.get(key) is None:
            return []
        return self.get(key).as_list()

    def as_list(self) -> "list[Node]":
        """Return this value as a list; empty for null."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self._raise_type_mismatch("a list")
        return [Node(item, (self, index), self._sanitized) for index, item in enumerate(self.value)]

    def keys(self) -> Iterator[str]:
        """Return the keys of this object."""
        if not isinstance(self.value, dict):
            self._raise_type_mismatch("an object")
        return iter(self.value)

    def text_at(self, key: str, default: str = "") -> str:
        """Return trimmed text at `key`, or `default` if absent. A number keeps its exact digits."""
        if isinstance(self.value, dict):
            value = self.value.get(key)
            if value is None:
                return default
            if isinstance(value, str) and _is_storable_ascii(value):
                return value.strip()
        return self.get(key).as_text(default)

    def required_text(self, key: str) -> str:
        """Return trimmed text at `key`. Raises PayloadError if it is absent or blank."""
        node = self.get(key)
        text = node.as_text("")
        if not text:
            node._raise_type_mismatch("text")
        return text

    def as_text(self, default: str = "") -> str:
        """Return this value as trimmed text, or `default` for null."""
        value = self.value
        if value is None:
            return default
        if isinstance(value, Decimal):
            return format(value, "f")
        if not isinstance(value, str):
            self._raise_type_mismatch("text")
        if _is_storable_ascii(value):
            return value.strip()
        if len(value) > MAX_STRING:
            raise PayloadError(
                ParkReason.SIZE, self.path, f"text longer than {MAX_STRING} characters"
            )
        return self._replace_unstorable(value).strip()

    def _replace_unstorable(self, value: str) -> str:
        cleaned, count = UNSTORABLE_CHARACTERS.subn("�", value)
        if count:
            self._sanitized[0] = True
        return cleaned

    def decimal_at(self, key: str) -> Decimal | None:
        """Return the exact number at `key` (JSON number or text); None if absent or blank."""
        if isinstance(self.value, dict):
            value = self.value.get(key)
            if value is None or value == "":
                return None
            if isinstance(value, Decimal):
                return value  # already checked by load_json
        node = self.get(key)
        if not isinstance(node.value, str):
            node._raise_type_mismatch("a number")
        try:
            return parse_decimal(node.value, "")
        except PayloadError as error:
            raise PayloadError(error.reason, node.path, error.detail) from None

    def boolean_at(self, key: str) -> bool:
        """Return True for true, 1, "1", "true"; False for false, 0, "", "0", "false" or absent."""
        node = self.get(key)
        text = str(node.value).strip().lower()
        if text in {"true", "1"}:
            return True
        if text in {"false", "0", "none", ""}:
            return False
        return node._raise_type_mismatch("true or false")
