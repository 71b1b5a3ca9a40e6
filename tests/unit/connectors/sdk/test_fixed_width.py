"""Files with columns of fixed width, and rows of several types."""

import pytest

from connectors.sdk.fixed_width import (
    FixedWidthColumn,
    FixedWidthLayout,
    RowType,
    read_fixed_width,
)
from connectors.sdk.payload import ParkReason, PayloadError

COLUMNS = (
    FixedWidthColumn("no", 1, 6),
    FixedWidthColumn("item", 7, 5),
    FixedWidthColumn("qty", 12, 6, decimals=2),
)
HEAD = RowType("H", (FixedWidthColumn("no", 2, 5),))
LINE = RowType("L", (FixedWidthColumn("item", 2, 3), FixedWidthColumn("qty", 5, 3)), "lines")
TYPED = FixedWidthLayout(row_types=(HEAD, LINE, RowType("LX", is_skipped=True)))


def rows(text: str, layout: FixedWidthLayout) -> list[dict[str, object]]:
    table = read_fixed_width(text.encode(layout.charset), layout)
    assert not table.errors, table.errors
    return [row.fields for row in table.rows]


def test_columns_are_cut_by_their_position() -> None:
    text = "SO-001A-1  001250\r\nSO-002B-22 000005\r\n\r\n\x1a"
    assert rows(text, FixedWidthLayout(COLUMNS)) == [
        {"no": "SO-001", "item": "A-1", "qty": "12.50"},
        {"no": "SO-002", "item": "B-22", "qty": "0.05"},
    ]


def test_short_rows_have_blanks_and_widths_count_characters() -> None:
    layout = FixedWidthLayout(COLUMNS, charset="cp1252", skip_rows=1, decimal_sign=",")
    text = "a title of the file\nSO-003\nMÜ-004Ä-1  -00150"
    assert rows(text, layout) == [
        {"no": "SO-003", "item": "", "qty": ""},
        {"no": "MÜ-004", "item": "Ä-1", "qty": "-1,50"},
    ]


def test_rows_of_other_types_are_lists_of_the_record_before_them() -> None:
    text = "H00001\nLA-1002\nLXyyyyy\nLA-2003\nH00002\nH00003\nLA-3001\n"
    assert rows(text, TYPED) == [
        {
            "no": "00001",
            "lines": [{"item": "A-1", "qty": "002"}, {"item": "A-2", "qty": "003"}],
        },
        {"no": "00002", "lines": []},
        {"no": "00003", "lines": [{"item": "A-3", "qty": "001"}]},
    ]


def test_a_record_with_an_unreadable_row_is_an_error_and_the_others_are_read() -> None:
    text = "LA-0001\nH00001\nLA-1002\nZ???\nLA-2003\nH00002\nLA-3001\n"
    table = read_fixed_width(text.encode(), TYPED)
    assert [row.fields["no"] for row in table.rows] == ["00002"]
    assert [(error.path, error.detail) for error in table.errors] == [
        ("line 1", "a row of lines before the first record"),
        ("line 4", "a row that begins with 'Z???' is of no declared type"),
    ]


def test_a_head_that_cannot_be_read_takes_its_lines_with_it() -> None:
    head = RowType("H", (FixedWidthColumn("total", 2, 4, decimals=2),))
    layout = FixedWidthLayout(row_types=(head, LINE))
    table = read_fixed_width(b"H0100\nLA-1001\nH12x4\nLA-2002\nH0300\n", layout)
    assert [row.fields["total"] for row in table.rows] == ["1.00", "3.00"]
    assert [len(row.fields["lines"]) for row in table.rows] == [1, 0]
    assert [str(error) for error in table.errors] == [
        "number: line 3: the column 'total' has '12x4', not digits"
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", ParkReason.EMPTY),
        (b" \r\n\x1a", ParkReason.EMPTY),
        (b"\xff\xfe", ParkReason.ENCODING),
        (b"\n" * 100_001 + b"x", ParkReason.SIZE),
    ],
)
def test_files_that_cannot_be_read(body: bytes, reason: ParkReason) -> None:
    with pytest.raises(PayloadError) as caught:
        read_fixed_width(body, FixedWidthLayout(COLUMNS))
    assert caught.value.reason is reason
