"""Parameters are read from a dataclass: parsing, storing, bounds, schema and words follow."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from visibility.sla.parameter_type import Money, Percent
from visibility.sla.parameters import (
    InvalidParameters,
    UndescribedParameter,
    parameter,
    parameter_fields,
    parameters_json_schema,
    parse_entered_parameters_within_bounds,
    parse_parameters,
    readable_parameters_by_name,
    serialize_parameters,
)


class Grade(StrEnum):
    FIRST = "first_grade"
    SECOND = "second"


@dataclass(frozen=True)
class EveryType:
    """One parameter of each type."""

    within: timedelta = parameter(
        timedelta(hours=4),
        label="Time limit",
        help="Working time.",
        unit="working",
        minimum=timedelta(minutes=1),
        maximum=timedelta(days=365),
    )
    factor: Decimal = parameter(Decimal("1.50"), label="Factor", help="A factor.")
    share: Percent = parameter(
        Percent(Decimal(95)),
        label="Share",
        help="A share.",
        minimum=Percent(Decimal(0)),
        maximum=Percent(Decimal(100)),
    )
    count: int = parameter(1, label="Count", help="A count.", unit="orders", minimum=1)
    worth: Money = parameter(
        Money(Decimal(500), "USD"),
        label="Worth",
        help="An amount.",
        minimum=Money(Decimal(0), "USD"),
    )
    grade: Grade = parameter(Grade.FIRST, label="Grade", help="A grade.")
    strict: bool = parameter(False, label="Strict", help="Strictness.")
    note: str = parameter("", label="Note", help="A note.", unit="note")
    carriers: tuple[str, ...] = parameter(("UPS",), label="Carriers", help="Carriers.")
    limits: tuple[int, ...] = parameter((1, 2), label="Limits", help="Limits.", maximum=9)


def parse(raw: object) -> EveryType:
    params: EveryType = parse_entered_parameters_within_bounds(EveryType, raw, owner="every_type")
    return params


def test_defaults_apply_to_absent_parameters() -> None:
    assert parse({}) == EveryType()


def test_parameters_survive_being_stored() -> None:
    params = EveryType(
        within=timedelta(minutes=90), worth=Money(Decimal("12.30"), "EUR"), carriers=("A", "B")
    )
    stored = serialize_parameters(params)
    assert stored["within"] == 1.5
    assert stored["worth"] == {"amount": "12.3", "currency": "EUR"}
    assert parse(stored) == params


def test_text_of_a_form_field_is_the_same_value() -> None:
    params = EveryType(strict=True, note="a, b")
    texts = {
        field.name: field.type.form_text(getattr(params, field.name))
        for field in parameter_fields(EveryType)
    }
    assert texts["worth"] == "500 USD"
    assert all(isinstance(text, str) for text in texts.values())
    assert parse(texts) == params


def test_hours_that_were_stored_as_numbers_stay_valid() -> None:
    for raw, hours in ((4, 4.0), (0.5, 0.5), ("8", 8.0)):
        assert parse({"within": raw}).within == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("name", "raw", "sentence"),
    [
        ("within", "soon", "within must be a number of hours"),
        ("within", True, "within must be a number of hours"),
        ("within", 1e300, "within must be a number of hours"),
        ("within", float("nan"), "within must be a number of hours"),
        ("within", 0, "within must be at least 1 working minute"),
        ("within", 9999, "within must be at most 8760 working hours"),
        ("factor", [], "factor must be a number"),
        ("share", "101%", "share must be at most 100%"),
        ("share", -1, "share must be at least 0%"),
        ("count", 1.5, "count must be a whole number"),
        ("count", 0, "count must be at least 1 order"),
        ("worth", 5, "worth must be an amount with a currency, such as 500 USD"),
        ("worth", "5 dollars", "worth must be an amount with a currency, such as 500 USD"),
        ("worth", "-5 EUR", "worth must be at least 0 USD"),
        ("grade", "third", "grade must be one of first_grade, second"),
        ("strict", "perhaps", "strict must be true or false"),
        ("note", 4, "note must be a text"),
        ("note", "x" * 501, "note must be at most 500 characters long"),
        ("note", "a\x00b", "note must not contain control characters"),
        ("carriers", 4, "carriers must be a list"),
        ("carriers", ["a", 4], "carriers item 2 must be a text"),
        ("carriers", ["a"] * 101, "carriers must have at most 100 items"),
        ("limits", [1, 10], "limits must be at most 9"),
        ("planet", "Mars", "every_type has no parameter 'planet'"),
    ],
)
def test_invalid_value_is_refused_with_the_name_of_its_field(
    name: str, raw: Any, sentence: str
) -> None:
    with pytest.raises(InvalidParameters) as refused:
        parse({name: raw})
    assert refused.value.errors == {name: sentence}


def test_every_invalid_field_has_its_own_sentence() -> None:
    with pytest.raises(InvalidParameters) as refused:
        parse({"within": "x", "count": "y", "note": "fine"})
    assert set(refused.value.errors) == {"within", "count"}
    assert str(refused.value) == "within must be a number of hours; count must be a whole number"


def test_stored_value_out_of_bounds_still_runs() -> None:
    stored = parse_parameters(EveryType, {"within": 9999}, owner="every_type")
    assert stored.within == timedelta(hours=9999)


def test_parameters_in_words() -> None:
    assert readable_parameters_by_name(
        EveryType(within=timedelta(hours=8), strict=True, note="x")
    ) == {
        "within": "8 working hours",
        "factor": "1.5",
        "share": "95%",
        "count": "1 order",
        "worth": "500 USD",
        "grade": "first grade",
        "strict": "yes",
        "note": "note “x”",
        "carriers": "“UPS”",
        "limits": "1, 2",
    }
    for length, expected in (
        (timedelta(hours=1), "1 working hour"),
        (timedelta(minutes=30), "30 working minutes"),
        (timedelta(minutes=90), "1.5 working hours"),
        (timedelta(0), "0 working hours"),
    ):
        assert readable_parameters_by_name(EveryType(within=length))["within"] == expected


def test_json_schema_states_types_bounds_and_defaults() -> None:
    schema = parameters_json_schema(EveryType)
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["within"]["minimum"] == timedelta(minutes=1) / timedelta(hours=1)
    assert (properties["within"]["maximum"], properties["within"]["default"]) == (8760, 4)
    assert properties["within"]["description"] == "Working time. A number of hours."
    assert properties["grade"]["enum"] == ["first_grade", "second"]
    assert properties["limits"]["items"] == {"type": "integer"}


def test_field_without_description_or_with_an_unknown_type_is_refused() -> None:
    @dataclass(frozen=True)
    class WithoutText:
        within: timedelta = timedelta(0)

    @dataclass(frozen=True)
    class WithUnknownType:
        within: bytes = parameter(b"", label="x", help="x")

    for params_type in (WithoutText, WithUnknownType):
        with pytest.raises(UndescribedParameter):
            parameter_fields(params_type)
