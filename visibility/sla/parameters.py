"""Typed parameters of a rule, described by the fields of a frozen dataclass.

    @dataclass(frozen=True)
    class Params:
        within: timedelta = parameter(
            timedelta(hours=4),
            label="Time limit",
            help="Working time from the release to the first ship confirmation.",
            unit="working",
            minimum=timedelta(minutes=1),
        )

Parsing, storing, form fields, the JSON Schema and the sentence of a rule follow from these fields.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from visibility.sla.number_parameter_types import (
    DecimalType,
    DurationInHoursType,
    IntegerType,
    MoneyType,
    PercentType,
)
from visibility.sla.parameter_type import JsonSchema, Money, ParameterType, Percent
from visibility.sla.text_and_list_parameter_types import (
    BooleanType,
    EnumType,
    ListType,
    SingleLineTextType,
)

METADATA_KEY = "parameter"
SCALAR_TYPES: Mapping[type, ParameterType] = {
    timedelta: DurationInHoursType(),
    Decimal: DecimalType(),
    Percent: PercentType(),
    int: IntegerType(),
    Money: MoneyType(),
    bool: BooleanType(),
    str: SingleLineTextType(),
}


class InvalidParameters(ValueError):
    """Parameters are invalid: `errors` has a sentence for each field, `args` all in one text."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(errors.values()))


class UndescribedParameter(TypeError):
    """The dataclass of a rule has a field without a description or with an unsupported type."""


@dataclass(frozen=True, slots=True)
class ParameterLabelHelpAndBounds:
    """What people read about a parameter, and its bounds. A list has the bounds of its items."""

    label: str
    help: str
    unit: str = ""
    minimum: Any = None
    maximum: Any = None


def parameter(
    default: Any, *, label: str, help: str, unit: str = "", minimum: Any = None, maximum: Any = None
) -> Any:
    """Describe a field of a parameter dataclass."""
    text = ParameterLabelHelpAndBounds(label, help, unit, minimum, maximum)
    return dataclasses.field(default=default, metadata={METADATA_KEY: text})


@dataclass(frozen=True, slots=True)
class ParameterField:
    """One parameter: its name, type, default and description."""

    name: str
    type: ParameterType
    default: Any
    text: ParameterLabelHelpAndBounds

    def parse_without_bounds_check(self, raw: Any) -> Any:
        """Parse a value without checking its bounds. Raises ValueError with a sentence."""
        try:
            return self.type.parse(raw)
        except ValueError as error:
            raise ValueError(f"{self.name} {error}") from None

    def check_bounds(self, value: Any) -> None:
        """Raise ValueError with a sentence if a value is out of bounds."""
        item = self.type.item if isinstance(self.type, ListType) else self.type
        for each in value if isinstance(self.type, ListType) else (value,):
            for bound, is_outside, comparison in (
                (self.text.minimum, _is_below, "at least"),
                (self.text.maximum, _is_above, "at most"),
            ):
                if bound is not None and is_outside(each, bound):
                    limit = item.readable_value_with_unit(bound, self.text.unit)
                    raise ValueError(f"{self.name} must be {comparison} {limit}")

    @property
    def form_unit_hint(self) -> str:
        """What a form field takes, beside the label: `working hours`, `%`, `one per line`."""
        if isinstance(self.type, DurationInHoursType):
            return f"{self.text.unit} hours".strip()
        if isinstance(self.type, PercentType):
            return "%"
        return "one per line" if isinstance(self.type, ListType) else self.text.unit

    def readable_value_with_unit(self, value: Any) -> str:
        """Return a value in words."""
        return self.type.readable_value_with_unit(value, self.text.unit)

    def json_schema(self) -> JsonSchema:
        """Return the JSON Schema of this parameter."""
        schema = {"title": self.text.label, **self.type.json_schema()}
        schema["description"] = " ".join(
            text for text in (self.text.help, schema.get("description", "")) if text
        )
        schema["default"] = self.type.serialize(self.default)
        if isinstance(self.type, DurationInHoursType | DecimalType | IntegerType):
            bounds = {"minimum": self.text.minimum, "maximum": self.text.maximum}
            schema |= {k: float(self.type.serialize(v)) for k, v in bounds.items() if v is not None}
        return schema


