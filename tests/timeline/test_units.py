"""Quantities in different units are converted exactly, or not at all."""

from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import Measure
from tests.timeline.saying import at, folded, of, ordered, say, shipped
from tests.timeline.saying import line as one
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.kpi.definitions.unit_fill_rate import UnitFillRate
from visibility.timeline import MilestoneCode, Status
from visibility.timeline.dictionary import Article, Dictionary, Meaning
from visibility.timeline.enums import LineFlag, LineState


def words(*articles: Article, **rest: object) -> Dictionary:
    """A dictionary of these articles."""
    return Dictionary(articles={a.number: a for a in articles}, **rest)  # type: ignore[arg-type]  # forwarded


BOXED = Article("A", unit="BX", factors={"EA": Fraction(1, 1000)})
DOZENS = Article("A", unit="DZ", factors={"EA": Fraction(1, 12), "GR": Fraction(12)})


def test_52900_pieces_are_52_9_boxes_of_1000() -> None:
    told = folded(
        ordered({"A": "52.9"}, unit="BX"), shipped({"A": 52900}, at(3)), words=words(BOXED)
    )
    a = of(told, "A")
    assert (a.unit, a.get(Measure.ORDERED), a.get(Measure.SHIPPED)) == (
        "BX",
        Decimal("52.9"),
        Decimal("52.9"),
    )
    assert (a.state, a.flags, told.status) == (LineState.SHIPPED, (), Status.SHIPPED)
    assert a.by_source["wms"] == {"shipped": Decimal(52900)}
    assert [s.unit for s in a.said if s.source == "wms"] == ["EA"]


def test_thirds_of_a_dozen_add_up_to_the_dozen() -> None:
    parts = [shipped({"A": 4}, at(day), f"S{day}") for day in (3, 4, 5)]
    told = folded(ordered({"A": 1}, unit="DZ"), *parts, words=words(DOZENS))
    assert told.status is Status.SHIPPED
    assert of(told, "A").get(Measure.SHIPPED) == 1
    short = folded(ordered({"A": 1}, unit="DZ"), *parts[:2], words=words(DOZENS))
    assert short.status is Status.PARTIALLY_SHIPPED
    assert of(short, "A").get(Measure.SHIPPED) == Decimal("0.666667")


def test_a_price_for_a_box_is_told_for_a_piece() -> None:
    piece = Article("A", unit="EA", factors={"BX": Fraction(1000)})
    told = folded(ordered({"A": 2}, unit="BX", price="40"), words=words(piece))
    a = of(told, "A")
    assert (a.get(Measure.ORDERED), a.price) == (Decimal(2000), Decimal("0.04"))


def test_an_unknown_factor_sets_the_line_aside_and_guesses_nothing() -> None:
    both = (one("A", shipped=1, unit="PAL"), one("B", shipped=1))
    told = folded(
        ordered({"A": 2, "B": 1}),
        say("wms", "shipment.confirmed", at(3), both, shipment="S1"),
        words=words(Article("A")),
    )
    a = of(told, "A")
    assert (a.state, a.flags, a.aside) == (LineState.ASIDE, (LineFlag.UNIT,), True)
    assert a.get(Measure.SHIPPED) == 0
    (pallets,) = [s for s in a.said if s.source == "wms"]
    assert (pallets.value, pallets.own, pallets.unit) == (None, Decimal(1), "PAL")
    assert told.status is Status.SHIPPED  # by the line that can be counted
    measured = UnitFillRate().measure(told, "UTC")
    assert measured
    assert (measured.numerator, measured.denominator) == (Decimal(1), Decimal(1))
    assert dict(measured.aside) == {"unit": 1}


def test_an_order_of_which_nothing_can_be_counted_is_left_out_and_says_why() -> None:
    told = folded(ordered({"A": 2}, unit="BX"), shipped({"A": 2000}, at(3)))
    assert of(told, "A").flags == (LineFlag.UNIT,)
    for kpi in (FillRate(), UnitFillRate()):
        measured = kpi.measure(told, "UTC")
        assert measured
        assert measured.excluded == "unit"
        assert measured.excluded in kpi.reasons


def test_without_master_data_different_units_are_not_mixed_and_spellings_are_no_difference() -> (
    None
):
    mixed = folded(ordered({"A": 2}, unit="BX"), shipped({"A": 2}, at(3), unit="EA"))
    assert of(mixed, "A").aside
    assert of(mixed, "A").unit == "BX"
    same = folded(ordered({"A": 2}, unit="pcs"), shipped({"A": 2}, at(3), unit="C62"))
    assert not of(same, "A").aside
    assert same.status is Status.SHIPPED


