"""Files: kept first, judged row by row, written all or nothing."""

import io
import zipfile
from collections.abc import Iterable
from datetime import datetime

import pytest
import xlsxwriter

from tests.master.conftest import put, told
from visibility.master_data import export, files, imports, xlsx
from visibility.master_data.tables import TABLES
from visibility.master_data.xlsx import BadFile
from visibility.models import (
    ImportPart,
    ImportRow,
    ImportState,
    Item,
    MasterChange,
    MasterImport,
    Source,
    UnitFactor,
    WordMapping,
)

pytestmark = pytest.mark.django_db


def sent(
    code: str, content: bytes | str, *, now: datetime, apply: bool = True, format: str = "csv"
) -> MasterImport:
    """A file, taken as far as it goes."""
    body = content.encode() if isinstance(content, str) else content
    kept = imports.keep(
        TABLES[code], [body], name="f", format=format, apply=apply, who=None, now=now
    )
    imports.work()
    kept.refresh_from_db()
    return kept


def counts(found: MasterImport) -> tuple[int, int, int, int]:
    return found.added, found.changed, found.unchanged, found.invalid


def reasons(found: MasterImport) -> dict[int, str]:
    rows = ImportRow.objects.filter(of=found, verdict="invalid")
    return dict(rows.values_list("number", "reason"))


def workbook(rows: Iterable[Iterable[object]]) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, list(row))
    return file.getvalue()


def test_a_file_adds_changes_and_leaves_alone(now: datetime) -> None:
    put("item", {"number": "A-1", "title": "Old"}, {"number": "A-2", "title": "Same"}, now=now)
    done = sent("item", "number,title\nA-1,New\nA-2,Same\nA-3,Third\n", now=now)
    assert done.state == ImportState.DONE
    assert counts(done) == (1, 1, 1, 0)
    assert dict(Item.objects.values_list("number", "title")) == {
        "A-1": "New",
        "A-2": "Same",
        "A-3": "Third",
    }


def test_the_same_file_again_changes_nothing(now: datetime) -> None:
    text = "number,title,valid_from\nA-1,One,2026-01-01\n"
    sent("item", text, now=now)
    kept = MasterChange.objects.count()
    assert counts(sent("item", text, now=now)) == (0, 0, 1, 0)
    assert MasterChange.objects.count() == kept


def test_a_dry_run_tells_each_row_that_cannot_be_taken_and_writes_nothing(now: datetime) -> None:
    put("unit", {"unit": "DZ", "base": "EA", "numerator": 12}, now=now)
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
    judged = sent("unit", text, now=now, apply=False)
    assert judged.state == ImportState.REFUSED
    assert counts(judged) == (1, 1, 0, 8)
    assert reasons(judged) == {
        3: "unit is missing",
        4: "'-3' is not a whole number from 1",
        5: "'12.5' is not a whole number from 1",
        6: "valid_to must be after valid_from",
        7: "'01/02/2026' is not a day such as 2026-03-04, nor a time with zone",
        8: "says again what row 2 says",
        9: "holds at the same time as row 2: give that a valid_to",
        10: "has more cells than the header: 'surplus'",
    }
    assert UnitFactor.objects.count() == 1


def test_one_bad_row_keeps_every_row_out(now: datetime) -> None:
    refused = sent("item", "number,title\nA-1,One\n,Two\n", now=now)
    assert refused.state == ImportState.REFUSED
    assert not Item.objects.exists()


def test_a_judged_file_waits_for_a_yes(now: datetime) -> None:
    judged = sent("item", "number\nA-1\n", now=now, apply=False)
    assert (judged.state, judged.added) == (ImportState.JUDGED, 1)
    assert not Item.objects.exists()
    assert imports.confirm(judged.pk, who=None, now=now)
    imports.work()
    judged.refresh_from_db()
    assert judged.state == ImportState.DONE
    assert Item.objects.count() == 1
    assert not ImportPart.objects.exists()
    assert not ImportRow.objects.exists()


def test_what_overlaps_a_row_that_is_there_is_told(now: datetime) -> None:
    first = {"number": "A-1", "valid_from": "2026-01-01", "valid_to": "2026-06-01"}
    put("item", first, {"number": "A-1", "valid_from": "2026-06-01"}, now=now)
    judged = sent("item", "number,valid_from\nA-1,2026-03-01\n", now=now, apply=False)
    assert reasons(judged) == {
        2: "holds at the same time as what is valid from 2026-01-01: say valid_to"
    }


def test_a_row_that_begins_later_ends_the_one_before(now: datetime) -> None:
    put("item", {"number": "A-1", "title": "Old"}, now=now)
    assert counts(sent("item", "number,title,valid_from\nA-1,New,2026-07-01\n", now=now)) == (
        1,
        0,
        0,
        0,
    )
    old, new = Item.objects.order_by("pk")
    assert old.valid_to == new.valid_from


