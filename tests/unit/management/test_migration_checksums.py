"""The migration lock detects changes of released migrations."""

from pathlib import Path

import pytest

from visibility.management.migration_checksums import (
    MIGRATIONS,
    LockConflict,
    describe_changed_and_unlocked,
    lock_new_migrations,
    read_locked_digests,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one locked migration."""
    (tmp_path / "0001_first.py").write_text("a = 1\n")
    lock_new_migrations(tmp_path)
    return tmp_path


def test_all_migrations_of_the_product_are_locked_and_unchanged() -> None:
    assert describe_changed_and_unlocked(MIGRATIONS) == []


def test_new_migration_is_reported_until_it_is_locked(folder: Path) -> None:
    (folder / "0002_second.py").write_text("b = 1\n")
    assert describe_changed_and_unlocked(folder) == [
        "0002_second.py is not in LOCK: run `manage.py lock_migrations`."
    ]
    assert lock_new_migrations(folder) == ["0002_second.py"]
    assert describe_changed_and_unlocked(folder) == []
    assert list(read_locked_digests(folder)) == ["0001_first.py", "0002_second.py"]


def test_edited_migration_is_reported_and_cannot_be_locked(folder: Path) -> None:
    (folder / "0001_first.py").write_text("a = 2\n")
    assert describe_changed_and_unlocked(folder) == [
        "0001_first.py was edited after it was locked."
    ]
    with pytest.raises(LockConflict, match="was edited"):
        lock_new_migrations(folder)


@pytest.mark.parametrize("rename", [True, False])
def test_removed_or_renamed_migration_is_reported(folder: Path, rename: bool) -> None:
    if rename:
        (folder / "0001_first.py").rename(folder / "0001_other.py")
    else:
        (folder / "0001_first.py").unlink()
    problems = describe_changed_and_unlocked(folder)
    assert problems[0] == "0001_first.py is locked and was removed or renamed."
    assert len(problems) == 1 + rename
    with pytest.raises(LockConflict):
        lock_new_migrations(folder)
