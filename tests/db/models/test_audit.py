"""The audit log: changed, deleted and forged entries are detected, and so is a cut end."""

import json
from datetime import datetime
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from visibility.models import AuditEntry, AuditHead, audit
from visibility.models.audit import append_audit_entry, find_audit_violations
from visibility.operations.invariants import check_audit_chain

pytestmark = pytest.mark.django_db
MIGRATION = import_module("visibility.migrations.0020_audit_head_and_heartbeats")


@pytest.fixture
def entries(now: datetime) -> list[AuditEntry]:
    """Five entries in the log."""
    return append(now, 5)


def append(now: datetime, count: int = 1) -> list[AuditEntry]:
    for number in range(count):
        append_audit_entry("tested", user=None, object=str(number), detail={}, now=now)
    return list(AuditEntry.objects.order_by("id"))


def verify(*arguments: str) -> dict[str, Any]:
    output = StringIO()
    call_command("verify_audit", *arguments, stdout=output)
    counts: dict[str, Any] = json.loads(output.getvalue())
    return counts


@pytest.mark.usefixtures("entries")
def test_complete_log_has_no_violations() -> None:
    assert find_audit_violations() == []
    assert verify()["entries"] == 5


@pytest.mark.parametrize("remaining", [0, 1, 4])
def test_deleted_last_entries_are_detected(entries: list[AuditEntry], remaining: int) -> None:
    AuditEntry.objects.filter(id__in=[entry.id for entry in entries[remaining:]]).delete()
    sentence = f"{5 - remaining} of 5 sealed audit entries are missing"
    assert check_audit_chain() == [sentence]
    with pytest.raises(CommandError, match=sentence):
        verify()


def test_deleted_last_entries_stay_detected_after_more_entries(
    entries: list[AuditEntry], now: datetime
) -> None:
    entries[-1].delete()
    later = append(now)
    assert f"audit entry {later[-1].id} breaks the hash chain" in find_audit_violations()
    append(now, 3)
    assert "1 of 9 sealed audit entries are missing" in find_audit_violations()


def test_rewritten_chain_is_detected(entries: list[AuditEntry]) -> None:
    """Everybody can compute the hashes of the chain again, but nobody the seal."""
    last = entries[-1]
    last.object = "another"
    last.digest = audit.entry_digest(last)
    last.save()
    assert find_audit_violations() == [
        "the last sealed audit entry is not the one that was written"
    ]
    AuditHead.objects.update(digest=last.digest)
    assert "was changed" in find_audit_violations()[0]


def test_deleted_head_is_detected_and_not_replaced(
    entries: list[AuditEntry], now: datetime
) -> None:
    AuditHead.objects.all().delete()
    append(now)
    assert find_audit_violations() == ["the sealed head of the audit log is missing"]


def test_entries_of_a_release_without_a_head_are_included(
    entries: list[AuditEntry], now: datetime
) -> None:
    old = AuditEntry(at=now, action="old", detail={}, previous_digest=entries[-1].digest)
    old.digest = audit.entry_digest(old)
    old.save()
    assert find_audit_violations() == []
    append(now)
    assert find_audit_violations() == []
    assert AuditHead.objects.get().entries == 7


def test_log_under_a_new_key_is_sealed_again_on_request(
    entries: list[AuditEntry], settings: Settings
) -> None:
    settings.SECRET_KEY = "another key of at least 32 characters"
    with pytest.raises(CommandError, match="sealed with another SECRET_KEY"):
        verify()
    assert verify("--reseal")["entries"] == 6
    resealed = AuditEntry.objects.get(action="audit.resealed")
    assert "another SECRET_KEY" in resealed.detail["before"][0]


def test_head_noted_elsewhere_must_still_be_in_the_log(
    entries: list[AuditEntry], now: datetime
) -> None:
    earlier = verify()["head"]
    append(now)
    assert verify("--expect-head", earlier)["broken"] == 0
    with pytest.raises(CommandError, match="the entry 00 is missing"):
        verify("--expect-head", "00")


def test_migration_seals_an_existing_log(entries: list[AuditEntry]) -> None:
    AuditHead.objects.all().delete()
    with connection.schema_editor() as editor:
        MIGRATION.seal_end(apps, editor)
    assert find_audit_violations() == []
    entries[-1].delete()
    assert find_audit_violations() == ["1 of 5 sealed audit entries are missing"]
