"""The modulo 10 check digit of GS1 and USPS, and whether the one of an SSCC is valid."""

SSCC_DIGITS = 18


def gs1_check_digit(digits: str) -> str:
    """The check digit that follows these digits: weights 3 and 1 from the right."""
    total = sum(int(d) * (3 if index % 2 == 0 else 1) for index, d in enumerate(reversed(digits)))
    return str(-total % 10)


def is_valid_sscc(value: str) -> bool:
    """Whether the value is 18 digits with a valid check digit."""
    if len(value) != SSCC_DIGITS or not (value.isascii() and value.isdecimal()):
        return False
    return gs1_check_digit(value[:-1]) == value[-1]
