"""Typed access to untrusted data: what fails names its path, its reason and what was expected."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NoReturn

# What no text column takes: NUL, and halves of surrogate pairs.
UNFIT = re.compile("[\x00\ud800-\udfff]")
MAX_DEPTH = 64
MAX_KEYS = 50_000
MAX_STRING = 262_144
MAX_DIGITS = 30
# So many digits need no second look.
PLAIN_DIGITS = 15
MAX_EXPONENT = 15


class Reason(StrEnum):
    """Why a message was parked."""

    EMPTY = "empty"
    ENCODING = "encoding"
    SYNTAX = "syntax"
    DEPTH = "depth"
    SIZE = "size"
    NUMBER = "number"
    TIMESTAMP = "timestamp"
    SCHEMA = "schema"
    MAPPING = "mapping"
    IDENTIFIER = "identifier"
    REFERENCE = "reference"
    QUANTITY = "quantity"
    UNIT = "unit"
    CURRENCY = "currency"
    MEDIA = "media"
    XML_FORBIDDEN = "xml_forbidden"
    EDI_ENVELOPE = "edi_envelope"
    CONFLICT = "conflict"
    JOIN_TOO_LARGE = "join_too_large"
    RULE_ERROR = "rule_error"
    TIMEOUT = "timeout"
    CRASH = "crash"


class PayloadError(ValueError):
    """The payload can't be read: `reason`, the `path` of the value, and a sentence for a person."""

    def __init__(self, reason: Reason, path: str, detail: str) -> None:
        super().__init__(
            f"{reason.value}: {path}: {detail}" if path else f"{reason.value}: {detail}"
        )
        self.reason = reason
        self.path = path
        self.detail = detail


def number(value: object, path: str) -> Decimal:
    """A finite decimal: at most 30 digits and decimals, 15 zeros behind; commas are not read."""
    text = str(value).strip()
    if len(text) <= PLAIN_DIGITS and text.isascii() and text.isdecimal():
        return Decimal(text)
    try:
        result = Decimal(text)
    except InvalidOperation:
        raise PayloadError(Reason.NUMBER, path, f"{text[:40]!r} is not a number") from None
    # Python reads digits of every script, and a line of them between; no system means those.
    if not result.is_finite() or "_" in text or not text.isascii():
        raise PayloadError(Reason.NUMBER, path, f"{text[:40]!r} is not a finite number")
    _, digits, exponent = result.as_tuple()
    if len(digits) > MAX_DIGITS or not -MAX_DIGITS <= int(exponent) <= MAX_EXPONENT:
        raise PayloadError(Reason.NUMBER, path, f"{text[:40]!r} has too many digits")
    return result


