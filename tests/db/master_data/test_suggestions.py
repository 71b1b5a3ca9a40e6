"""Suggestions for unmapped terms and their reasons."""

from datetime import datetime

import pytest

from tests.db.master_data.conftest import map_item, put_rows, receive_order
from visibility.models import Source
from visibility.screens.mappings.canonical_record_suggestions import suggest_canonical_records
from visibility.screens.mappings.term_and_row_queries import unmapped_terms

pytestmark = pytest.mark.django_db


def suggestions_by_term() -> dict[str, list[tuple[str, int, str]]]:
    terms = unmapped_terms()
    return {
        term.raw: [(s.canonical, s.certainty, s.why) for s in term_suggestions]
        for term, term_suggestions in zip(terms, suggest_canonical_records(terms), strict=True)
    }


def test_same_ean_has_full_certainty(shop: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1", "ean": "4006381333931"}, now=now)
    receive_order(shop, "SO-1", "4006381333931")
    assert suggestions_by_term() == {"4006381333931": [("A-1", 100, "same EAN")]}


def test_similar_numbers_and_titles_are_suggested_best_first(shop: Source, now: datetime) -> None:
    put_rows(
        "item",
        {"number": "GLAND-20"},
        {"number": "GLAND-201"},
        {"number": "GLAND-25"},
        {"number": "GLAND-32"},
        {"number": "X-1", "title": "about GLAND 20"},
        {"number": "OTHER"},
        now=now,
    )
    receive_order(shop, "SO-1", "GLAND 20")
    best = suggestions_by_term()["GLAND 20"]
    assert len(best) == 3
    assert [suggestion[0] for suggestion in best[:2]] == ["GLAND-20", "X-1"]
    assert best[0][2] == "similar number"
    assert max(suggestion[1] for suggestion in best) <= 95


def test_mapping_of_another_source_is_suggested(shop: Source, erp: Source, now: datetime) -> None:
    put_rows(
        "mapping", {"kind": "item", "source": "erp", "external": "W-1", "canonical": "A-1"}, now=now
    )
    receive_order(shop, "SO-1", "W-1")
    assert suggestions_by_term() == {"W-1": [("A-1", 90, "same as for erp")]}


def test_customers_match_by_name_and_locations_by_title(shop: Source, now: datetime) -> None:
    put_rows("customer", {"number": "10023", "name": "Quist Electric"}, now=now)
    put_rows("location", {"code": "DAL", "title": "Dallas"}, now=now)
    receive_order(
        shop, "SO-1", warehouse="DALLAS", customer_no="Z9", customer_name="Quist Electric Inc"
    )
    by_term = suggestions_by_term()
    assert by_term["Z9"][0][0] == "10023"
    assert by_term["DALLAS"][0][0] == "DAL"


def test_expired_rows_are_not_suggested(shop: Source, now: datetime) -> None:
    put_rows("item", {"number": "GLAND-20", "valid_to": "2026-01-01"}, now=now)
    receive_order(shop, "SO-1", "GLAND 20")
    assert suggestions_by_term() == {"GLAND 20": []}


def test_dissimilar_term_has_no_suggestion(shop: Source, now: datetime) -> None:
    map_item("W-0", "A-0", now=now)
    receive_order(shop, "SO-1", "ZZZZ")
    assert suggestions_by_term() == {"ZZZZ": []}
