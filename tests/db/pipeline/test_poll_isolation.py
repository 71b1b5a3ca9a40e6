"""Each source is polled by a job of its own: one that misbehaves delays no other, and says why."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import HttpClient, PollContext, PolledPage
from connectors.systems.business_central.connector import BusinessCentral
from tests.builders.polled_systems import (
    PolledSystem,
    Respond,
    drip_body,
    drip_headers,
    running_system,
    send_endless_orders,
    send_endless_pages,
    send_json,
    send_order,
)
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.source_secrets import SourceSecret, encrypt_secrets
from visibility.models import InboundMessage, Source
from visibility.outbound import http_client
from visibility.pipeline import job_functions, tasks_and_fallback_loop
from visibility.pipeline.jobs import BY_NAME
from visibility.pipeline.shutdown_flag import stopping
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a-bearer-token-of-24-bytes-or-more"
SECOND = timedelta(seconds=1)
RESPONSE_SECONDS = 6.0


class Systems:
    """Starts systems, and creates the sources that poll them."""

    def __init__(self, stack: ExitStack, settings: Settings) -> None:
        self._stack, self._settings = stack, settings

    def add(self, slug: str, respond: Respond, **fields: Any) -> PolledSystem:
        system = self._stack.enter_context(running_system(respond))
        self._settings.OUTGOING_ALLOWED = [*self._settings.OUTGOING_ALLOWED, system.address]
        wanted: dict[str, Any] = {
            "title": slug.title(),
            "connector": "business_central",
            "role": "erp",
            "config": {"base_url": system.base_url},
            "sealed_secrets": encrypt_secrets([SourceSecret(SECRET)]),
            "next_poll_at": database_now(),
            "poll_every": SECOND,
        }
        Source.objects.create(slug=slug, **wanted | fields)
        return system


@pytest.fixture
def systems(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    monkeypatch.setattr(http_client, "RESPONSE_SECONDS", RESPONSE_SECONDS)
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", lambda _name: None)
    stopping.clear()
    with ExitStack() as stack:
        yield Systems(stack, settings)
        assert tasks_and_fallback_loop.item_threads["poll"].wait_until_idle(30)


def run_worker(seconds: float) -> None:
    """Run the job every half second, as the scheduler and the fallback loop do."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["poll"])
        time.sleep(0.5)


def poll_once() -> None:
    """Run the job and wait until its rounds have ended."""
    tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["poll"])
    assert tasks_and_fallback_loop.item_threads["poll"].wait_until_idle(30)


def page(slug: str = "") -> str:
    client = signed_in(UserRole.INTEGRATOR, f"ines-{slug}-{time.monotonic()}")
    answer = client.get(f"/sources/{slug}" if slug else "/sources")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


class RaisingConnector(BusinessCentral):
    """A connector with a defect."""

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        raise KeyError("orders")


@pytest.mark.slow
def test_misbehaving_sources_delay_no_other_and_each_page_says_why(
    systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Source.build_connector
    monkeypatch.setattr(
        Source,
        "build_connector",
        lambda row, *secrets: (
            RaisingConnector(row.config) if row.slug == "raising" else build(row, *secrets)
        ),
    )
    minute = timedelta(minutes=1)
    monkeypatch.setattr(polling, "MAX_PAGES", 30)
    dripping = systems.add("dripping", drip_body, poll_every=minute)
    systems.add("dripping-headers", drip_headers, poll_every=minute)
    endless = systems.add("endless", send_endless_pages, poll_every=minute)
    systems.add("raising", send_order, poll_every=minute)
    systems.add("secretless", send_order, sealed_secrets="of another key", poll_every=minute)
    healthy = [systems.add(f"healthy-{n}", send_order) for n in range(3)]

    started = time.monotonic()
    run_worker(RESPONSE_SECONDS + 3)
    assert tasks_and_fallback_loop.item_threads["poll"].wait_until_idle(30)
    for system in healthy:
        rounds = system.requested_at[::3]  # three collections in each round
        assert rounds[0] - started < 2
        assert max(b - a for a, b in pairwise(rounds)) < 3
        assert len(rounds) >= 4
    assert InboundMessage.objects.filter(source__slug__startswith="healthy").count() == 3
    assert len(dripping.requested_at) == 1
    # The first page moves the cursor from nothing to the start, so that a second round follows.
    assert len(endless.requested_at) == 2 * polling.MAX_PAGES

    reasons = {
        "dripping": "polling fails since",
        "dripping-headers": "no response: the response was not complete after 6 s",
        "endless": "the system sends pages without end: 30 of them did not move the cursor",
        "raising": "the connector failed with an internal error (KeyError); see the log",
        "secretless": "its secrets cannot be read: the secrets were encrypted with another",
    }
    listed = page()
    for slug, reason in reasons.items():
        assert reason.lower() in page(slug).lower(), slug
        assert reason in listed, slug
        if slug != "secretless":
            assert "the next attempt is" in page(slug).lower(), slug
    assert "not complete after 6 s" in page("dripping")
    assert "reporting normally" in page("healthy-0").lower()
    health = signed_in(UserRole.INTEGRATOR, "api").get("/api/v1/sources/raising/health").json()
    assert health["state"] == "failing"
    assert "KeyError" in health["reason"]
    assert health["failing_since"]
    assert health["next_poll_at"]


def test_many_slow_sources_leave_threads_for_the_others(systems: Systems) -> None:
    now = database_now()
    for n in range(12):
        systems.add(f"slow-{n}", drip_body, poll_error="timeout", next_poll_at=now - SECOND)
    healthy = systems.add("healthy", send_order, next_poll_at=now)
    tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["poll"])
    tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["poll"])
    deadline = time.monotonic() + 3
    while not healthy.requested_at and time.monotonic() < deadline:
        time.sleep(0.05)
    assert healthy.requested_at
    assert Source.objects.filter(slug__startswith="slow", poll_round=1).count() == 4
    assert tasks_and_fallback_loop.item_threads["poll"].wait_until_idle(30)


