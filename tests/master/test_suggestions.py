"""What an unknown word could mean, and why."""

from datetime import datetime

import pytest

from tests.master.conftest import mapped, put, told
from visibility.models import Source
from visibility.screens.mappings.queries import unmapped
from visibility.screens.mappings.suggestions import suggested

pytestmark = pytest.mark.django_db


def found() -> dict[str, list[tuple[str, int, str]]]:
    words = unmapped()
    return {
        word.raw: [(s.ours, s.certainty, s.why) for s in some]
        for word, some in zip(words, suggested(words), strict=True)
    }


def test_the_same_ean_is_certain(shop: Source, now: datetime) -> None:
    put("item", {"number": "A-1", "ean": "4006381333931"}, now=now)
    told(shop, "SO-1", "4006381333931")
    assert found() == {"4006381333931": [("A-1", 100, "the same EAN")]}


def test_numbers_and_titles_that_read_alike_are_suggested_the_nearest_first(
    shop: Source, now: datetime
) -> None:
    put(
        "item",
        {"number": "GLAND-20"},
        {"number": "GLAND-201"},
        {"number": "GLAND-25"},
        {"number": "GLAND-32"},
        {"number": "X-1", "title": "about GLAND 20"},
        {"number": "OTHER"},
        now=now,
    )
    told(shop, "SO-1", "GLAND 20")
    some = found()["GLAND 20"]
    assert len(some) == 3
    assert [one[0] for one in some[:2]] == ["GLAND-20", "X-1"]
    assert some[0][2] == "number alike"
    assert max(one[1] for one in some) <= 95


def test_what_another_source_means_by_the_word_is_suggested(
    shop: Source, erp: Source, now: datetime
) -> None:
    put("mapping", {"table": "item", "source": "erp", "theirs": "W-1", "ours": "A-1"}, now=now)
    told(shop, "SO-1", "W-1")
    assert found() == {"W-1": [("A-1", 90, "so mapped for erp")]}


def test_a_customer_is_found_by_its_name_and_a_place_by_its_title(
    shop: Source, now: datetime
) -> None:
    put("customer", {"number": "10023", "name": "Quist Electric"}, now=now)
    put("location", {"code": "DAL", "title": "Dallas"}, now=now)
    told(shop, "SO-1", warehouse="DALLAS", customer_no="Z9", customer_name="Quist Electric Inc")
    some = found()
    assert some["Z9"][0][0] == "10023"
    assert some["DALLAS"][0][0] == "DAL"


def test_what_has_ended_is_not_suggested(shop: Source, now: datetime) -> None:
    put("item", {"number": "GLAND-20", "valid_to": "2026-01-01"}, now=now)
    told(shop, "SO-1", "GLAND 20")
    assert found() == {"GLAND 20": []}


def test_a_word_without_a_likeness_has_no_suggestion(shop: Source, now: datetime) -> None:
    mapped("W-0", "A-0", now=now)
    told(shop, "SO-1", "ZZZZ")
    assert found() == {"ZZZZ": []}
