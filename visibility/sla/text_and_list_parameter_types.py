"""Parameter types of texts, choices, yes-or-no values and lists."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from visibility.sla.parameter_type import JsonSchema, ParameterType

MAX_TEXT_LENGTH = 500
MAX_LIST_LENGTH = 100


class BooleanType(ParameterType):
    """A `bool`."""

    input_type: ClassVar[str] = "checkbox"

    def parse(self, raw: Any) -> bool:
        """Parse true or false; a form sends `on`, or nothing for a box that is not checked."""
        if isinstance(raw, bool):
            return raw
        texts = {"true": True, "on": True, "yes": True, "false": False, "no": False, "": False}
        if isinstance(raw, str) and raw.strip().lower() in texts:
            return texts[raw.strip().lower()]
        raise ValueError("must be true or false")

    def serialize(self, value: bool) -> bool:
        """Return the value."""
        return value

    def json_schema(self) -> JsonSchema:
        """True or false."""
        return {"type": "boolean"}

    def readable_value_with_unit(self, value: bool, unit: str) -> str:
        """Return `yes` or `no`, or the unit as what is included."""
        if unit:
            return f"with {unit}" if value else f"without {unit}"
        return "yes" if value else "no"

    def form_text(self, value: bool) -> str:
        """Return `true` or `false`."""
        return "true" if value else "false"


class SingleLineTextType(ParameterType):
    """A `str` without control characters."""

    def parse(self, raw: Any) -> str:
        """Parse a text."""
        if not isinstance(raw, str):
            raise ValueError("must be a text")
        text = raw.strip()
        if len(text) > MAX_TEXT_LENGTH:
            raise ValueError(f"must be at most {MAX_TEXT_LENGTH} characters long")
        if any(ord(character) < ord(" ") for character in text):
            raise ValueError("must not contain control characters")
        return text

    def serialize(self, value: str) -> str:
        """Return the text."""
        return value

    def json_schema(self) -> JsonSchema:
        """A text."""
        return {"type": "string", "maxLength": MAX_TEXT_LENGTH}

    def readable_value_with_unit(self, value: str, unit: str) -> str:
        """Return the text in quotation marks."""
        return f"{unit} “{value}”".strip() if value else f"any {unit or 'value'}"


@dataclass(frozen=True)
class EnumType(ParameterType):
    """An `Enum` whose values are texts."""

    enum_class: type[Enum]
    input_type: ClassVar[str] = "select"

    def parse(self, raw: Any) -> Enum:
        """Parse one of the values."""
        for member in self.enum_class:
            if isinstance(raw, str) and member.value == raw.strip():
                return member
        raise ValueError(f"must be one of {', '.join(self.member_values())}")

    def member_values(self) -> list[str]:
        """Return the values."""
        return [str(member.value) for member in self.enum_class]

    def serialize(self, value: Enum) -> str:
        """Return the value of the member."""
        return str(value.value)

    def json_schema(self) -> JsonSchema:
        """One of the values."""
        return {"type": "string", "enum": self.member_values()}

    def readable_value_with_unit(self, value: Enum, unit: str) -> str:
        """Return the value as words."""
        return f"{unit} {str(value.value).replace('_', ' ')}".strip()


@dataclass(frozen=True)
class ListType(ParameterType):
    """A tuple of values of one type, stored as a list; a form takes one value per line."""

    item: ParameterType
    input_type: ClassVar[str] = "textarea"

    def parse(self, raw: Any) -> tuple[Any, ...]:
        """Parse a list; the sentence names the position of the first invalid item."""
        if isinstance(raw, str):
            raw = [line for line in raw.splitlines() if line.strip()]
        if not isinstance(raw, list | tuple):
            raise ValueError("must be a list")
        if len(raw) > MAX_LIST_LENGTH:
            raise ValueError(f"must have at most {MAX_LIST_LENGTH} items")
        values = []
        for position, value in enumerate(raw, 1):
            try:
                values.append(self.item.parse(value))
            except ValueError as error:
                raise ValueError(f"item {position} {error}") from None
        return tuple(values)

    def serialize(self, value: tuple[Any, ...]) -> list[Any]:
        """Return the stored items."""
        return [self.item.serialize(item) for item in value]

    def json_schema(self) -> JsonSchema:
        """A list of items."""
        items = self.item.json_schema()
        return {"type": "array", "items": items, "maxItems": MAX_LIST_LENGTH}

    def readable_value_with_unit(self, value: tuple[Any, ...], unit: str) -> str:
        """Return the items, joined by commas."""
        return ", ".join(self.item.readable_value_with_unit(item, unit) for item in value) or "none"

    def form_text(self, value: tuple[Any, ...]) -> str:
        """Return one item per line."""
        return "\n".join(self.item.form_text(item) for item in value)
