"""Parameter types of durations, numbers, percentages and amounts of money."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from visibility.sla.parameter_type import JsonSchema, Money, ParameterType, Percent

CURRENCY_CODE = re.compile("[A-Z]{3}")
MAX_NUMBER = Decimal(10) ** 15
SECONDS_PER_HOUR = 3600


class DurationInHoursType(ParameterType):
    """A `timedelta`, stored as a number of hours."""

    input_type: ClassVar[str] = "number"

    def parse(self, raw: Any) -> timedelta:
        """Parse hours."""
        try:
            return timedelta(seconds=float(_parse_decimal(raw) * SECONDS_PER_HOUR))
        except (ValueError, OverflowError):
            raise ValueError("must be a number of hours") from None

    def serialize(self, value: timedelta) -> float | int:
        """Return hours, as a whole number if possible."""
        hours = value.total_seconds() / SECONDS_PER_HOUR
        return int(hours) if hours == int(hours) else hours

    def json_schema(self) -> JsonSchema:
        """A number of hours."""
        return {"type": "number", "description": "A number of hours."}

    def readable_value_with_unit(self, value: timedelta, unit: str) -> str:
        """Return `8 working hours`, `30 minutes`; `unit` is an adjective, such as `working`."""
        seconds = Decimal(value.total_seconds())
        amount, noun = seconds / SECONDS_PER_HOUR, "hour"
        if 0 < abs(amount) < 1:
            amount, noun = seconds / 60, "minute"
        text = _format_decimal(round(amount, 2))
        phrase = [text, unit, noun if text == "1" else noun + "s"]
        return " ".join(filter(None, phrase))


class DecimalType(ParameterType):
    """A `Decimal`, stored as text so that no digit is lost."""

    input_type: ClassVar[str] = "number"

    def parse(self, raw: Any) -> Decimal:
        """Parse a number."""
        return _parse_decimal(raw)

    def serialize(self, value: Decimal) -> str:
        """Return the digits."""
        return _format_decimal(value)

    def json_schema(self) -> JsonSchema:
        """A number, or its digits as text."""
        return {"type": ["string", "number"], "format": "decimal"}

    def readable_value_with_unit(self, value: Decimal, unit: str) -> str:
        """Return the number with its unit."""
        return f"{_format_decimal(value)} {unit}".strip()


class PercentType(DecimalType):
    """A `Percent`, stored as its number: "95" is 95%."""

    def parse(self, raw: Any) -> Any:
        """Parse the number, with or without a percent sign."""
        text = raw.strip().removesuffix("%") if isinstance(raw, str) else raw
        return Percent(_parse_decimal(text))

    def serialize(self, value: Any) -> str:
        """Return the digits."""
        return _format_decimal(value.value)

    def readable_value_with_unit(self, value: Any, unit: str) -> str:
        """Return `95%`."""
        return f"{_format_decimal(value.value)}%{' ' + unit if unit else ''}"


class IntegerType(ParameterType):
    """An `int`."""

    input_type: ClassVar[str] = "number"

    def parse(self, raw: Any) -> int:
        """Parse a whole number."""
        try:
            number = _parse_decimal(raw)
        except ValueError:
            raise ValueError("must be a whole number") from None
        if number != number.to_integral_value():
            raise ValueError("must be a whole number")
        return int(number)

    def serialize(self, value: int) -> int:
        """Return the number."""
        return value

    def json_schema(self) -> JsonSchema:
        """A whole number."""
        return {"type": "integer"}

    def readable_value_with_unit(self, value: int, unit: str) -> str:
        """Return `1,200 orders`; the unit is a plural noun."""
        noun = unit.removesuffix("s") if abs(value) == 1 else unit
        return f"{value:,} {noun}".strip()


class MoneyType(ParameterType):
    """A `Money`, stored as {"amount": "500", "currency": "USD"}; a form takes `500 USD`."""

    def parse(self, raw: Any) -> Money:
        """Parse an amount with a currency."""
        sentence = "must be an amount with a currency, such as 500 USD"
        if isinstance(raw, str):
            amount, _, currency = raw.strip().partition(" ")
            raw = {"amount": amount, "currency": currency.strip().upper()}
        if not isinstance(raw, Mapping) or set(raw) != {"amount", "currency"}:
            raise ValueError(sentence)
        code = raw["currency"]
        if not isinstance(code, str) or not CURRENCY_CODE.fullmatch(code):
            raise ValueError(sentence)
        try:
            return Money(_parse_decimal(raw["amount"]), code)
        except ValueError:
            raise ValueError(sentence) from None

    def serialize(self, value: Money) -> dict[str, str]:
        """Return the amount as digits, with its currency."""
        return {"amount": _format_decimal(value.amount), "currency": value.currency}

    def json_schema(self) -> JsonSchema:
        """An object with an amount and a currency."""
        return {
            "type": "object",
            "properties": {
                "amount": {"type": ["string", "number"], "format": "decimal"},
                "currency": {"type": "string", "pattern": f"^{CURRENCY_CODE.pattern}$"},
            },
            "required": ["amount", "currency"],
            "additionalProperties": False,
        }

    def readable_value_with_unit(self, value: Money, unit: str) -> str:
        """Return `1,500 USD`."""
        return f"{value.amount:,} {value.currency} {unit}".strip()

    def form_text(self, value: Money) -> str:
        """Return `500 USD`."""
        return f"{_format_decimal(value.amount)} {value.currency}"


def _parse_decimal(raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        raise ValueError("must be a number")
    try:
        number = Decimal(str(raw).strip())
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not number.is_finite() or abs(number) > MAX_NUMBER:
        raise ValueError("must be a number")
    return number


def _format_decimal(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