def test_two_rounds_of_one_source_do_not_overlap(systems: Systems) -> None:
    system = systems.add("erp", send_order)
    now = database_now()
    (claimed,) = polling.claim_due_polls(now, limit=8, slow_limit=4)
    assert polling.claim_due_polls(now, limit=8, slow_limit=4) == []
    later = now + polling.LEASE
    (next_claimed,) = polling.claim_due_polls(later, limit=8, slow_limit=4)
    assert polling.poll_source(claimed, now=now) == 0
    assert system.requested_at == []
    assert polling.poll_source(next_claimed, now=later) == 1


def test_round_that_lost_its_lease_stores_nothing(systems: Systems) -> None:
    def overtaken(handler: Any, system: PolledSystem) -> None:
        Source.objects.update(poll_round=7)
        connection.close()  # this thread's own
        send_order(handler, system)

    systems.add("erp", overtaken)
    poll_once()
    assert not InboundMessage.objects.exists()
    assert Source.objects.get().poll_error == ""


def test_round_ends_at_its_page_limit_and_the_next_one_continues(systems: Systems) -> None:
    system = systems.add("busy", send_endless_orders)
    poll_once()
    assert len(system.requested_at) == polling.MAX_PAGES
    assert InboundMessage.objects.count() == polling.MAX_PAGES
    assert "Catching up since" in page("busy")
    assert Source.objects.get().polled_until is None
    poll_once()
    assert len(system.requested_at) == 2 * polling.MAX_PAGES
    assert InboundMessage.objects.count() > 1.9 * polling.MAX_PAGES


@pytest.mark.parametrize("respond", [drip_body, drip_headers])
def test_dripping_response_is_cut_at_the_deadline(
    systems: Systems, monkeypatch: pytest.MonkeyPatch, respond: Respond
) -> None:
    monkeypatch.setattr(http_client, "RESPONSE_SECONDS", 2.5)
    systems.add("slow", respond)
    started = time.monotonic()
    poll_once()
    assert 2 < time.monotonic() - started < 5
    assert "the response was not complete after 2 s" in Source.objects.get().poll_error


def test_source_heals_by_itself_and_its_page_says_so(systems: Systems) -> None:
    failing = {"now": True}

    def respond(handler: Any, system: PolledSystem) -> None:
        if failing["now"]:
            send_json(handler, {}, status=500)
        else:
            send_order(handler, system)

    systems.add("erp", respond)
    poll_once()
    failed = Source.objects.get()
    assert failed.failing_since is not None
    assert "Polling fails since" in page("erp")
    poll_now()
    assert Source.objects.get().failing_since == failed.failing_since
    assert Source.objects.get().polled_until is None
    failing["now"] = False
    poll_now()
    healed = Source.objects.get()
    # Everything that the system had when the round began was read.
    assert healed.polled_until is not None
    assert failed.failing_since < healed.polled_until < database_now()
    assert (healed.poll_error, healed.failing_since) == ("", failed.failing_since)
    assert healed.recovered_at is not None
    assert "Reporting normally. It works again since" in page("erp")


def poll_now() -> None:
    Source.objects.update(next_poll_at=database_now())
    poll_once()


@pytest.mark.parametrize(
    ("status", "retry_after", "expected_seconds"),
    [(429, "300", 300), (503, "600", 600), (429, "1e9", 3600), (429, "inf", 3600)],
)
def test_throttled_source_is_not_failing_and_waits_as_asked(
    systems: Systems, status: int, retry_after: str, expected_seconds: int
) -> None:
    systems.add(
        "erp",
        lambda handler, _: send_json(
            handler, {}, status=status, headers={"retry-after": retry_after}
        ),
    )
    poll_once()
    row = Source.objects.get()
    assert row.failing_since is None
    assert row.next_poll_at == row.throttled_until
    assert row.next_poll_at is not None
    waits = (row.next_poll_at - database_now()).total_seconds()
    assert expected_seconds - 10 < waits <= expected_seconds
    shown = page("erp")
    assert re.search(rf"Throttled until (\w+, \w+ \d+, )?{row.next_poll_at:%H:%M}: ", shown)
    assert "Failing" not in shown
    assert "Throttled" in page()
    health = api_client().get("/api/v1/sources/erp/health").json()
    assert health["state"] == "throttled"
    assert health["throttled_until"]


def api_client() -> Client:
    return signed_in(UserRole.INTEGRATOR, f"api-{time.monotonic()}")


@pytest.mark.parametrize("retry_after", ["nan", "-5", "0", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_useless_retry_after_means_the_usual_pause(systems: Systems, retry_after: str) -> None:
    systems.add(
        "erp",
        lambda handler, _: send_json(handler, {}, status=503, headers={"retry-after": retry_after}),
        poll_every=timedelta(minutes=5),
    )
    poll_once()
    row = Source.objects.get()
    assert row.next_poll_at is not None
    assert 50 < (row.next_poll_at - database_now()).total_seconds() < 67
    assert row.failing_since is not None
