"""manage.py master: tables in and out."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from visibility.models import ImportRow, Item

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("master", *words, stdout=out, stderr=out)
    return out.getvalue()


def test_a_file_comes_in_and_goes_out_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,title\nA-1,=1+1\nB-2,Two\n")
    assert "added 2" in run("import", "item", str(tmp_path / "a.csv"))
    for name in ("b.csv", "b.xlsx"):
        run("export", "item", str(tmp_path / name))
        assert "added 0  changed 0  unchanged 2" in run("import", "item", str(tmp_path / name))


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number\nA-1\n")
    text = run("import", "item", str(tmp_path / "a.csv"), "--dry-run")
    assert "added 1" in text
    assert "nothing was written" in text
    assert not Item.objects.exists()


def test_rows_that_cannot_be_taken_are_told_and_the_command_fails(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,unit\nA-1,\n,EA\n")
    out = StringIO()
    with pytest.raises(CommandError, match="Nothing was written"):
        call_command("master", "import", "item", str(tmp_path / "a.csv"), stdout=out, stderr=out)
    assert "row 3: number is missing" in out.getvalue()
    assert not Item.objects.exists()
    assert not ImportRow.objects.exists()


@pytest.mark.parametrize("name", ["none.csv", "a.txt"])
def test_what_is_no_file_of_ours_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError):
        run("import", "item", str(tmp_path / name))
