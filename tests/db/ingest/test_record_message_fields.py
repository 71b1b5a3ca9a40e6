"""The record of the fields of messages, and the drift that it shows."""

from datetime import datetime, timedelta

import orjson
import pytest

from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest import record_field_changes
from visibility.ingest import record_message_fields as fields
from visibility.models import Source, SourceField, SourceFieldChange, SourceFieldSample
from visibility.screens.sources.field_drift import FieldChange, load_field_drift
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def source() -> Source:
    return create_source()


def sample(source: Source, at: datetime, *documents: object, state: str = "applied") -> int:
    """Record these documents as if the job ran then."""
    for document in documents:
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        message(source, body=body, received_at=at, state=state)
    return fields.record_message_fields(at)


def test_a_source_has_a_limited_number_of_fields(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_field_changes, "MAX_FIELDS_PER_SOURCE", 3)
    now = database_now()
    sample(source, now, {"a": 1, "b": 1})
    sample(source, now, {"c": 1, "d": 1, "e": 1})
    assert SourceField.objects.count() == 3


def test_what_is_no_json_or_old_is_not_read(source: Source) -> None:
    now = database_now()
    assert sample(source, now, b"ISA*00*", b"\xff") == 0
    message(source, body=b'{"old": 1}', received_at=now - timedelta(hours=1))
    assert fields.record_message_fields(now) == 0
    assert not SourceFieldSample.objects.exists()


def settle() -> None:
    """Let the learned schemas rest on many messages."""
    SourceFieldSample.objects.update(message_count=100)


def test_recorded_changes_of_the_last_weeks(source: Source) -> None:
    now = database_now()
    sample(source, now - 10 * DAY, {"id": 1, "qty": 2, "gone_soon": "x"})
    settle()
    sample(source, now - 2 * DAY, {"id": 1, "qty": "2", "fresh": "y"})
    sample(source, now, {"id": 1, "qty": "2", "fresh": "y"})
    [drift] = load_field_drift(source, now)
    assert drift.fields == 4
    assert drift.appeared == [FieldChange("fresh", "text", now - 2 * DAY, is_read=False)]
    assert drift.retyped == [FieldChange("qty", "text", now - 2 * DAY, "number", is_read=False)]
    assert drift.missing == [FieldChange("gone_soon", "", now - 2 * DAY, "text", is_read=False)]
    # They stay in the list after a person accepted them.
    SourceFieldChange.objects.update(accepted_at=now)
    page = signed_in(UserRole.OPERATIONS).get("/sources/wms?tab=drift").content.decode()
    for shown in ("Type changed", "Missing", "New", "number → text", "gone_soon"):
        assert shown in page


def test_what_is_known_from_the_start_is_no_drift(source: Source) -> None:
    now = database_now()
    sample(source, now - timedelta(hours=3), {"id": 1})
    settle()
    sample(source, now, {"id": 1, "late": 1})
    [drift] = load_field_drift(source, now)
    assert not drift.has_changes
    page = signed_in(UserRole.OPERATIONS).get("/sources/wms?tab=drift").content.decode()
    assert "No field appeared, disappeared or changed its type" in page


def test_changes_older_than_four_weeks_are_not_shown(source: Source) -> None:
    now = database_now()
    sample(source, now - 60 * DAY, {"id": 1, "left": 1})
    settle()
    sample(source, now - 40 * DAY, {"id": 1, "came": 1})
    assert SourceFieldChange.objects.count() == 2
    assert not load_field_drift(source, now)[0].has_changes


def test_fields_that_were_not_seen_for_long_are_deleted(source: Source) -> None:
    now = database_now()
    sample(source, now - 100 * DAY, {"id": 1})
    fields.record_message_fields(now)
    assert not SourceField.objects.exists()
