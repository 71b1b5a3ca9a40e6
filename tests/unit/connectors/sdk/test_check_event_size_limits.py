"""Limits of events: values that columns or indexes cannot hold are errors."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVENT = CanonicalEvent(EventType.ORDER_RECEIVED, "order 1 received", NOW, ())


def event_with_number(
    value: str, issuer: str = "", scheme: IdentifierScheme = IdentifierScheme.ORDER_NUMBER
) -> CanonicalEvent:
    ref = ObjectReference(ObjectKind.ORDER, (EventIdentifier(scheme, value, issuer),))
    return replace(EVENT, objects=(ref,))


def event_with_line(**figures: Decimal) -> CanonicalEvent:
    price = figures.pop("price", None)
    quantities = {Measure(name): amount for name, amount in figures.items()}
    return replace(EVENT, lines=(EventLine("1", price=price, quantities=quantities),))


def error_reason(event: CanonicalEvent) -> ParkReason:
    with pytest.raises(PayloadError) as caught:
        validate_and_flag_event(event, NOW)
    assert caught.value.detail
    return caught.value.reason


def test_an_ordinary_event_is_unchanged() -> None:
    assert validate_and_flag_event(EVENT, NOW) is not None
    assert validate_and_flag_event(EVENT, NOW) == EVENT


@pytest.mark.parametrize(
    "event",
    [
        event_with_number("9" * 201),
        event_with_number("\u0958" * 150),  # twice as long in normal form
        event_with_number("1", issuer="c" * 101, scheme=IdentifierScheme.CUSTOMER_PO),
    ],
)
def test_a_number_too_long_for_the_index_is_an_error(event: CanonicalEvent) -> None:
    assert error_reason(event) is ParkReason.IDENTIFIER


def test_a_number_with_replaced_characters_is_an_error() -> None:
    assert error_reason(event_with_number("SO-\ufffd1")) is ParkReason.ENCODING
    assert error_reason(event_with_number("SO-1", issuer="C\ufffd")) is ParkReason.ENCODING


@pytest.mark.parametrize(
    "event",
    [
        event_with_line(ordered=Decimal("1E9")),
        event_with_line(credited=Decimal("-1E15")),
        event_with_line(ordered=Decimal(1), price=Decimal("1E11")),
        replace(EVENT, attributes={Attribute.TOTAL: "1E+15000"}),
        replace(EVENT, attributes={Attribute.TOTAL: "a lot"}),
        replace(EVENT, attributes={Attribute.TOTAL: "9" * 19}),
    ],
)
def test_an_amount_too_large_for_the_column_is_an_error(event: CanonicalEvent) -> None:
    assert error_reason(event) is ParkReason.NUMBER


def test_ordinary_amounts_retain_all_digits() -> None:
    event = event_with_line(ordered=Decimal("0.1234567890123456789012345678"))
    assert validate_and_flag_event(event, NOW).lines == event.lines


def test_a_time_more_than_seven_days_ahead_is_an_error() -> None:
    assert error_reason(replace(EVENT, occurred_at=NOW + timedelta(days=8))) is ParkReason.TIMESTAMP
    soon = replace(EVENT, occurred_at=NOW + timedelta(days=6))
    assert validate_and_flag_event(soon, NOW) == soon


@pytest.mark.parametrize(
    "text", ["soon", "9999-12-31", "0001-01-01", "2026-03-02T24:00:00Z", "2026-03-02T23:59:60Z"]
)
def test_a_date_that_cannot_be_displayed_is_an_error(text: str) -> None:
    event = replace(EVENT, attributes={Attribute.PROMISED_AT: text})
    assert error_reason(event) is ParkReason.TIMESTAMP
    fine = replace(EVENT, attributes={Attribute.PROMISED_AT: "2026-03-02"})
    assert validate_and_flag_event(fine, NOW) == fine


def test_an_event_without_a_time_is_flagged_once() -> None:
    validated = validate_and_flag_event(replace(EVENT, occurred_at=None), NOW)
    assert validated.flags == (Flag.TIME_RECEIVED,)
    assert validate_and_flag_event(validated, NOW).flags == (Flag.TIME_RECEIVED,)


def test_long_keys_are_shortened_and_remain_distinct() -> None:
    first, second = (
        validate_and_flag_event(replace(EVENT, key="k" * 900 + end), NOW).key for end in "ab"
    )
    assert first != second
    assert len(first) == len(second) == 500
    later = validate_and_flag_event(replace(EVENT, corrects=("k" * 900 + "a",)), NOW)
    assert later.corrects == (first,)


def event_with_packages(count: int) -> CanonicalEvent:
    packages = tuple(
        ObjectReference(
            ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.ORDER_NUMBER, f"P{n}", ""),)
        )
        for n in range(count)
    )
    return replace(EVENT, objects=packages)


def test_event_with_too_many_objects_is_parked_with_both_numbers() -> None:
    assert len(validate_and_flag_event(event_with_packages(1_000), NOW).objects) == 1_000
    with pytest.raises(PayloadError) as refused:
        validate_and_flag_event(event_with_packages(5_000), NOW)
    assert refused.value.reason is ParkReason.SIZE
    assert "refers to 5,000 objects, and 1,000 are the most" in refused.value.detail
