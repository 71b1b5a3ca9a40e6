"""Split what is entered in the search field into numbers, and look them up."""

import re
from collections.abc import Sequence

from visibility.screens.orders.number_and_customer_search import (
    SearchHit,
    find_orders_by_exact_number,
    find_orders_for_numbers,
)

MAX_NUMBERS = 200
# No number, name or description contains these: they always separate numbers.
ALWAYS_SEPARATES = re.compile(r"[\r\n\t;]+")
# These also occur in names ("Smith, Inc.") and in numbers ("1Z 999 AA1").
MAY_SEPARATE = (",", None)

NumberWithHits = tuple[str, list[SearchHit]]


def look_up_several_numbers(text: str) -> Sequence[NumberWithHits]:
    """The numbers of a list with the orders of each, or nothing if the text is no list.

    A text with commas or spaces is a list if nothing has it as a whole, and one of its parts is the
    number of an order; with commas also if each part has a digit. At most `MAX_NUMBERS` are
    looked up.
    """
    numbers = _distinct_trimmed(ALWAYS_SEPARATES.split(text))
    if len(numbers) > 1:
        return find_orders_for_numbers(numbers[:MAX_NUMBERS])
    if not re.search(r"[,\s]", text) or find_orders_by_exact_number(text, limit=1):
        return []
    for separator in MAY_SEPARATE:
        numbers = _distinct_trimmed(text.split(separator))
        if len(numbers) > 1:
            hits = find_orders_for_numbers(numbers[:MAX_NUMBERS])
            have_digits = all(any(map(str.isdecimal, number)) for number in numbers)
            if any(orders for _, orders in hits) or (separator and have_digits):
                return hits
    return []


def has_more_numbers_than_looked_up(text: str) -> bool:
    """Whether a list has more numbers than are looked up, however it is separated."""
    return len(_distinct_trimmed(re.split(r"[\s,;]+", text))) > MAX_NUMBERS


def _distinct_trimmed(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(text.strip(" ,") for text in texts if text.strip(" ,")))
