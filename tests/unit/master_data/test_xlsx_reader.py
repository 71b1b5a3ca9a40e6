"""The XLSX reader: every value as text, and bounded memory."""

import io
import tracemalloc
import zipfile

import pytest

from visibility.master_data.xlsx_reader import read_first_sheet

TRANSITIONAL = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
RELATIONSHIPS = (
    '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>'
)


def xlsx_file(rows: str, *, shared: str = "", namespace: str = TRANSITIONAL) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", '<workbook><sheet name="a" id="r1"/></workbook>')
        archive.writestr("xl/_rels/workbook.xml.rels", RELATIONSHIPS)
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{namespace}">{shared}</sst>')
        sheet = f'<worksheet xmlns="{namespace}"><sheetData>{rows}</sheetData></worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return file


@pytest.mark.parametrize("namespace", [TRANSITIONAL, STRICT])
@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<c><v>1E3</v></c>", "1000"),
        ("<c><v>12.50</v></c>", "12.5"),
        ("<c><v>0.1</v></c>", "0.1"),
        ("<c><v>1e-5</v></c>", "0.00001"),
        ("<c><v>340123450000000018</v></c>", "340123450000000018"),
        ("<c><f>1+1</f><v>2</v></c>", "2"),
        ('<c t="str"><v>00123</v></c>', "00123"),
        ('<c t="b"><v>1</v></c>', "1"),
        ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c t="d"><v>2026-03-04</v></c>', "2026-03-04"),
        ('<c t="s"><v>0</v></c>', "007"),
        ('<c t="inlineStr"><is><r><t>ab</t></r><r><t> c</t></r></is></c>', "ab c"),
    ],
)
def test_value_is_read_as_text(cell: str, text: str, namespace: str) -> None:
    file = xlsx_file(f'<row r="1">{cell}</row>', shared="<si><t>007</t></si>", namespace=namespace)
    assert list(read_first_sheet(file)) == [(1, [text])]


def test_rows_and_columns_keep_their_places() -> None:
    rows = '<row r="3"><c r="B3"><v>1</v></c></row><row><c><v>2</v></c></row>'
    assert list(read_first_sheet(xlsx_file(rows))) == [(3, ["", "1"]), (4, ["2"])]


def test_huge_row_is_read_in_bounded_memory() -> None:
    file = xlsx_file(f'<row r="1">{"<c/>" * 100_000}<c r="A1"><v>1</v></c></row>')
    tracemalloc.start()
    try:
        assert list(read_first_sheet(file)) == [(1, ["1"])]
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
