"""Normalization of identifiers; look-alike numbers stay different."""

from datetime import timedelta

import pytest

from connectors.sdk.events import IdentifierScheme
from connectors.sdk.identifier_normalization import (
    escape_invisible_and_lookalike,
    has_invisible_or_lookalike,
    has_valid_check_digit,
    is_not_placeholder,
    normalize_identifier,
    parse_reuse_intervals_by_scheme,
    possible_normalized_values,
)


@pytest.mark.parametrize(
    ("scheme", "left", "right"),
    [
        (IdentifierScheme.TRACKING, "1z 999-aa1", "1Z999AA1"),
        (IdentifierScheme.PRO, "123-456789 0", "1234567890"),
        (IdentifierScheme.SSCC, "(00)106141411234567897", "00106141411234567897"),
        (IdentifierScheme.WEB_ORDER, "#1001", "1001"),
        (IdentifierScheme.SALES_ORDER, "0000104711", "104711"),
        (IdentifierScheme.DELIVERY, "0080001234", "80001234"),
        (IdentifierScheme.CUSTOMER_PO, "po  4711 ", "PO 4711"),
        (IdentifierScheme.CUSTOMER_PO, "Caf\u00e9 1", "cafe\u0301 1"),
    ],
)
def test_spellings_of_the_same_number_are_equal(
    scheme: IdentifierScheme, left: str, right: str
) -> None:
    assert normalize_identifier(scheme, left) == normalize_identifier(scheme, right)


@pytest.mark.parametrize(
    ("scheme", "left", "right"),
    [
        (IdentifierScheme.CUSTOMER_PO, "0047", "47"),
        (IdentifierScheme.INVOICE, "0047", "47"),
        (IdentifierScheme.SALES_ORDER, "SO-0047", "SO-47"),
        (IdentifierScheme.CUSTOMER_PO, "PO-47", "PO47"),
        (IdentifierScheme.SOURCE_ID, "aB", "ab"),
        (IdentifierScheme.CUSTOMER_PO, "PO\u202e47", "PO47"),
        (IdentifierScheme.CUSTOMER_PO, "PO\u200b47", "PO47"),
        (IdentifierScheme.CUSTOMER_PO, "\u0420\u041e-47", "PO-47"),
        (IdentifierScheme.CUSTOMER_PO, "P\u0131-47", "PI-47"),
        (IdentifierScheme.CUSTOMER_PO, "\u017f-47", "S-47"),
    ],
)
def test_different_and_look_alike_numbers_are_not_equal(
    scheme: IdentifierScheme, left: str, right: str
) -> None:
    assert normalize_identifier(scheme, left) != normalize_identifier(scheme, right)


@pytest.mark.parametrize(
    "value", ["PO\u202e47", "PO\u200b47", "\u0420O-47", "\uff11\uff12", "\u0131"]
)
def test_look_alike_characters_are_escaped(value: str) -> None:
    assert has_invisible_or_lookalike(value)
    assert escape_invisible_and_lookalike(value).isascii()


def test_ascii_and_accented_numbers_are_not_escaped() -> None:
    for value in ("PO-47", "Caf\u00e9 1", "\u00d6-12"):
        assert not has_invisible_or_lookalike(value)
        assert escape_invisible_and_lookalike(value) == value


@pytest.mark.parametrize("value", ["", " ", "0", "000", "N/A", "null", "TBD", "-", "--", "none"])
def test_placeholders_are_not_numbers(value: str) -> None:
    assert not is_not_placeholder(value)


def test_an_invalid_check_digit_is_detected() -> None:
    assert has_valid_check_digit(IdentifierScheme.SSCC, "(00) 106141411234567897")
    assert not has_valid_check_digit(IdentifierScheme.SSCC, "106141411234567898")
    assert not has_valid_check_digit(IdentifierScheme.SSCC, "S-1")
    assert has_valid_check_digit(IdentifierScheme.TRACKING, "S-1")


def test_search_forms_include_every_normalized_form() -> None:
    assert {"#001", "001", "1"} & set(possible_normalized_values(" #001 ")) == {"#001", "001"}
    assert "104711" in possible_normalized_values("0000104711")


def test_the_reuse_setting_is_parsed() -> None:
    assert parse_reuse_intervals_by_scheme("order_number:365, invoice:400") == {
        IdentifierScheme.ORDER_NUMBER: timedelta(days=365),
        IdentifierScheme.INVOICE: timedelta(days=400),
    }
    for wrong in ("order_number", "order:5", "invoice:0", "invoice:-1", "invoice:9999"):
        with pytest.raises(ValueError, match="form scheme:days"):
            parse_reuse_intervals_by_scheme(wrong)
