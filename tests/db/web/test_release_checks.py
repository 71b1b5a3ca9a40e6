"""Release checks in the browser, over the API and by command: request, result, promote, cancel."""

from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.builders.release_checks import (
    SLUG,
    correct,
    lake_source,
    order_body,
    process,
    receive,
    waiting_check,
)
from tests.builders.sla_rules import always_open, create_rule
from tests.builders.users import signed_in, user_of_role
from visibility.models import AuditEntry, Manifest, ManifestVersion, Order, ReleaseCheck, Source
from visibility.release_checks import run_checks, select_messages
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session() -> Client:
    """The integrator in a client that checks CSRF tokens."""
    user_of_role(UserRole.INTEGRATOR, "ines")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="ines"))
    return client


def post(client: Client, url: str, page: str, **form: Any) -> Any:
    """Post a form with the CSRF token of the page before it."""
    client.get(page)
    values = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, **form}
    return client.post(url, values, follow=True)


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return " ".join(unescape(answer.content.decode()).split())


def shipped_hours(number: str) -> float:
    order = Order.objects.get(number=number)
    assert order.shipped_at is not None
    assert order.ordered_at is not None
    return (order.shipped_at - order.ordered_at).total_seconds() / 3600


def start(client: Client, source: Source, manifest: Manifest | None) -> str:
    """Start a check from the page of the manifest, run it, and return its address."""
    slug = manifest.slug if manifest else ""
    page = f"/manifests/{slug}" if manifest else "/release-checks"
    answer = post(client, "/release-checks/start", page, source=source.slug, manifest=slug)
    url: str = answer.redirect_chain[-1][0]
    assert "Waiting" in unescape(answer.content.decode())
    assert run_checks.run_release_checks() == 1
    return url


def test_a_draft_is_checked_promoted_and_rolled_back(session: Client) -> None:
    source, manifest = lake_source()
    receive(source, order_body(1), order_body(2), order_body(3, status="open"))
    assert 'action="/release-checks/start"' in text(session, f"/manifests/{SLUG}")
    url = start(session, source, correct(manifest, "moves the shipment"))
    page = text(session, url)
    assert "3 messages read with the draft of lake_wms, revision" in page
    assert "2 of 3 orders that they affect would change" in page
    assert 'href="?tag=milestone%3Ashipped%3Amoved#orders"' in page
    order = Order.objects.get(number="SO-1")
    assert f'href="/orders/{order.pk}"' in page
    assert "SO-3" not in page
    assert "SO-1" in text(session, f"{url}?tag=milestone:shipped:moved")
    assert "SO-1" not in text(session, f"{url}?tag=milestone:released:added")
    assert shipped_hours("SO-1") == 0
    file = session.get(f"{url}/file")
    assert b"milestone,shipped,reached,moved" in b"".join(file.streaming_content)  # type: ignore[attr-defined]
    assert session.post(f"{url}/promote", {"messages": 3}).status_code == 403  # without a token
    refused = post(session, f"{url}/promote", url, messages=2)
    assert "Not promoted. Confirm that 3 messages are read again." in unescape(
        refused.content.decode()
    )
    assert "Promote and read 3 messages again" in page
    replay = post(session, f"{url}/promote", url, messages=3)
    assert replay.redirect_chain[-1][0].startswith("/messages/replays/")
    process()
    assert shipped_hours("SO-1") == 5
    assert "Version 1 becomes live again, and 3 messages are read again" in text(session, url)
    post(session, f"{url}/rollback", url, messages=3)
    process()
    assert shipped_hours("SO-1") == 0
    numbers = ManifestVersion.objects.order_by("number").values_list("number", "restored_number")
    assert list(numbers) == [(1, None), (2, None), (3, 1)]
    actions = AuditEntry.objects.filter(action__startswith="release_check.")
    assert set(actions.values_list("action", flat=True)) == {
        "release_check.requested",
        "release_check.promoted",
        "release_check.rolled_back",
    }
    twice = post(session, f"{url}/rollback", url, messages=3)
    assert "The promotion was rolled back already." in unescape(twice.content.decode())


