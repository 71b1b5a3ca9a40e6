"""`manage.py master`: import and export of tables."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from visibility.models import ImportRow, Item

pytestmark = pytest.mark.django_db


def run_command(*arguments: str) -> str:
    out = StringIO()
    call_command("master", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_export_can_be_imported_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,title\nA-1,=1+1\nB-2,Two\n")
    assert "added 2" in run_command("import", "item", str(tmp_path / "a.csv"))
    for name in ("b.csv", "b.xlsx"):
        run_command("export", "item", str(tmp_path / name))
        assert "added 0  changed 0  unchanged 2" in run_command(
            "import", "item", str(tmp_path / name)
        )


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number\nA-1\n")
    text = run_command("import", "item", str(tmp_path / "a.csv"), "--dry-run")
    assert "added 1" in text
    assert "nothing was saved" in text
    assert not Item.objects.exists()


def test_invalid_rows_are_listed_and_the_command_fails(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,unit\nA-1,\n,EA\n")
    out = StringIO()
    with pytest.raises(CommandError, match="Nothing was saved"):
        call_command("master", "import", "item", str(tmp_path / "a.csv"), stdout=out, stderr=out)
    assert "row 3: number is missing" in out.getvalue()
    assert not Item.objects.exists()
    assert not ImportRow.objects.exists()


@pytest.mark.parametrize("name", ["none.csv", "a.txt"])
def test_missing_or_unsupported_file_fails(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError):
        run_command("import", "item", str(tmp_path / name))
