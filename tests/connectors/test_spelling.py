"""Numbers are compared by the rule of their kind; what only looks alike is not the same."""

from datetime import timedelta

import pytest

from connectors.sdk.events import Scheme
from connectors.sdk.normalization import (
    confusable,
    names_something,
    normalise,
    recycling,
    sound,
    spellings,
    visible,
)


@pytest.mark.parametrize(
    ("scheme", "one", "other"),
    [
        (Scheme.TRACKING, "1z 999-aa1", "1Z999AA1"),
        (Scheme.PRO, "123-456789 0", "1234567890"),
        (Scheme.SSCC, "(00)106141411234567897", "00106141411234567897"),
        (Scheme.WEB_ORDER, "#1001", "1001"),
        (Scheme.SALES_ORDER, "0000104711", "104711"),
        (Scheme.DELIVERY, "0080001234", "80001234"),
        (Scheme.CUSTOMER_PO, "po  4711 ", "PO 4711"),
        (Scheme.CUSTOMER_PO, "Caf\u00e9 1", "cafe\u0301 1"),
    ],
)
def test_spellings_of_one_number_meet(scheme: Scheme, one: str, other: str) -> None:
    assert normalise(scheme, one) == normalise(scheme, other)


@pytest.mark.parametrize(
    ("scheme", "one", "other"),
    [
        (Scheme.CUSTOMER_PO, "0047", "47"),
        (Scheme.INVOICE, "0047", "47"),
        (Scheme.SALES_ORDER, "SO-0047", "SO-47"),
        (Scheme.CUSTOMER_PO, "PO-47", "PO47"),
        (Scheme.SOURCE_ID, "aB", "ab"),
        (Scheme.CUSTOMER_PO, "PO\u202e47", "PO47"),
        (Scheme.CUSTOMER_PO, "PO\u200b47", "PO47"),
        (Scheme.CUSTOMER_PO, "\u0420\u041e-47", "PO-47"),
        (Scheme.CUSTOMER_PO, "P\u0131-47", "PI-47"),
        (Scheme.CUSTOMER_PO, "\u017f-47", "S-47"),
    ],
)
def test_what_differs_or_only_looks_alike_does_not_meet(
    scheme: Scheme, one: str, other: str
) -> None:
    assert normalise(scheme, one) != normalise(scheme, other)


@pytest.mark.parametrize(
    "value", ["PO\u202e47", "PO\u200b47", "\u0420O-47", "\uff11\uff12", "\u0131"]
)
def test_what_could_be_read_as_another_number_is_written_out(value: str) -> None:
    assert confusable(value)
    assert visible(value).isascii()


def test_plain_and_accented_numbers_are_shown_as_they_are() -> None:
    for value in ("PO-47", "Caf\u00e9 1", "\u00d6-12"):
        assert not confusable(value)
        assert visible(value) == value


@pytest.mark.parametrize("value", ["", " ", "0", "000", "N/A", "null", "TBD", "-", "--", "none"])
def test_some_values_name_nothing(value: str) -> None:
    assert not names_something(value)


def test_a_check_digit_tells_a_misread_label() -> None:
    assert sound(Scheme.SSCC, "(00) 106141411234567897")
    assert not sound(Scheme.SSCC, "106141411234567898")
    assert not sound(Scheme.SSCC, "S-1")
    assert sound(Scheme.TRACKING, "S-1")


def test_a_typed_number_is_looked_for_in_every_form() -> None:
    assert {"#001", "001", "1"} & set(spellings(" #001 ")) == {"#001", "001"}
    assert "104711" in spellings("0000104711")


def test_a_source_says_which_of_its_numbers_come_again() -> None:
    assert recycling("order_number:365, invoice:400") == {
        Scheme.ORDER_NUMBER: timedelta(days=365),
        Scheme.INVOICE: timedelta(days=400),
    }
    for wrong in ("order_number", "order:5", "invoice:0", "invoice:-1", "invoice:9999"):
        with pytest.raises(ValueError, match="form scheme:days"):
            recycling(wrong)
