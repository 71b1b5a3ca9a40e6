"""GS1 check digits."""

import pytest

from connectors.sdk.check_digits import gs1_check_digit, is_valid_sscc


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("340123450000000017", True),
        ("340123450000000018", False),
        ("34012345000000001", False),
        ("x" * 18, False),
    ],
)
def test_sscc_check_digit(value: str, right: bool) -> None:
    assert is_valid_sscc(value) is right


def test_check_digit_equals_published_example() -> None:
    # An SSCC and a GTIN-13 of GS1.
    assert gs1_check_digit("10614141123456789") == "7"
    assert gs1_check_digit("629104150021") == "3"
