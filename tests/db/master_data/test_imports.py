"""Imports: files are stored, validated row by row, and written all or none."""

import io
import zipfile
from collections.abc import Iterable
from datetime import datetime

import pytest
import xlsxwriter

from tests.db.master_data.conftest import put_rows, receive_order, store_file
from visibility.master_data import export, file_reader, imports, xlsx_reader
from visibility.master_data.tables import TABLES
from visibility.master_data.xlsx_reader import InvalidFile
from visibility.models import (
    ImportPart,
    ImportRow,
    ImportState,
    Item,
    MasterChange,
    MasterImport,
    Source,
    TermMapping,
    UnitFactor,
)

pytestmark = pytest.mark.django_db


def import_file(
    code: str, content: bytes | str, *, now: datetime, apply: bool = True, format: str = "csv"
) -> MasterImport:
    """Import a file and process it as far as possible."""
    master_import = store_file(code, content, now=now, apply=apply, format=format)
    imports.run_pending_imports()
    master_import.refresh_from_db()
    return master_import


def counts(master_import: MasterImport) -> tuple[int, int, int, int]:
    return (
        master_import.added,
        master_import.changed,
        master_import.unchanged,
        master_import.invalid,
    )


def reasons(master_import: MasterImport) -> dict[int, str]:
    rows = ImportRow.objects.filter(master_import=master_import, verdict="invalid")
    return dict(rows.values_list("number", "reason"))


def workbook(rows: Iterable[Iterable[object]]) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, list(row))
    return file.getvalue()


def test_import_adds_changes_and_keeps_rows(now: datetime) -> None:
    put_rows("item", {"number": "A-1", "title": "Old"}, {"number": "A-2", "title": "Same"}, now=now)
    done = import_file("item", "number,title\nA-1,New\nA-2,Same\nA-3,Third\n", now=now)
    assert done.state == ImportState.DONE
    assert counts(done) == (1, 1, 1, 0)
    assert dict(Item.objects.values_list("number", "title")) == {
        "A-1": "New",
        "A-2": "Same",
        "A-3": "Third",
    }


def test_repeated_import_changes_nothing(now: datetime) -> None:
    text = "number,title,valid_from\nA-1,One,2026-01-01\n"
    import_file("item", text, now=now)
    change_count = MasterChange.objects.count()
    assert counts(import_file("item", text, now=now)) == (0, 0, 1, 0)
    assert MasterChange.objects.count() == change_count


def test_dry_run_reports_invalid_rows_and_writes_nothing(now: datetime) -> None:
    put_rows("unit", {"unit": "DZ", "base": "EA", "numerator": 12}, now=now)
    text = (
        "unit,base,numerator,denominator,valid_from,valid_to,owner\n"
        "BX,EA,1000,,,,ok\n"
        ",EA,5,,,,\n"
        "CS,EA,-3,,,,\n"
        "CS,EA,12.5,,,,\n"
        "PK,EA,4,,2026-02-01,2026-01-01,\n"
        "PK,EA,4,,01/02/2026,,\n"
        "BX,EA,900,,,,\n"
        "BX,EA,900,,2026-01-01,,\n"
        "RL,EA,2,,,,,surplus\n"
        "DZ,EA,13,,,2020-01-01,\n"
    )
    validated = import_file("unit", text, now=now, apply=False)
    assert validated.state == ImportState.REJECTED
    assert counts(validated) == (1, 1, 0, 8)
    assert reasons(validated) == {
        3: "unit is missing",
        4: "'-3' is not an integer of at least 1",
        5: "'12.5' is not an integer of at least 1",
        6: "valid_to must be after valid_from",
        7: "'01/02/2026' is not a date such as 2026-03-04 or a time with an offset",
        8: "duplicates row 2",
        9: "overlaps row 2: set valid_to in that row",
        10: "has more cells than the header: 'surplus'",
    }
    assert UnitFactor.objects.count() == 1