def parameter_fields(params_type: type[Any]) -> tuple[ParameterField, ...]:
    """Return the parameters of a dataclass. Raises UndescribedParameter."""
    hints = get_type_hints(params_type)
    fields = []
    for field in dataclasses.fields(params_type):
        text = field.metadata.get(METADATA_KEY)
        if not isinstance(text, ParameterLabelHelpAndBounds):
            raise UndescribedParameter(f"{params_type.__qualname__}.{field.name}: no description")
        fields.append(
            ParameterField(
                field.name,
                _parameter_type_of_hint(hints[field.name], field.name),
                field.default,
                text,
            )
        )
    return tuple(fields)


def parse_parameters(params_type: type[Any], raw: object, *, owner: str) -> Any:
    """Parse stored parameters; absent ones have their default. Raises InvalidParameters.

    Bounds are not checked: they may have become narrower since the parameters were entered.
    `owner` is the code of the rule kind, for the message.
    """
    values, errors = _parsed_values_and_errors(params_type, raw, owner)
    if errors:
        raise InvalidParameters(errors)
    return params_type(**values)


def parse_entered_parameters_within_bounds(
    params_type: type[Any], raw: object, *, owner: str
) -> Any:
    """Parse parameters that a person entered, and check their bounds. Raises InvalidParameters."""
    values, errors = _parsed_values_and_errors(params_type, raw, owner)
    for field in parameter_fields(params_type):
        if field.name in values:
            try:
                field.check_bounds(values[field.name])
            except ValueError as error:
                errors[field.name] = str(error)
    if errors:
        raise InvalidParameters(errors)
    return params_type(**values)


def serialize_parameters(params: Any) -> dict[str, Any]:
    """Return the JSON object that is stored."""
    return {
        field.name: field.type.serialize(getattr(params, field.name))
        for field in parameter_fields(type(params))
    }


def readable_parameters_by_name(params: Any) -> dict[str, str]:
    """Return each parameter in words, by name."""
    return {
        field.name: field.readable_value_with_unit(getattr(params, field.name))
        for field in parameter_fields(type(params))
    }


def parameters_json_schema(params_type: type[Any]) -> JsonSchema:
    """Return the JSON Schema of the stored parameters."""
    return {
        "type": "object",
        "properties": {f.name: f.json_schema() for f in parameter_fields(params_type)},
        "additionalProperties": False,
    }


def _parsed_values_and_errors(
    params_type: type[Any], raw: object, owner: str
) -> tuple[dict[str, Any], dict[str, str]]:
    if not isinstance(raw, Mapping):
        raise InvalidParameters({"params": f"{owner} takes named parameters"})
    fields = {field.name: field for field in parameter_fields(params_type)}
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, value in raw.items():
        if name not in fields:
            errors[str(name)[:80]] = f"{owner} has no parameter {str(name)[:80]!r}"
            continue
        try:
            values[name] = fields[name].parse_without_bounds_check(value)
        except ValueError as error:
            errors[name] = str(error)
    return values, errors


def _parameter_type_of_hint(hint: Any, name: str) -> ParameterType:
    if get_origin(hint) is tuple and len(get_args(hint)) == 2 and get_args(hint)[1] is Ellipsis:
        return ListType(_parameter_type_of_hint(get_args(hint)[0], name))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return EnumType(hint)
    if hint in SCALAR_TYPES:
        return SCALAR_TYPES[hint]
    raise UndescribedParameter(f"{name}: the type {hint!r} is not supported")


def _is_below(value: Any, bound: Any) -> bool:
    if isinstance(value, Money):
        return _has_same_currency_or_zero_bound(value, bound) and value.amount < bound.amount
    return bool(value < bound)


def _is_above(value: Any, bound: Any) -> bool:
    if isinstance(value, Money):
        return _has_same_currency_or_zero_bound(value, bound) and value.amount > bound.amount
    return bool(value > bound)


def _has_same_currency_or_zero_bound(value: Money, bound: Money) -> bool:
    return value.currency == bound.currency or not bound.amount
