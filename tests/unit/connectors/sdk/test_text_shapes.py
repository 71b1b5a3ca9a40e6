"""The shapes of messages that are no JSON, and what connectors read of messages."""

from datetime import UTC, datetime

import pytest

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import RawMessage
from connectors.sdk.fixed_width import FixedWidthColumn, FixedWidthLayout, RowType
from connectors.sdk.message_shape import MessageShape, compare_with_schema
from connectors.sdk.payload import load_json
from connectors.sdk.read_paths import record_reads
from connectors.sdk.text_shapes import (
    fixed_width_shape,
    kind_of_text,
    table_shape,
    x12_shape,
    xml_shape,
)
from connectors.sdk.xml_documents import load_xml
from connectors.systems.edifact.shape import edifact_shape

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
X12 = (
    b"GS*PO*BIG*ACME*20260304*0915*7*X*004010~ST*850*0001~BEG*00*NE*PO-1**20260304~REF*VN*4711~"
    b"REF*DP*~PO1*1*10*EA*12.3**VP*WID-1*UP*0123~SE*6*0001~GE*1*7~"
)
EDIFACT = (
    b"UNB+UNOC:3+A+B+260304:0915+77'UNH+1+ORDERS:D:96A:UN'BGM+220+PO-1+9'DTM+137:20260304:102'"
    b"NAD+BY+5412::9'LIN+1++WID-1:SA'QTY+21:10'UNT+6+1'UNZ+1+77'"
)


def test_x12_has_the_elements_and_qualifiers_of_each_transaction_set() -> None:
    shape = x12_shape(X12, "utf-8")
    assert {path for path, _ in shape.fields} == {
        *("850.BEG.01", "850.BEG.02", "850.BEG.03", "850.BEG.05", "850.REF VN.02"),
        *("850.PO1.01", "850.PO1.02", "850.PO1.03", "850.PO1.04", "850.PO1.VP", "850.PO1.UP"),
    }
    assert shape.empty == {"850.BEG.04", "850.REF DP.02", "850.PO1.05"}


def test_another_qualifier_or_element_is_new_and_the_earlier_one_is_missing() -> None:
    before = x12_shape(X12, "utf-8")
    after = x12_shape(
        X12.replace(b"REF*VN*4711", b"REF*CO*4711").replace(b"PO-1*", b"PO-1*7"), "utf-8"
    )
    changes = compare(before, after)
    assert changes == ({"850.BEG.04", "850.REF CO.02"}, set(), {"850.REF VN"})


def compare(before: MessageShape, after: MessageShape) -> tuple[set[str], set[str], set[str]]:
    always = frozenset(path for path, _ in before.fields)
    changes = compare_with_schema(after, before.fields, always)
    appeared, retyped = ({path for path, _ in c} for c in (changes.appeared, changes.retyped))
    return appeared, retyped, set(changes.missing)


def test_edifact_has_the_components_and_qualifiers_of_each_message() -> None:
    assert {path for path, _ in edifact_shape(EDIFACT, "").fields} == {
        *("ORDERS.BGM.01.1", "ORDERS.BGM.02.1", "ORDERS.BGM.03.1", "ORDERS.DTM 137.01.2"),
        *("ORDERS.DTM 137.01.3", "ORDERS.NAD BY.02.1", "ORDERS.NAD BY.02.3", "ORDERS.LIN.01.1"),
        *("ORDERS.LIN.03.1", "ORDERS.LIN.03.2", "ORDERS.QTY 21.01.2"),
    }


def test_xml_has_elements_and_attributes() -> None:
    lines = b'<Line n="1">A</Line><Line n="2">B</Line>'
    shape = xml_shape(b'<Order id="1"><No>7</No>' + lines + b"<X/></Order>")
    paths = {"@id", "No", "Line[].@n", "Line[].#text"}
    assert {path for path, _ in shape.fields} == paths
    assert shape.empty == {"X"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(("12", "number"), ("0", "number"), ("-1.50", "number"), ("1,5", "number")),
        *(("007", "text"), ("1234567890123", "text"), ("A1", "text"), ("1.2.3", "text")),
        *(("2026-03-04T10:00", "date"), ("3/4/2026", "date"), ("20260304", "number")),
    ],
)
def test_kinds_of_texts_of_tables(text: str, kind: str) -> None:
    assert kind_of_text(text) == kind


def test_the_order_of_columns_does_not_matter_and_their_types_do() -> None:
    before = table_shape([{"sku": "A", "qty": "1", "note": ""}])
    assert table_shape([{"note": " ", "qty": "2", "sku": "B"}]) == before
    assert before.empty == {"note"}
    after = table_shape([{"sku": "A", "qty": "1 pc", "color": "red", "note": ""}])
    assert compare(before, after) == ({"color"}, {"qty"}, set())
    assert compare(before, table_shape([{"sku": "A"}])) == (set(), set(), {"qty"})


def test_fixed_width_has_types_of_rows_and_text_after_the_last_column() -> None:
    layout = FixedWidthLayout(
        row_types=(
            RowType("H", (FixedWidthColumn("order", 2, 4),)),
            RowType("D", (FixedWidthColumn("sku", 2, 4),), "lines"),
        )
    )
    rows = [{"order": "SO-1", "lines": [{"sku": "AAAA"}]}]
    shape = fixed_width_shape("HSO-1\nDAAAA   7\nZ9\n", rows, layout)
    assert {path for path, _ in shape.fields} == {
        *("order", "lines[].sku", "D: after position 5", "rows that begin with Z"),
    }


@pytest.mark.parametrize(("slug", "body"), [("x12", X12), ("edifact", EDIFACT)])
def test_connectors_know_the_shape_of_their_formats(slug: str, body: bytes) -> None:
    connector = connectors_by_slug()[slug]({"source": "s"})
    shape = connector.message_shape(RawMessage(body, {}, AT))
    assert shape is not None
    assert shape.fields


def test_reads_are_recorded_with_the_paths_of_shapes() -> None:
    with record_reads() as reads:
        root = load_json(b'{"order": {"no": "1", "x": "x"}, "lines": [{"sku": "A"}], "700123": 1}')
        root.get("order").text_at("no")
        root.text_at("ship_by")
        assert "700123" in root.value
        for line in root.list_at("lines"):
            line.text_at("sku")
    assert reads == {"order", "order.no", "ship_by", "*", "lines", "lines[].sku"}
    assert type(load_json(b"{}").value) is dict


def test_reads_of_xml_are_recorded() -> None:
    with record_reads() as reads:
        load_xml(b"<a><No>7</No></a>").get("No").text_at("#text")
    assert reads == {"No"}
