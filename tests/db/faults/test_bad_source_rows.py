"""A bad stored row of a source stops neither the pages nor the worker, and its page says why."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.builders.users import signed_in
from tests.builders.watched_source import store_message
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import InboxUnavailable
from visibility.ingest.source_secrets import SourceSecret, encrypt_secrets
from visibility.models import InboundMessage, Order, Source
from visibility.pipeline import job_functions, tasks_and_fallback_loop
from visibility.pipeline.jobs import BY_NAME
from visibility.web.intake.source_cache import SourceCache
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a-bearer-token-of-24-bytes-or-more"
BAD_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "role": ({"role": "boss"}, "its stored role 'boss' is unknown"),
    "connector": ({"connector": "removed"}, "this version has no connector 'removed'"),
    "config-list": ({"config": ["drop"]}, "its stored settings are not pairs"),
    "config-null": ({"config": 7}, "its stored settings are not pairs"),
    "secrets": ({"sealed_secrets": "x"}, "its secrets cannot be read"),
    "folder": ({"config": {"drop": "/no/such/folder"}}, "/no/such/folder is not a folder"),
    "folder-number": ({"config": {"drop": 7}}, "the setting drop is not the name of a folder"),
    "scheme": (
        {"connector": "business_central", "config": {"base_url": "ftp://erp.example/api"}},
        "is not an http or https URL",
    ),
    "port": (
        {"connector": "business_central", "config": {"base_url": "http://erp.example:x/api"}},
        "is not an http or https URL",
    ),
    "base-url": (
        {"connector": "business_central", "config": {"base_url": 7}},
        "is not an http or https URL",
    ),
    "zone": ({"config": {"zone": "Mars/Olympus"}, "expect_every": timedelta(days=9e8)}, ""),
    "poll-interval": ({"poll_every": timedelta(days=-9e8)}, ""),
}  # fmt: skip


@pytest.fixture
def sources() -> Iterator[dict[str, Source]]:
    """One source for each bad row, one whose slug is no slug, and a healthy one."""
    created = {}
    for name, (fields, _) in {**BAD_ROWS, "healthy": ({}, ""), "no slug/é": ({}, "")}.items():
        wanted: dict[str, Any] = {
            "slug": name,
            "title": f"Source {name}",
            "connector": "cloudevents",
            "role": "wms",
            "next_poll_at": database_now() if "connector" in fields else None,
            "sealed_secrets": encrypt_secrets([SourceSecret(SECRET)]),
        }
        created[name] = Source.objects.create(**wanted | fields)
    yield created
    assert tasks_and_fallback_loop.item_threads["poll"].wait_until_idle(30)


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR)


def run_all_jobs() -> None:
    for name in ("process", "refold", "sweep", "poll", "collect_files"):
        tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME[name])
    assert tasks_and_fallback_loop.item_threads["poll"].wait_until_idle(30)


def test_worker_goes_on_and_every_page_says_why(
    sources: dict[str, Source], integrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", lambda _name: None)
    now = database_now()
    for number, source in enumerate(sources.values()):
        store_message(source, "order.released", now, f"SO-{number}")
    run_all_jobs()

    parked = InboundMessage.objects.filter(reason="source", state="parked")
    assert set(parked.values_list("source__slug", flat=True)) == {
        "connector",
        "config-list",
        "config-null",
    }
    assert Order.objects.filter(last_source__in=["healthy", "role", "secrets"]).count() == 3
    listed = text(integrator, "/sources")
    for slug, (_, reason) in BAD_ROWS.items():
        for tab in ("overview", "messages", "parked", "settings"):
            shown = text(integrator, f"/sources/{slug}?tab={tab}")
            assert reason.lower() in shown.lower(), (slug, tab)
        assert reason in listed
        assert integrator.get(f"/api/v1/sources/{slug}/health").status_code == 200
    assert "Source no slug/é" in listed
    assert "reporting normally" in text(integrator, "/sources/healthy").lower()
    assert "Source role" in text(integrator, "/boards/operations")


def test_missing_folder_heals_by_itself(
    sources: dict[str, Source], integrator: Client, tmp_path: Path
) -> None:
    tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["collect_files"])
    assert "is not a folder" in text(integrator, "/sources/folder")
    Source.objects.filter(slug="folder").update(config={"drop": str(tmp_path)})
    tasks_and_fallback_loop.run_job_unless_running_then_next_job(BY_NAME["collect_files"])
    shown = text(integrator, "/sources/folder")
    assert "is not a folder" not in shown
    assert "It works again since" in shown


def test_intake_accepts_messages_of_the_other_sources(sources: dict[str, Source]) -> None:
    async def outcomes(*slugs: str) -> list[str]:
        cache = SourceCache()
        return [await outcome(cache, slug) for slug in slugs]

    async def outcome(cache: SourceCache, slug: str) -> str:
        try:
            return "accepted" if await cache.find_source_by_slug(slug) else "not found"
        except InboxUnavailable:  # answered with 503, so that the sender keeps its messages
            return "retry later"

    slugs = ("healthy", "role", "connector", "config-list", "secrets", "nowhere")
    assert asyncio.run(outcomes(*slugs)) == [
        "accepted",
        "accepted",
        "retry later",
        "retry later",
        "retry later",
        "not found",
    ]


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split()).replace("&#x27;", "'").replace("&quot;", '"')