def load_json(body: bytes, *, max_keys: int = MAX_KEYS) -> "Node":
    """The one JSON document of `body`. Numbers stay exact; a repeated key is an error.

    Raises PayloadError with `empty encoding syntax depth size number`. NUL and lone surrogates
    become U+FFFD (PostgreSQL keeps neither) and `Node.sanitised` says so.
    """
    if not body.strip():
        raise PayloadError(Reason.EMPTY, "", "the body is empty")
    if b"\0" in body[:4]:
        raise PayloadError(Reason.ENCODING, "", "UTF-16 or UTF-32, not UTF-8")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(Reason.ENCODING, "", f"not UTF-8 at byte {error.start}") from None
    _check_depth(text)
    keys = 0

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(items)
        if keys > max_keys:
            raise PayloadError(Reason.SIZE, "", f"more than {max_keys} keys")
        found = dict(items)
        if len(found) != len(items):
            raise PayloadError(Reason.SYNTAX, "", "a key stands twice in one object")
        return found

    def constant(word: str) -> NoReturn:
        raise PayloadError(Reason.NUMBER, "", f"{word} is not a JSON number")

    def exact(digits: str) -> Decimal:
        return number(digits, "")

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_float=exact,
            parse_int=exact,
            parse_constant=constant,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise PayloadError(Reason.SYNTAX, "", f"{error.msg} at {where}") from None
    return Node(value, "", [False])


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser sees it: it would raise RecursionError."""
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
                raise PayloadError(Reason.DEPTH, "", f"nested deeper than {MAX_DEPTH}")
        elif char in "]}":
            depth -= 1


def _plain(text: str) -> bool:
    """Whether nothing has to be looked at twice: what almost all texts are."""
    return text.isascii() and "\0" not in text and len(text) <= MAX_STRING


class Node:
    """A value of a JSON document and its path. Reading asks for a type: that, or PayloadError."""

    __slots__ = ("_dirty", "_place", "value")

    def __init__(
        self, value: Any, place: "str | tuple[Node, str | int]", dirty: list[bool]
    ) -> None:
        self.value = value
        self._place = place
        self._dirty = dirty  # one mark for the whole document

    @property
    def path(self) -> str:
        """Where it stands, such as `order.lines[2].sku`; put together only when it is asked for."""
        if isinstance(self._place, str):
            return self._place
        above, key = self._place
        if isinstance(key, int):
            return f"{above.path}[{key}]"
        return f"{above.path}.{key}" if above.path else key

    @property
    def sanitised(self) -> bool:
        """Whether any text read so far had characters that had to be replaced."""
        return self._dirty[0]

    def _fail(self, expected: str) -> NoReturn:
        got = "nothing" if self.value is None else type(self.value).__name__
        names = {"dict": "an object", "list": "a list", "str": "text", "Decimal": "a number"}
        raise PayloadError(
            Reason.SCHEMA, self.path or "$", f"expected {expected}, got {names.get(got, got)}"
        )

    def at(self, key: str) -> "Node":
        """The member `key`; its value is None where it is absent."""
        if not isinstance(self.value, dict):
            self._fail("an object")
        return Node(self.value.get(key), (self, key), self._dirty)

    def has(self, key: str) -> bool:
        """Whether `key` is there with a value other than null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def child(self, key: str) -> "Node":
        """The object at `key`; it must be there."""
        node = self.at(key)
        if not isinstance(node.value, dict):
            node._fail("an object")
        return node

    def items(self, key: str) -> "list[Node]":
        """The list at `key`, empty where it is absent or null."""
        if isinstance(self.value, dict) and self.value.get(key) is None:
            return []
        return self.at(key).elements()

    def elements(self) -> "list[Node]":
        """This value as a list, empty for null."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self._fail("a list")
        return [Node(item, (self, index), self._dirty) for index, item in enumerate(self.value)]

    def keys(self) -> Iterator[str]:
        """The member names of this object."""
        if not isinstance(self.value, dict):
            self._fail("an object")
        return iter(self.value)

    def text(self, key: str, default: str = "") -> str:
        """Text at `key`, trimmed; a number is given as its exact digits; `default` if absent."""
        if isinstance(self.value, dict):
            value = self.value.get(key)
            if value is None:
                return default
            if isinstance(value, str) and _plain(value):
                return value.strip()
        return self.at(key).as_text(default)

    def need(self, key: str) -> str:
        """Text at `key`; it must be there and not blank."""
        node = self.at(key)
        found = node.as_text("")
        if not found:
            node._fail("text")
        return found

    def as_text(self, default: str = "") -> str:
        """This value as trimmed text."""
        value = self.value
        if value is None:
            return default
        if isinstance(value, Decimal):
            return format(value, "f")
        if not isinstance(value, str):
            self._fail("text")
        if _plain(value):
            return value.strip()
        if len(value) > MAX_STRING:
            raise PayloadError(Reason.SIZE, self.path, f"text longer than {MAX_STRING} characters")
        return self._clean(value).strip()

    def _clean(self, value: str) -> str:
        cleaned, count = UNFIT.subn("�", value)
        if count:
            self._dirty[0] = True
        return cleaned

    def decimal(self, key: str) -> Decimal | None:
        """An exact number at `key` (text or number), None if absent or blank."""
        if isinstance(self.value, dict):
            value = self.value.get(key)
            if value is None or value == "":
                return None
            if isinstance(value, Decimal):
                return value  # looked at when the document was read
        node = self.at(key)
        if not isinstance(node.value, str):
            node._fail("a number")
        try:
            return number(node.value, "")
        except PayloadError as error:
            raise PayloadError(error.reason, node.path, error.detail) from None

    def boolean(self, key: str) -> bool:
        """True for true, 1, "1", "true"; False for false, 0, "", "0", "false", absent."""
        node = self.at(key)
        word = str(node.value).strip().lower()
        if word in {"true", "1"}:
            return True
        if word in {"false", "0", "none", ""}:
            return False
        return node._fail("true or false")