def test_one_invalid_row_rejects_the_file(now: datetime) -> None:
    rejected = import_file("item", "number,title\nA-1,One\n,Two\n", now=now)
    assert rejected.state == ImportState.REJECTED
    assert not Item.objects.exists()


def test_validated_file_waits_for_confirmation(now: datetime) -> None:
    validated = import_file("item", "number\nA-1\n", now=now, apply=False)
    assert (validated.state, validated.added) == (ImportState.VALIDATED, 1)
    assert not Item.objects.exists()
    assert imports.confirm_import(validated.pk, user=None, now=now)
    imports.run_pending_imports()
    validated.refresh_from_db()
    assert validated.state == ImportState.DONE
    assert Item.objects.count() == 1
    assert not ImportPart.objects.exists()
    assert not ImportRow.objects.exists()


def test_overlap_with_an_existing_row_is_reported(now: datetime) -> None:
    first = {"number": "A-1", "valid_from": "2026-01-01", "valid_to": "2026-06-01"}
    put_rows("item", first, {"number": "A-1", "valid_from": "2026-06-01"}, now=now)
    validated = import_file("item", "number,valid_from\nA-1,2026-03-01\n", now=now, apply=False)
    assert reasons(validated) == {
        2: "overlaps the existing row that is valid from 2026-01-01: set valid_to"
    }


def test_later_row_ends_the_earlier_one(now: datetime) -> None:
    put_rows("item", {"number": "A-1", "title": "Old"}, now=now)
    assert counts(
        import_file("item", "number,title,valid_from\nA-1,New,2026-07-01\n", now=now)
    ) == (
        1,
        0,
        0,
        0,
    )
    old, new = Item.objects.order_by("pk")
    assert old.valid_to == new.valid_from


def test_mapping_of_an_unknown_source_is_reported(shop: Source, now: datetime) -> None:
    text = "kind,source,external,canonical\nitem,shop,W-1,A-1\nitem,shpo,W-2,A-2\n"
    assert reasons(import_file("mapping", text, now=now)) == {3: "unknown source"}
    assert not TermMapping.objects.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"number,color\nA-1,red\n", "Unknown column 'color'."),
        (b"title\nOne\n", "The required column number is missing"),
        (b"number,number\nA,B\n", "contains a column twice"),
        (b"\xff\xfe\x00", "is not valid UTF-8"),
        (b'number\n"A-1\n', "cannot be read"),
        (b"\n\n", "The file is empty"),
    ],
)
def test_unreadable_file_is_rejected_with_a_reason(
    content: bytes, reason: str, now: datetime
) -> None:
    rejected = import_file("item", content, now=now)
    assert rejected.state == ImportState.REJECTED
    assert reason in rejected.detail


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_delimiters_crlf_quotes_and_byte_order_mark_are_supported(
    delimiter: str, now: datetime
) -> None:
    text = delimiter.join(("number", "title")) + "\r\n" + delimiter.join(("A-1", '"a ""b"" c"'))
    assert counts(import_file("item", "\ufeff" + text, now=now)) == (1, 0, 0, 0)
    assert Item.objects.get().title == 'a "b" c'


def test_xlsx_dates_and_numbers_are_read(now: datetime) -> None:
    rows = [
        ("Item", "Unit", "Base unit", "Numerator", "Valid from"),
        ("A-1", "BX", "EA", 1000, 46023),
        ("A-2", "BX", "EA", 12, ""),
    ]
    assert counts(import_file("unit", workbook(rows), now=now, format="xlsx")) == (2, 0, 0, 0)
    first = UnitFactor.objects.get(item="A-1")
    assert first.numerator == 1000
    assert first.valid_from is not None
    assert first.valid_from.date().isoformat() == "2026-01-01"


