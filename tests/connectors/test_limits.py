"""What an event may hold: everything beyond is parked before it reaches a column or an index."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
)
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.validation import checked

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVENT = CanonicalEvent(EventType.ORDER_RECEIVED, "order 1 received", NOW, ())


def named(value: str, issuer: str = "", scheme: Scheme = Scheme.ORDER_NUMBER) -> CanonicalEvent:
    ref = Ref(ObjectKind.ORDER, (Identifier(scheme, value, issuer),))
    return replace(EVENT, objects=(ref,))


def line(**figures: Decimal) -> CanonicalEvent:
    price = figures.pop("price", None)
    told = {Measure(name): amount for name, amount in figures.items()}
    return replace(EVENT, lines=(Line("1", price=price, quantities=told),))


def reason(event: CanonicalEvent) -> Reason:
    with pytest.raises(PayloadError) as caught:
        checked(event, NOW)
    assert caught.value.detail
    return caught.value.reason


def test_an_ordinary_event_stays_as_it_is() -> None:
    assert checked(EVENT, NOW) is not None
    assert checked(EVENT, NOW) == EVENT


@pytest.mark.parametrize(
    "event",
    [
        named("9" * 201),
        named("\u0958" * 150),  # composed it is twice as long
        named("1", issuer="c" * 101, scheme=Scheme.CUSTOMER_PO),
    ],
)
def test_a_number_no_index_holds_is_parked(event: CanonicalEvent) -> None:
    assert reason(event) is Reason.IDENTIFIER


def test_a_number_with_characters_that_were_lost_is_parked() -> None:
    assert reason(named("SO-\ufffd1")) is Reason.ENCODING
    assert reason(named("SO-1", issuer="C\ufffd")) is Reason.ENCODING


@pytest.mark.parametrize(
    "event",
    [
        line(ordered=Decimal("1E9")),
        line(credited=Decimal("-1E15")),
        line(ordered=Decimal(1), price=Decimal("1E11")),
        replace(EVENT, attributes={Attribute.TOTAL: "1E+15000"}),
        replace(EVENT, attributes={Attribute.TOTAL: "a lot"}),
        replace(EVENT, attributes={Attribute.TOTAL: "9" * 19}),
    ],
)
def test_an_amount_no_column_holds_is_parked(event: CanonicalEvent) -> None:
    assert reason(event) is Reason.NUMBER


def test_all_digits_of_an_ordinary_amount_stay() -> None:
    event = line(ordered=Decimal("0.1234567890123456789012345678"))
    assert checked(event, NOW).lines == event.lines


def test_more_than_seven_days_ahead_is_parked() -> None:
    assert reason(replace(EVENT, occurred_at=NOW + timedelta(days=8))) is Reason.TIMESTAMP
    soon = replace(EVENT, occurred_at=NOW + timedelta(days=6))
    assert checked(soon, NOW) == soon


@pytest.mark.parametrize(
    "text", ["soon", "9999-12-31", "0001-01-01", "2026-03-02T24:00:00Z", "2026-03-02T23:59:60Z"]
)
def test_a_date_no_page_can_show_is_parked(text: str) -> None:
    event = replace(EVENT, attributes={Attribute.PROMISED_AT: text})
    assert reason(event) is Reason.TIMESTAMP
    fine = replace(EVENT, attributes={Attribute.PROMISED_AT: "2026-03-02"})
    assert checked(fine, NOW) == fine


def test_an_event_without_a_time_says_so_once() -> None:
    said = checked(replace(EVENT, occurred_at=None), NOW)
    assert said.flags == (Flag.TIME_RECEIVED,)
    assert checked(said, NOW).flags == (Flag.TIME_RECEIVED,)


def test_long_keys_are_cut_and_stay_apart() -> None:
    one, other = (checked(replace(EVENT, key="k" * 900 + end), NOW).key for end in "ab")
    assert one != other
    assert len(one) == len(other) == 500
    later = checked(replace(EVENT, corrects=("k" * 900 + "a",)), NOW)
    assert later.corrects == (one,)
