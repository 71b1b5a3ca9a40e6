"""The XLSX reader: every value as text, and limits against crafted files."""

import io
import struct
import tracemalloc
import zipfile

import pytest

from visibility.master_data import xlsx_reader
from visibility.master_data.xlsx_reader import InvalidFile, read_first_sheet

TRANSITIONAL = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
RELATIONSHIPS = (
    '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>'
)


def xlsx_file(
    rows: str,
    *,
    shared: str = "",
    namespace: str = TRANSITIONAL,
    sheets: str = '<sheet name="a" id="r1"/>',
    compression: int = zipfile.ZIP_DEFLATED,
) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("xl/workbook.xml", f"<workbook>{sheets}</workbook>")
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


LONG_RUN = f"<r><t>{'x' * 20_000}</t></r>"


@pytest.mark.parametrize(
    ("cell", "shared"),
    [
        (f'<c t="inlineStr"><is>{LONG_RUN * 2}</is></c>', ""),
        (f'<c r="A7" t="inlineStr"><is>{LONG_RUN}</is></c>' * 2, ""),
        ('<c t="s"><v>0</v></c>', f"<si>{LONG_RUN * 2}</si>"),
        ('<c t="s"><t>0</t><t>0</t></c>', f"<si>{LONG_RUN}</si>"),
    ],
    ids=["runs", "repeated cell", "shared string", "repeated shared string"],
)
def test_length_of_a_cell_counts_all_its_text(cell: str, shared: str) -> None:
    with pytest.raises(InvalidFile, match="Row 7 has a cell with more than 32,768 characters"):
        list(read_first_sheet(xlsx_file(f'<row r="7">{cell}</row>', shared=shared)))


def test_rows_with_repeated_numbers_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_reader, "MAX_ROWS", 10)
    row = '<row r="1"><c><v>1</v></c></row>'
    assert len(list(read_first_sheet(xlsx_file(row * 10)))) == 10
    with pytest.raises(InvalidFile, match="more than 10 rows"):
        list(read_first_sheet(xlsx_file(row * 11)))


@pytest.mark.parametrize("shared", ["<si/>", "<si><t>a</t></si>"])
def test_shared_strings_are_counted(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_reader, "MAX_SHARED_STRINGS", 10)
    row = '<row r="1"><c t="s"><v>9</v></c></row>'
    assert len(list(read_first_sheet(xlsx_file(row, shared=shared * 10)))) == 1
    with pytest.raises(InvalidFile, match="too much text"):
        list(read_first_sheet(xlsx_file(row, shared=shared * 11)))


def test_runs_of_a_shared_string_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_reader, "MAX_SHARED_STRINGS", 10)
    with pytest.raises(InvalidFile, match="too much text"):
        list(read_first_sheet(xlsx_file("", shared=f"<si>{'<t>a</t>' * 11}</si>")))


@pytest.mark.parametrize(
    "rows",
    [
        f'<row r="1" x="{"a" * 2_000_000}"/>',
        f"<!--{'a' * 2_000_000}-->",
        "<a>" * 30_000 + "</a>" * 30_000,
        "".join(f"<a{n}/>" for n in range(20_000)),
        "<row " + " ".join(f'a{n}=""' for n in range(20_000)) + "/>",
    ],
    ids=["attribute", "comment", "nesting", "element names", "attribute names"],
)
def test_xml_that_expat_keeps_in_memory_is_rejected(rows: str) -> None:
    rows += "<row/>" * 20_000  # the limits are checked after each chunk
    for file in (xlsx_file(rows), xlsx_file("", shared=rows), xlsx_file("", sheets=rows)):
        with pytest.raises(InvalidFile, match="too complex"):
            list(read_first_sheet(file))


def test_list_of_sheets_has_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_reader, "MAX_INDEX", 1_000)
    assert list(read_first_sheet(xlsx_file("<row/>" * 1_000))) == []
    with pytest.raises(InvalidFile, match="too large when unpacked"):
        list(read_first_sheet(xlsx_file("", sheets='<sheet id="r1"/>' * 100)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_is_not_inflated_in_chunks_is_rejected(method: int) -> None:
    with pytest.raises(InvalidFile, match="must be compressed with deflate"):
        list(read_first_sheet(xlsx_file("", compression=method)))


def test_huge_directory_is_rejected() -> None:
    directory = b"\0" * 2_000_000
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(directory), 0, 0)
    with pytest.raises(InvalidFile, match="too many parts"):
        list(read_first_sheet(io.BytesIO(directory + end)))


def test_huge_directory_of_a_zip64_file_is_rejected() -> None:
    directory = b"\0" * 2_000_000
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, len(directory), 0)
    locator = struct.pack("<IIQI", 0x07064B50, 0, len(directory), 1)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, 46, 0, 0)
    with pytest.raises(InvalidFile, match="too many parts"):
        list(read_first_sheet(io.BytesIO(directory + record + locator + end)))
