"""Quiet hours, request limits, and rare attempts after many failures, over real HTTP."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.polled_systems import PolledSystem, running_system, send_json
from tests.builders.users import signed_in
from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.alerts.source_alerts import update_source_alerts
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import (
    InvalidSource,
    add_source,
    change_settings,
)
from visibility.ingest.limited_requests import delete_old_request_counts
from visibility.models import Alert, PollRound, RequestCount, Source
from visibility.pipeline import job_functions
from visibility.sla.poll_limits import parse_quiet_hours, quiet_until
from visibility.storage.organization import organization_time_zone
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a-bearer-token-of-24-bytes-or-more"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def fail(handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
    send_json(handler, {}, status=500)


def send_numbered_order(handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
    at = "2026-03-04T10:00:00Z"
    row = {"id": "o1", "number": "SO-1", "orderDate": "2026-03-04", "lastModifiedDateTime": at}
    send_json(handler, {"value": [row] if "/salesOrders" in handler.path else []})


@pytest.fixture
def system(settings: Settings) -> Iterator[PolledSystem]:
    with running_system(send_numbered_order) as running:
        settings.OUTGOING_ALLOWED = [running.address]
        yield running


@pytest.fixture
def erp(system: PolledSystem) -> Source:
    config = {"base_url": system.base_url}
    return add_source(
        "erp", connector="business_central", config=config, secret=SECRET, now=database_now()
    ).source


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def poll() -> Source:
    """Poll the source, as if it were due."""
    Source.objects.update(next_poll_at=database_now() - MINUTE)
    now = database_now()
    for claimed in polling.claim_due_polls(now, limit=1, slow_limit=1):
        polling.poll_source(claimed, now=now)
    return Source.objects.get()


def set_limits(source: Source, **settings: str) -> None:
    change_settings(source, settings, now=database_now())


def page(client: Client, tab: str = "overview") -> str:
    return " ".join(client.get(f"/sources/erp?tab={tab}").content.decode().split())


def hours_around(now: datetime) -> str:
    local = now.astimezone(ZoneInfo(organization_time_zone()))
    return f"{local - 2 * HOUR:%H:%M}-{local + 2 * HOUR:%H:%M}"


def test_a_source_is_not_polled_in_its_quiet_hours_and_is_not_silent(
    erp: Source, system: PolledSystem, integrator: Client
) -> None:
    poll()
    sent = len(system.requested_at)
    set_limits(erp, quiet_hours=hours_around(database_now()))
    row = poll()
    assert len(system.requested_at) == sent
    until = quiet_until(row.config, database_now())
    assert until is not None
    assert row.next_poll_at == until
    assert HOUR < until - database_now() < 2 * HOUR + MINUTE
    assert PollRound.objects.count() == 1, "no poll took place"
    assert "Quiet hours until" in page(integrator)

    # Its silence limit of an hour has passed.
    Source.objects.update(polled_until=database_now() - 3 * HOUR)
    later = database_now() + HOUR
    evidence = load_source_evidence(Source.objects.all(), later)[erp.pk]
    assert str(evidence.silence) == "is not polled during its quiet hours"
    update_source_alerts(now=later)
    assert not Alert.objects.filter(rule__kind="source_silent").exists()
    refused = integrator.post("/sources/erp/poll", follow=True).content.decode()
    assert "Its quiet hours last until" in refused


def test_quiet_hours_that_begin_during_a_round_end_it_after_the_page(
    erp: Source, system: PolledSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = database_now() + HOUR
    calls = iter([None, ends])
    monkeypatch.setattr(polling, "quiet_until", lambda *_: next(calls, ends))
    poll()
    assert len(system.requested_at) == 1


def test_a_limit_by_hour_holds_across_polls_and_is_no_failure(
    erp: Source, system: PolledSystem, integrator: Client
) -> None:
    set_limits(erp, request_limits="4/h")
    poll()
    assert len(system.requested_at) == 3
    row = poll()
    assert len(system.requested_at) == 4
    row = poll()
    assert len(system.requested_at) == 4, "also in the next round, which has its own process"
    assert row.throttled_until is not None
    assert 59 * MINUTE < row.throttled_until - database_now() < 62 * MINUTE
    assert (row.failing_since, row.poll_failures) == (None, 0)
    text = page(integrator)
    assert "Throttled until" in text
    assert "4 requests per hour, which is set for this source" in text
    assert "Throttled" in integrator.get("/sources").content.decode()
    refused = integrator.post("/sources/erp/poll", follow=True).content.decode()
    assert "It is throttled until" in refused
    update_source_alerts(now=database_now())
    assert not Alert.objects.exists()
    assert not PollRound.objects.filter(is_throttled=False).exclude(error="").exists()
    # An hour later the window is free.
    RequestCount.objects.update(minute=database_now() - HOUR - 2 * MINUTE)
    assert poll().poll_error == ""
    assert len(system.requested_at) == 7


def test_requests_within_a_minute_are_spread(erp: Source, system: PolledSystem) -> None:
    set_limits(erp, request_limits="120/min")
    poll()
    gaps = [later - before for before, later in pairwise(system.requested_at)]
    assert len(gaps) == 2
    assert min(gaps) >= 0.49


def test_a_failing_source_is_tried_rarely_and_a_person_can_try_it_now(
    erp: Source, settings: Settings, integrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", lambda _name: None)
    with running_system(fail) as failing:
        settings.OUTGOING_ALLOWED = [*settings.OUTGOING_ALLOWED, failing.address]
        good = erp.config["base_url"]
        change_settings(erp, {"base_url": failing.base_url}, now=database_now())
        pauses = []
        for _ in range(10):
            row = poll()
            assert row.next_poll_at is not None
            pauses.append((row.next_poll_at - database_now()).total_seconds())
        assert pauses[0] < 67
        assert all(55 < pause < 67 for pause in pauses[1:5])
        assert all(110 < pause < 133 for pause in pauses[5:6])
        assert all(850 < pause < 991 for pause in pauses[9:])
        text = page(integrator)
        assert "It is tried less often after 10 failures in a row. The next attempt is at" in text
        change_settings(erp, {"base_url": good}, now=database_now())
    Source.objects.update(next_poll_at=database_now() + 10 * MINUTE)
    answer = integrator.post("/sources/erp/poll", follow=True)
    assert "is polled within seconds" in answer.content.decode()
    now = database_now()
    (claimed,) = polling.claim_due_polls(now, limit=1, slow_limit=1)
    polling.poll_source(claimed, now=now)
    row = Source.objects.get()
    assert (row.poll_error, row.poll_failures) == ("", 0)


def test_poll_now_leaves_the_lease_of_a_running_poll(erp: Source, integrator: Client) -> None:
    Source.objects.update(next_poll_at=database_now() - MINUTE)
    (claimed,) = polling.claim_due_polls(database_now(), limit=1, slow_limit=1)
    integrator.post("/sources/erp/poll")
    row = Source.objects.get()
    assert row.next_poll_at is not None
    assert row.next_poll_at > database_now() + MINUTE
    polling.poll_source(claimed, now=database_now())
    row = Source.objects.get()
    assert row.next_poll_at is not None
    assert row.next_poll_at < database_now() + timedelta(seconds=6), "another poll follows"


def test_the_page_shows_how_many_requests_each_order_needs(erp: Source, integrator: Client) -> None:
    poll()
    job_functions.process_messages_and_refold()
    expected = "3 requests in the last 24 hours for 1 order: 3.0 for each order."
    assert expected in page(integrator, "jobs")
    assert delete_old_request_counts(now=database_now()) == 0
    assert delete_old_request_counts(now=database_now() + timedelta(days=9)) == 1


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("quiet_hours", "22-6", "not a range such as 22:00-06:00"),
        ("quiet_hours", "25:00-06:00", "not a range"),
        ("quiet_hours", "06:00-06:00", "begins when it ends"),
        ("quiet_hours", "00:00-12:00, 12:00-00:00", "leave no time to poll"),
        ("request_limits", "60", "not a limit such as 60/min"),
        ("request_limits", "0/min", "not between 1 and 1,000,000"),
        ("request_limits", "5/min, 6/min", "one limit for each"),
    ],
)
def test_invalid_limits_are_refused_where_they_are_entered(
    erp: Source, name: str, text: str, sentence: str
) -> None:
    with pytest.raises(InvalidSource) as caught:
        set_limits(erp, **{name: text})
    assert sentence in caught.value.errors[0].sentence


def test_ranges_that_touch_are_one() -> None:
    assert len(parse_quiet_hours("22:00-00:00, 00:00-06:00")) == 2
    zone = ZoneInfo(organization_time_zone())
    config = {"quiet_hours": "22:00-00:00, 00:00-06:00"}
    at = datetime(2026, 3, 2, 23, 0, tzinfo=zone)
    assert quiet_until(config, at) == datetime(2026, 3, 3, 6, 0, tzinfo=zone)
    assert quiet_until(config, datetime(2026, 3, 2, 12, 0, tzinfo=zone)) is None