def test_formula_like_texts_survive_export_and_import(
    now: datetime,
) -> None:
    titles = ["=1+1", "+1", "-1", "@x", "'=1", "plain", "''x"]
    put_rows("item", *({"number": f"A-{n}", "title": t} for n, t in enumerate(titles)), now=now)
    text = b"".join(export.csv_chunks(TABLES["item"])).decode()
    cells = [line.split(",")[1] for line in text.splitlines()[1:]]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert counts(import_file("item", text, now=now)) == (0, 0, len(titles), 0)
    book = export.xlsx_file(TABLES["item"]).read()
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    assert counts(import_file("item", book, now=now, format="xlsx")) == (0, 0, len(titles), 0)


def test_numbers_are_numeric_cells_in_xlsx(now: datetime) -> None:
    put_rows("unit", {"unit": "BX", "base": "EA", "numerator": 1000}, now=now)
    book = export.xlsx_file(TABLES["unit"]).read()
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        assert b"<v>1000</v>" in archive.read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize(
    "sheet",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet/>',
        b'<worksheet><row r="9999999"><c><v>1</v></c></row></worksheet>',
        b'<worksheet><row r="1"><c t="s"><v>7</v></c></row></worksheet>',
        b"<worksheet><row>",
        b'<worksheet><row r="1"><c t="str"><v>' + b"x" * 40_000 + b"</v></c></row></worksheet>",
    ],
)
def test_hostile_xlsx_files_are_rejected(sheet: bytes, now: datetime) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            "xl/workbook.xml", '<workbook><sheet name="a" r:id="r1" xmlns:r="r"/></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    rejected = import_file("item", file.getvalue(), now=now, format="xlsx")
    assert rejected.state == ImportState.REJECTED
    assert rejected.detail


def test_zip_bomb_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_reader, "MAX_INFLATED", 100_000)
    book = workbook([("number",), *((f"A-{n}",) for n in range(9_000))])
    with pytest.raises(InvalidFile, match="too large when unpacked"):
        list(file_reader.read_rows(TABLES["item"], "xlsx", [book]))


def test_file_that_is_not_xlsx_is_rejected() -> None:
    with pytest.raises(InvalidFile, match="not an XLSX"):
        list(file_reader.read_rows(TABLES["item"], "xlsx", [b"number\nA-1\n"]))


def test_oversized_file_is_not_stored(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setitem(file_reader.MAX_FILE_SIZES, "csv", 10)
    with pytest.raises(InvalidFile, match="larger"):
        import_file("item", "number\n" + "A" * 40, now=now)
    assert not MasterImport.objects.exists()


@pytest.mark.parametrize("after", [1, 3])
def test_stopped_worker_leaves_the_import_to_the_next(after: int, now: datetime) -> None:
    master_import = store_file("item", b"number\nA\n", now=now)
    stop_answers = iter([False] * after + [True] * 99)
    imports.run_pending_imports(imports.Throttle(should_stop=lambda: next(stop_answers)))
    master_import.refresh_from_db()
    assert master_import.state == ImportState.READING
    assert master_import.attempts == 0
    assert not Item.objects.exists()
    imports.run_pending_imports()
    assert Item.objects.get().number == "A"


def test_import_that_repeatedly_crashes_is_rejected(now: datetime) -> None:
    store_file("item", b"number\nA\n", now=now)
    MasterImport.objects.update(attempts=imports.MAX_ATTEMPTS)
    imports.run_pending_imports()
    assert MasterImport.objects.get().state == ImportState.REJECTED


def test_messages_are_processed_during_a_large_import(erp: Source, now: datetime) -> None:
    lines = "".join(f"A-{n},Item {n}\n" for n in range(20_000))
    numbers: list[str] = []

    def between(_: float) -> None:
        if len(numbers) < 3:
            numbers.append(receive_order(erp, f"SO-{len(numbers)}", "A-7").number)

    master_import = store_file("item", f"number,title\n{lines}", now=now)
    imports.run_pending_imports(imports.Throttle(share=1.0, sleep=between))
    master_import.refresh_from_db()
    assert (master_import.state, master_import.added, master_import.done) == (
        ImportState.DONE,
        20_000,
        20_000,
    )
    assert Item.objects.count() == 20_000
    assert numbers == ["SO-0", "SO-1", "SO-2"]
