"""Paths into a record and texts with placeholders.

A path is `.` (this value) or member names and indexes such as `lines[0].sku`. A leading `^` starts
at the record around this one. A template is text with placeholders: `{path}` must have a value,
`{path?}` may be blank, `{a|b}` is the first of these with a value, `{$name}` is a setting. In the
key of an event, `{@name}` is its time (`at`) or one of its attributes, after their conversion. The
attribute of an XML element is `{.@name}`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.xml_documents import XmlElement, is_blank_element, text_node_of_element

MAX_PATH_LENGTH = 300
INDEXES = re.compile(r"(?:\[\d{1,4}\])+$")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
SETTING_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class ScalarReadingRules:
    """How scalars of a source are read: texts that mean blank, and the signs of numbers."""

    blank: frozenset[str] = frozenset()
    decimal_sign: str = "."
    grouping_sign: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """The value that paths start at, the scope around it, and the settings of the source."""

    node: Node
    settings: Mapping[str, str]
    reading: ScalarReadingRules
    outer: "Scope | None" = None
    # The time and the attributes of the event whose key is rendered.
    event_texts: Mapping[str, str] = field(default_factory=dict)

    def scope_of_inner_value(self, node: Node) -> "Scope":
        """The scope of a value inside this one."""
        return Scope(node, self.settings, self.reading, self)


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path."""

    text: str
    levels_up: int = 0
    steps: tuple[str | int, ...] = ()

    def resolve(self, scope: Scope) -> Node:
        """Return the value at the path; its value is None if a member is absent."""
        for _ in range(self.levels_up):
            if scope.outer is None:
                raise PayloadError(ParkReason.MAPPING, self.text, "there is no outer record")
            scope = scope.outer
        node = scope.node
        if len(self.steps) > 1 and isinstance(node.value, dict) and self.text in node.value:
            return node.get(self.text)  # a column whose name contains dots
        for step in self.steps:
            if node.value is None or is_null_or_declared_blank(node, scope.reading):
                return Node(None, node.path, [False])
            if isinstance(step, int):
                # Odoo writes [id, name] in one interface and a bare id in another.
                items = node.as_list() if isinstance(node.value, list) else []
                if isinstance(node.value, XmlElement):
                    items = [node]  # an element that may repeat
                if step >= len(items):
                    return Node(None, f"{node.path}[{step}]", [False])
                node = items[step]
            else:
                node = node.get(step)
        return node

    def exists_even_if_null(self, scope: Scope) -> bool:
        """Whether the member at the path exists, even if it is null."""
        if not self.steps:
            return True
        last = self.steps[-1]
        parent = Path("", self.levels_up, self.steps[:-1]).resolve(scope).value
        if isinstance(last, int):
            return isinstance(parent, list) and last < len(parent)
        return isinstance(parent, dict) and last in parent

    def text_in(self, scope: Scope) -> str:
        """The scalar at the path as trimmed text; "" if it is absent or blank."""
        return scalar_text(self.resolve(scope), scope.reading)


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """Parse a path. Raises ValueError."""
    if len(text) > MAX_PATH_LENGTH:  # the search for indexes takes quadratic time
        raise ValueError(f"a path has at most {MAX_PATH_LENGTH} characters")
    body = text.lstrip("^")
    levels = len(text) - len(body)
    if body.startswith(".@"):
        body = body[1:]  # in a template, {@name} is a text of the event
    if body == "." or (levels and not body):
        return Path(text, levels)
    steps: list[str | int] = []
    for piece in body.split("."):
        match = INDEXES.search(piece)
        name = piece[: match.start()] if match else piece
        if name:
            steps.append(name)
        elif not match:
            raise ValueError(f"{text!r} is not a path")
        if match:
            steps += [int(index) for index in re.findall(r"\d+", match[0])]
    return Path(text, levels, tuple(steps))


def is_null_or_declared_blank(node: Node, reading: ScalarReadingRules) -> bool:
    """Whether the source writes this scalar for a missing value."""
    value = node.value
    if not reading.blank or isinstance(value, dict | list):
        return value is None or is_blank_element(value, reading.blank)
    return value is None or _boolean_number_or_string_as_text(node) in reading.blank


def scalar_text(node: Node, reading: ScalarReadingRules) -> str:
    """Return a scalar as trimmed text; a boolean as true or false. Raises PayloadError."""
    node = text_node_of_element(node)
    return (
        "" if is_null_or_declared_blank(node, reading) else _boolean_number_or_string_as_text(node)
    )


def _boolean_number_or_string_as_text(node: Node) -> str:
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    if isinstance(node.value, Decimal):
        return format(node.value, "f")
    return node.as_text()


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value inside a template."""

    setting: str = ""
    path: Path | None = None
    event_text: str = ""
    required: bool = True
    # Paths that count if those before them have no value.
    other_paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """Text with placeholders. Blanks of optional placeholders leave no double spaces."""

    text: str
    pieces: tuple[str | Placeholder, ...] = field(default=())

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Placeholder))

    def render(self, scope: Scope) -> str:
        """Fill in the placeholders. Raises PayloadError if a required one is blank."""
        texts = [
            piece if isinstance(piece, str) else _placeholder_text(piece, scope)
            for piece in self.pieces
        ]
        text = "".join(texts)
        return " ".join(text.split()) if "" in texts else text.strip()


def parse_template(text: str) -> Template:
    """Parse a template. Raises ValueError."""
    pieces: list[str | Placeholder] = []
    position = 0
    for match in PLACEHOLDER.finditer(text):
        pieces += [text[position : match.start()]] if match.start() > position else []
        pieces.append(_parse_placeholder(match[1]))
        position = match.end()
    if position < len(text):
        pieces.append(text[position:])
    if any(isinstance(piece, str) and ("{" in piece or "}" in piece) for piece in pieces):
        raise ValueError(f"{text!r} has a brace without its counterpart")
    return Template(text, tuple(pieces))


def _parse_placeholder(text: str) -> Placeholder:
    if text.startswith("$"):
        if not SETTING_NAME.fullmatch(text[1:]):
            raise ValueError(f"{text!r} is not the name of a setting")
        return Placeholder(setting=text[1:])
    name, required = text.removesuffix("?"), not text.endswith("?")
    if name.startswith("@"):
        return Placeholder(event_text=name[1:], required=required)
    first, *others = name.split("|")
    return Placeholder(
        path=parse_path(first), required=required, other_paths=tuple(map(parse_path, others))
    )


def _placeholder_text(placeholder: Placeholder, scope: Scope) -> str:
    if placeholder.event_text:
        text = scope.event_texts.get(placeholder.event_text, "")
        if not text and placeholder.required:
            detail = f"the event has no {placeholder.event_text}"
            raise PayloadError(ParkReason.SCHEMA, scope.node.path or "$", detail)
        return text
    if placeholder.path is None:
        return scope.settings.get(placeholder.setting, "")
    paths = (placeholder.path, *placeholder.other_paths)
    text = next((text for path in paths if (text := path.text_in(scope))), "")
    if not text and placeholder.required:
        path = placeholder.path.resolve(scope).path or placeholder.path.text
        raise PayloadError(ParkReason.SCHEMA, path, "expected text, got nothing")
    return text
