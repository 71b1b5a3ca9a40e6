"""The page and the call that describe the installation."""

import json
import shutil
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

import visibility
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from tests.builders.watched_source import set_received_at_of_waiting_messages, store_message
from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.models import AuditEntry, BusinessObject, Heartbeat, RefoldRequest
from visibility.models.heartbeats import SCHEDULER, WORKER
from visibility.notify.publish_change_number import Broadcaster, broadcaster
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def page() -> str:
    return signed_in(UserRole.ADMIN).get("/system").content.decode()


def call() -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(signed_in(UserRole.ADMIN).get("/api/v1/system").content)
    return answer


def process(name: str) -> dict[str, Any]:
    return next(entry for entry in call()["processes"] if entry["name"] == name)


def test_version_is_that_of_the_package() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert visibility.__version__ == project["version"]
    assert call()["versions"]["Throughline"] == project["version"]
    assert project["version"] in page()


def test_waiting_messages_are_counted_and_lead_to_their_list(now: datetime) -> None:
    assert "No message waits to be processed." in page()
    source = create_source()
    for number in range(3):
        store_message(source, "order.received", now, f"SO-{number}")
    set_received_at_of_waiting_messages(now - 2 * HOUR)
    work = call()["work"]
    assert work["messages"] == 3
    assert datetime.fromisoformat(work["oldest_message_at"]) == now - 2 * HOUR
    text = page()
    assert "3 messages waiting, the oldest from 2 h ago." in text
    assert '<a href="/messages?state=waiting">3</a>' in text
    messages = signed_in(UserRole.ADMIN).get("/api/v1/messages?state=waiting").json()
    assert len(messages["items"]) == 3


def test_an_order_with_several_changes_waits_once(now: datetime) -> None:
    order = BusinessObject.objects.create(kind="order")
    for _ in range(2):
        RefoldRequest.objects.create(object=order, due_at=now - HOUR)
    work = call()["work"]
    assert work["orders"] == 1
    assert datetime.fromisoformat(work["oldest_order_at"]) == now - HOUR


def test_process_without_recorded_work_is_not_shown_as_working(now: datetime) -> None:
    assert not process(WORKER)["is_working"]
    assert page().count("No work recorded") == 2
    Heartbeat.objects.create(name=WORKER, at=now)
    Heartbeat.objects.create(name=SCHEDULER, at=now - timedelta(minutes=5))
    assert process(WORKER)["is_working"]
    assert not process(SCHEDULER)["is_working"]
    text = page()
    assert "Does no work" in text
    assert "The scheduler has done no work for 5 min" in text
    assert "1 problem known." in text


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_latest_backup_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    assert call()["backup"] is None
    assert "No backup recorded" in page()
    monkeypatch.setenv("BACKUP_PASSPHRASE", "a passphrase of enough letters")
    call_command("backup", str(tmp_path / "monday.backup"))
    backup = call()["backup"]
    assert backup["file"] == "monday.backup"
    assert backup["bytes"] == (tmp_path / "monday.backup").stat().st_size
    assert "Within 7 days" in page()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE visibility_auditentry SET at = %s", [now - timedelta(days=8)])
    assert AuditEntry.objects.filter(action="backup.written").exists()
    assert "Older than 7 days" in page()


def test_full_disk_is_shown(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    disk = next(entry for entry in call()["disks"] if entry["name"] == "data")
    assert disk["path"] == str(tmp_path)
    assert disk["total"] == shutil.disk_usage(tmp_path).total
    assert not disk["is_full"]
    settings.DISK_FLOOR = 2**60
    assert "The disk of the data folder is full" in page()
    assert next(entry for entry in call()["disks"] if entry["name"] == "data")["is_full"]


def test_largest_tables_are_those_of_the_database_with_their_partitions() -> None:
    tables = {entry["name"]: entry["bytes"] for entry in call()["tables"]}
    assert list(tables.values()) == sorted(tables.values(), reverse=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%s)",
            ["visibility_message_body"],
        )
        expected = cursor.fetchone()[0]
    largest = max(tables.values())
    assert tables.get("visibility_message_body", expected) == expected
    assert largest >= expected


def test_redis_that_does_not_answer_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call()["versions"]["Redis or Valkey"].split()[0] in {"Redis", "Valkey"}
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    away = Broadcaster()
    with pytest.raises(redis.RedisError):
        away.client.ping()
    monkeypatch.setattr(broadcaster(), "client", away.client)
    assert call()["versions"]["Redis or Valkey"] == ""
    assert "Does not answer" in page()


def test_number_of_statements_does_not_grow_with_rows(now: datetime) -> None:
    admin, source = signed_in(UserRole.ADMIN), create_source()
    admin.get("/system")
    with CaptureQueriesContext(connection) as few:
        admin.get("/system")
    for number in range(20):
        store_message(source, "order.received", now, f"SO-{number}")
    with CaptureQueriesContext(connection) as many:
        admin.get("/system")
    assert len(many) == len(few)


@pytest.mark.parametrize("role", [role for role in UserRole if role is not UserRole.ADMIN])
def test_the_page_is_for_administrators(role: UserRole) -> None:
    assert signed_in(role).get("/system").status_code == 403
    assert signed_in(role).get("/api/v1/system").status_code == 403
