"""Backups through the commands, on the test database and on an embedded one."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import User

from tests import product as product_module
from tests.builders.exported_order import receive_story
from tests.product import ROOT, Product
from visibility.db.database_time import database_now
from visibility.launcher.instance_lock_and_environment import unfinished_restore
from visibility.models.audit import append_audit_entry
from visibility.operations.backup_container import BackupError, new_backup
from visibility.operations.backups import BackupSummary, check_backup
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db(transaction=True)
PASSPHRASE = "correct horse battery"


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """An installation with an account, orders, a connector and audit entries."""
    ada = User.objects.create_user("ada", password=PASSPHRASE, first_name="Ada\tλ\\N")
    receive_story()
    job_functions.process_messages_and_refold()
    append_audit_entry("test.done", user=ada, object="", detail={}, now=database_now())
    folder = tmp_path / "data"
    (folder / "connectors" / "north").mkdir(parents=True)
    (folder / "connectors" / "north" / "manifest.yaml").write_text("name: north\n")
    return Product(folder, BACKUP_PASSPHRASE=PASSPHRASE)


@pytest.fixture
def empty_database() -> Iterator[str]:
    with product_module.empty_database() as url:
        yield url


def run(product: Product, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**product.environment, **environment}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={name: value for name, value in variables.items() if value},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.mark.slow
def test_restored_database_says_the_same(
    product: Product, empty_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "monday.backup"
    # As while a key is replaced: the backup has both.
    key, older = product.environment["SECRET_KEY"], "f" * 40
    product.environment["SECRET_KEY_FALLBACKS"] = older
    written = product.manage("backup", str(file))
    assert "checking the file" in written
    assert file.stat().st_mode & 0o777 == 0o600
    as_of = database_now().isoformat()
    state = product.manage("dump_state", "--as-of", as_of)
    assert "SO-" in state

    elsewhere = {"DATABASE_URL": empty_database, "DATA_DIR": str(tmp_path / "new")}
    other_key = run(product, "restore", str(file), **elsewhere, SECRET_KEY="k" * 40)
    assert "not that of the backup" in other_key.stderr
    elsewhere["SECRET_KEY_FALLBACKS"] = ""
    without_older = run(product, "restore", str(file), **elsewhere)
    assert "needs its older keys, too" in without_older.stderr
    # After the replacement was finished here, the key of the backup is an older one.
    elsewhere |= {"SECRET_KEY": "n" * 40, "SECRET_KEY_FALLBACKS": f"{key},{older}"}
    restored = run(product, "restore", str(file), **elsewhere)
    assert restored.returncode == 0, restored.stderr
    assert "the audit log is complete" in restored.stdout
    assert "the backup has an older key" in restored.stdout
    only_new = run(product, "verify_audit", **elsewhere | {"SECRET_KEY_FALLBACKS": ""})
    assert only_new.returncode == 0, "the entry about the restore is sealed with the new key"
    assert run(product, "dump_state", "--as-of", as_of, **elsewhere).stdout == state
    assert (tmp_path / "new/connectors/north/manifest.yaml").read_text() == "name: north\n"
    with psycopg.connect(empty_database) as connection:
        query = "SELECT first_name FROM auth_user"
        assert connection.execute(query).fetchall() == [("Ada\tλ\\N",)]
        # New rows get new ids, foreign keys and triggers hold.
        query = "INSERT INTO auth_group (name) VALUES ('later') RETURNING id"
        assert connection.execute(query).fetchone()
        with pytest.raises(psycopg.errors.RaiseException), connection.transaction():
            connection.execute("DELETE FROM visibility_auditentry")
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction():
            connection.execute("DELETE FROM auth_user")

    repeated = run(product, "restore", str(file), **elsewhere)
    assert repeated.returncode == 1
    assert "does not overwrite" in repeated.stderr
    assert_changes_are_noticed(file)


def assert_changes_are_noticed(file: Path) -> None:
    """Nothing is readable without the passphrase, and every change is noticed."""
    content = bytearray(file.read_bytes())
    assert b"auth_user" not in content
    with (
        pytest.raises(BackupError, match=r"exists\. Choose another name\."),
        new_backup(file, "p" * 12),
    ):
        pass
    with pytest.raises(BackupError, match="at least 12 characters"), new_backup(file, "short"):
        pass
    with pytest.raises(BackupError, match="passphrase is wrong"):
        check_backup(file, "another passphrase")
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        check_backup(file, PASSPHRASE)
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupError, match="not a backup of this product, or incomplete"):
        check_backup(file, PASSPHRASE)


@pytest.mark.slow
def test_stopped_installation_is_replaced_only_on_request(product: Product, tmp_path: Path) -> None:
    file, folder = tmp_path / "monday.backup", tmp_path / "embedded"
    product.manage("backup", str(file))
    embedded = {"DATABASE_URL": "", "REDIS_URL": "", "SECRET_KEY": "", "DATA_DIR": ""}
    first_key = product.environment["SECRET_KEY"]

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(product, *arguments, "--data", str(folder), **embedded)

    restored = command("restore", str(file))
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert (folder / "secret.key").read_text().strip() == product.environment["SECRET_KEY"]
    assert (folder / "mode").read_text() == "empty\n"
    assert (folder / "connectors/north/manifest.yaml").exists()
    refused = command("restore", str(file))
    assert refused.returncode == 1
    assert "contains data" in refused.stdout + refused.stderr

    second = tmp_path / "tuesday.backup"
    assert command("backup", str(second)).returncode == 0
    first_rows, second_rows = (
        {table: rows for table, rows in summary(path).rows.items() if "audit" not in table}
        for path in (file, second)
    )
    assert second_rows == first_rows
    assert summary(second).rows["visibility_auditentry"] == (
        summary(file).rows["visibility_auditentry"] + 1
    )
    replaced = command("restore", str(second), "--replace")
    assert replaced.returncode == 0, replaced.stdout + replaced.stderr
    assert not (folder / "restore.new").exists()
    assert_key_is_replaced(command, folder, first_key, tmp_path / "wednesday.backup")

    # A restore that was killed while files changed places.
    unfinished_restore(folder).touch()
    assert "A restore was interrupted" in "".join(command("up", "--empty").stderr)


def assert_key_is_replaced(
    command: Callable[..., subprocess.CompletedProcess[str]], folder: Path, first: str, file: Path
) -> None:
    """The command makes the new key, and keeps the old one until --remove-old-keys."""
    fallbacks = folder / "secret.key.fallbacks"
    replaced = command("replace_secret_key")
    assert replaced.returncode == 0, replaced.stdout + replaced.stderr
    assert "Nothing stored needs the older keys" in replaced.stdout
    new = (folder / "secret.key").read_text().strip()
    assert (new != first, fallbacks.read_text().strip()) == (True, first)
    assert command("backup", str(file)).returncode == 0
    assert (summary(file).secret_key, summary(file).fallback_keys) == (new, (first,))
    removed = command("replace_secret_key", "--remove-old-keys")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert not fallbacks.exists()
    restored = command("restore", str(file), "--replace")
    assert "the audit log is complete" in restored.stdout
    assert fallbacks.read_text().strip() == first


def summary(path: Path) -> BackupSummary:
    return check_backup(path, PASSPHRASE)