def test_a_source_s_word_for_a_unit_is_translated() -> None:
    box = {("unit", "wms", "KARTON"): [Meaning("BX")]}
    told = folded(
        ordered({"A": 2}, unit="BX"),
        shipped({"A": 2}, at(3), unit="KARTON"),
        words=words(words=box),
    )
    assert told.status is Status.SHIPPED


def test_an_article_goes_by_our_number_whatever_the_source_calls_it() -> None:
    items = {
        ("item", "wms", "0099"): [
            Meaning("A", valid_from=at(1)),
        ]
    }
    told = folded(ordered({"A": 2}), shipped({"0099": 2}, at(3)), words=words(words=items))
    assert [line.key for line in told.lines] == ["A"]
    assert told.status is Status.SHIPPED


def test_a_mapping_that_holds_later_does_not_rewrite_what_came_before() -> None:
    items = {("item", "wms", "0099"): [Meaning("A", valid_from=at(4))]}
    told = folded(
        ordered({"A": 2}),
        shipped({"0099": 1}, at(3), "S1"),
        shipped({"0099": 1}, at(5), "S2"),
        words=words(words=items),
    )
    assert of(told, "A").get(Measure.SHIPPED) == 1
    assert of(told, "0099").extra


def test_an_unmapped_article_sets_its_line_aside_until_it_is_mapped() -> None:
    governed = frozenset({("item", "wms")})
    said = [ordered({"A": 2, "B": 1}), shipped({"0099": 2, "B": 1}, at(3))]
    mapped_b = {("item", "wms", "B"): [Meaning("B")]}
    told = folded(*said, words=words(words=mapped_b, governed=governed))
    unknown = of(told, "?wms:0099")
    assert (unknown.sku, unknown.flags, unknown.aside) == ("0099", (LineFlag.UNKNOWN_SKU,), True)
    assert told.status is Status.PARTIALLY_SHIPPED  # B left; the order goes on
    assert of(told, "A").get(Measure.SHIPPED) == 0
    for kpi in (FillRate(), UnitFillRate()):
        measured = kpi.measure(told, "UTC")
        assert measured
        assert measured.excluded == "unknown_sku"
    healed = {**mapped_b, ("item", "wms", "0099"): [Meaning("A")]}
    told = folded(*said, words=words(words=healed, governed=governed))
    assert told.status is Status.SHIPPED


def test_an_unmapped_article_on_the_order_itself_is_no_other_article_of_that_name() -> None:
    told = folded(
        ordered({"A": 2}),
        shipped({"A": 2}, at(3)),
        words=words(governed=frozenset({("item", "wms")})),
    )
    assert sorted(line.key for line in told.lines) == ["?wms:A", "A"]
    assert told.status is Status.PARTIALLY_SHIPPED  # something left; nobody knows what
    assert told.completed(MilestoneCode.SHIPPED) is None


def test_places_and_customers_go_by_our_words_and_unknown_ones_say_nothing() -> None:
    about = {
        ("location", "wms", "W1"): [Meaning("Dallas")],
        ("customer", "erp", "10042"): [Meaning("C-42")],
    }
    governed = frozenset({("location", "wms"), ("location", "north")})
    told = folded(
        ordered({"A": 2}, customer_no="10042"),
        shipped({"A": 1}, at(3), warehouse="W1"),
        shipped({"A": 1}, at(4), "S2", source="north", warehouse="W9"),
        words=words(words=about, governed=governed),
    )
    assert told.attributes["customer_no"] == "C-42"  # type: ignore[index]  # a StrEnum
    assert told.attributes["warehouse"] == "Dallas"  # type: ignore[index]  # a StrEnum
    assert [s.warehouse for s in told.shipments] == ["Dallas", ""]


def test_a_status_word_that_was_mapped_afterwards_acts_as_what_it_means() -> None:
    said = [ordered({"A": 2}), say("erp", "unmapped", at(2, 10), raw="FREIGEGEBEN")]
    assert folded(*said).status is Status.RECEIVED
    meaning = {("status", "erp", "FREIGEGEBEN"): [Meaning("order.released")]}
    assert folded(*said, words=words(words=meaning)).status is Status.RELEASED


def test_a_huge_quantity_is_no_trouble() -> None:
    told = folded(
        ordered({"A": "12345678901234567890123456"}, unit="GR"),
        shipped({"A": 7}, at(3)),
        words=words(DOZENS),
    )
    assert told.status is Status.PARTIALLY_SHIPPED