def test_a_mapping_of_a_source_that_is_not_there_is_told(shop: Source, now: datetime) -> None:
    text = "table,source,theirs,ours\nitem,shop,W-1,A-1\nitem,shpo,W-2,A-2\n"
    assert reasons(sent("mapping", text, now=now)) == {3: "there is no source of this slug"}
    assert not WordMapping.objects.exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"number,colour\nA-1,red\n", "There is no column 'colour'."),
        (b"title\nOne\n", "The column number is missing"),
        (b"number,number\nA,B\n", "names a column twice"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b'number\n"A-1\n', "can't be read"),
        (b"\n\n", "The file is empty"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, why: str, now: datetime) -> None:
    refused = sent("item", content, now=now)
    assert refused.state == ImportState.REFUSED
    assert why in refused.detail


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_newlines_in_quotes_and_a_mark_at_the_beginning_are_read(
    delimiter: str, now: datetime
) -> None:
    text = delimiter.join(("number", "title")) + "\r\n" + delimiter.join(("A-1", '"a ""b"" c"'))
    assert counts(sent("item", "\ufeff" + text, now=now)) == (1, 0, 0, 0)
    assert Item.objects.get().title == 'a "b" c'


def test_a_workbook_is_read_with_its_days_and_numbers(now: datetime) -> None:
    rows = [
        ("Item", "Unit", "Base unit", "Numerator", "Valid from"),
        ("A-1", "BX", "EA", 1000, 46023),
        ("A-2", "BX", "EA", 12, ""),
    ]
    assert counts(sent("unit", workbook(rows), now=now, format="xlsx")) == (2, 0, 0, 0)
    first = UnitFactor.objects.get(item="A-1")
    assert first.numerator == 1000
    assert first.valid_from is not None
    assert first.valid_from.date().isoformat() == "2026-01-01"


def test_texts_that_look_like_formulas_leave_as_texts_and_come_back_unchanged(
    now: datetime,
) -> None:
    titles = ["=1+1", "+1", "-1", "@x", "'=1", "plain", "''x"]
    put("item", *({"number": f"A-{n}", "title": t} for n, t in enumerate(titles)), now=now)
    text = b"".join(export.csv_lines(TABLES["item"])).decode()
    cells = [line.split(",")[1] for line in text.splitlines()[1:]]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert counts(sent("item", text, now=now)) == (0, 0, len(titles), 0)
    book = export.xlsx_file(TABLES["item"]).read()
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")
    assert counts(sent("item", book, now=now, format="xlsx")) == (0, 0, len(titles), 0)


def test_numbers_stay_numbers_in_a_workbook(now: datetime) -> None:
    put("unit", {"unit": "BX", "base": "EA", "numerator": 1000}, now=now)
    book = export.xlsx_file(TABLES["unit"]).read()
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        assert b"<v>1000</v>" in parts.read("xl/worksheets/sheet1.xml")


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
def test_hostile_workbooks_are_refused(sheet: bytes, now: datetime) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr(
            "xl/workbook.xml", '<workbook><sheet name="a" r:id="r1" xmlns:r="r"/></workbook>'
        )
        parts.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        parts.writestr("xl/worksheets/sheet1.xml", sheet)
    refused = sent("item", file.getvalue(), now=now, format="xlsx")
    assert refused.state == ImportState.REFUSED
    assert refused.detail


def test_a_workbook_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "INFLATED", 100_000)
    book = workbook([("number",), *((f"A-{n}",) for n in range(9_000))])
    with pytest.raises(BadFile, match="too large when unpacked"):
        list(files.read(TABLES["item"], "xlsx", [book]))


def test_what_is_no_workbook_is_refused() -> None:
    with pytest.raises(BadFile, match="not an XLSX"):
        list(files.read(TABLES["item"], "xlsx", [b"number\nA-1\n"]))


def test_a_file_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setitem(files.LARGEST, "csv", 10)
    with pytest.raises(BadFile, match="larger"):
        sent("item", "number\n" + "A" * 40, now=now)
    assert not MasterImport.objects.exists()


@pytest.mark.parametrize("after", [1, 3])
def test_a_worker_that_is_to_end_leaves_the_file_to_the_next(after: int, now: datetime) -> None:
    kept = imports.keep(
        TABLES["item"], [b"number\nA\n"], name="f", format="csv", apply=True, who=None, now=now
    )
    asked = iter([False] * after + [True] * 99)
    imports.work(imports.Pace(stop=lambda: next(asked)))
    kept.refresh_from_db()
    assert kept.state == ImportState.READING
    assert kept.attempts == 0
    assert not Item.objects.exists()
    imports.work()
    assert Item.objects.get().number == "A"


def test_a_file_that_ends_its_worker_again_and_again_is_refused(now: datetime) -> None:
    imports.keep(
        TABLES["item"], [b"number\nA\n"], name="f", format="csv", apply=True, who=None, now=now
    )
    MasterImport.objects.update(attempts=imports.ATTEMPTS)
    imports.work()
    assert MasterImport.objects.get().state == ImportState.REFUSED


def test_twenty_thousand_rows_load_in_pieces_while_messages_flow(
    erp: Source, now: datetime
) -> None:
    lines = "".join(f"A-{n},Article {n}\n" for n in range(20_000))
    numbers: list[str] = []

    def between(_: float) -> None:
        if len(numbers) < 3:
            numbers.append(told(erp, f"SO-{len(numbers)}", "A-7").number)

    kept = imports.keep(
        TABLES["item"],
        [f"number,title\n{lines}".encode()],
        name="f",
        format="csv",
        apply=True,
        who=None,
        now=now,
    )
    imports.work(imports.Pace(share=1.0, rest=between))
    kept.refresh_from_db()
    assert (kept.state, kept.added, kept.done) == (ImportState.DONE, 20_000, 20_000)
    assert Item.objects.count() == 20_000
    assert numbers == ["SO-0", "SO-1", "SO-2"]