def test_alerts_kpis_parked_messages_and_numbers_are_counted(session: Client) -> None:
    create_rule(always_open(), kind="stuck_in_released")
    source, manifest = lake_source()
    receive(source, order_body(1, status="open"), order_body(2), order_body(4, reference="SO-9"))
    receive(source, order_body(5, lines=[{"line": 1, "sku": "A", "qty": 2, "packed": "<b>many"}]))
    names = ("adds the release", "reads another number", "parks some")
    url = start(session, source, correct(manifest, *names))
    page = text(session, url)
    assert "Released orders ship within 4 h" in page
    assert "Alert opens" in page
    assert "No message would name SO-4 any more: its messages would be on SO-9." in page
    assert "It would be a new order, with messages of SO-4." in page
    check = ReleaseCheck.objects.get()
    assert check.summary["newly_parked"] == 1
    assert {kpi["code"] for kpi in check.summary["kpis"]} >= {"fill_rate"}
    parked = text(session, f"{url}/messages?change=newly_parked")
    assert "&lt;b&gt;many" in session.get(f"{url}/messages").content.decode()
    assert "Newly parked" in parked
    assert not Order.objects.filter(number="SO-9").exists()


def test_bad_input_is_explained_and_a_limit_is_reported(
    session: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, manifest = lake_source()
    receive(source, *(order_body(number) for number in range(1, 5)))
    values = {"source": source.slug, "since": "2030-01-01"}
    answer = post(session, "/release-checks/start", "/release-checks", **values)
    assert answer.status_code == 422
    assert "The period must begin before it ends" in unescape(answer.content.decode())
    monkeypatch.setattr(select_messages, "MAX_MESSAGES", 3)
    page = text(session, start(session, source, manifest))
    assert "The period has 4 messages that can be read. Only the newest 3 were read" in page
    assert "none of the 3 orders that they affect would change" in page


def test_a_check_is_canceled_and_others_may_not_see_it(session: Client) -> None:
    url = f"/release-checks/{waiting_check().pk}"
    assert "Cancel check" in text(session, url)
    post(session, f"{url}/cancel", url)
    assert ReleaseCheck.objects.get().state == "canceled"
    assert run_checks.run_release_checks() == 0
    assert signed_in(UserRole.CUSTOMER_SERVICE, "cleo").get(url).status_code == 403


def test_the_api_and_the_command_do_the_same(session: Client, tmp_path: Path) -> None:
    source, manifest = lake_source()
    receive(source, order_body(1), order_body(2))
    correct(manifest, "adds the release")
    api = "/api/v1/release-checks"
    body = {"source": source.slug, "manifest": SLUG}
    client = signed_in(UserRole.INTEGRATOR, "ivo")
    created = client.post(api, body, "application/json")
    assert created.status_code == 202, created.content
    address = f"{api}/{created.json()['id']}"
    run_checks.run_release_checks()
    assert client.get(address).json()["summary"]["tags"]["milestone:released:added"] == 2
    orders = client.get(f"{address}/orders?tag=milestone:released:added&page_size=1").json()
    assert orders["items"][0]["number"] == "SO-1"
    assert orders["next"]
    wrong = client.post(f"{address}/promote", {"messages": 1}, "application/json")
    assert wrong.status_code == 409
    output, file = StringIO(), tmp_path / "check.csv"
    call_command("source", "check", source.slug, "--draft", SLUG, "--csv", file, stdout=output)
    assert "2 of 2 orders that they affect would change" in output.getvalue()
    assert "       2  released: added" in output.getvalue()
    assert b"milestone,released,reached,added" in file.read_bytes()
    number = ReleaseCheck.objects.latest("pk").pk
    with pytest.raises(CommandError, match="Confirm that 2 messages"):
        call_command("source", "promote", number, "--messages", "1")
    call_command("source", "promote", number, "--messages", "2", stdout=output)
    process()
    assert Order.objects.exclude(released_at=None).count() == 2
