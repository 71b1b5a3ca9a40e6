"""The base class of parameter types, and values that have a type of their own.

A type reads its values from JSON or a form, stores them, and puts them into words. It raises
ValueError with the rest of a sentence, such as "must be a whole number".
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its ISO 4217 currency code."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """A percentage: `Percent(Decimal(95))` is 95%."""

    value: Decimal


class ParameterType(ABC):
    """Converts the values of one type. `input_type` names the control of a form."""

    input_type: ClassVar[str] = "text"

    @abstractmethod
    def parse(self, raw: Any) -> Any:
        """Parse a JSON value or the text of a form field. Raises ValueError."""

    @abstractmethod
    def serialize(self, value: Any) -> Any:
        """Return the JSON value that is stored."""

    @abstractmethod
    def json_schema(self) -> JsonSchema:
        """Return the JSON Schema of the stored value."""

    @abstractmethod
    def readable_value_with_unit(self, value: Any, unit: str) -> str:
        """Return the value in words, as part of a sentence."""

    def form_text(self, value: Any) -> str:
        """Return the text of the form field."""
        return str(self.serialize(value))
