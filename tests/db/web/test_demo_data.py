"""Demo data on the page of the set-up, over the API, and in the frame of all pages."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.models import (
    AuditEntry,
    BusinessObject,
    DemoData,
    InboundMessage,
    Order,
    Source,
)
from visibility.screens.setup.checklist import load_checklist
from visibility.storage.demo_data import forget_demo_data
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
BANNER = "Demo data is loaded: orders of a simulated distributor are among yours."


def admin_client() -> Client:
    client = signed_in(UserRole.ADMIN)
    client.handler.enforce_csrf_checks = True
    return client


def post_form(client: Client, path: str) -> str:
    """Submit the form of the page with its token, and return the page that follows."""
    client.get("/setup")
    token = client.cookies["csrftoken"].value
    response = client.post(path, {"csrfmiddlewaretoken": token})
    assert (response.status_code, response.headers["Location"]) == (302, "/setup#demo-data")
    return client.get("/setup").content.decode()


def call(client: Client, method: str) -> Any:
    """Call the API without fields."""
    return getattr(client, method)("/api/v1/demo-data", "{}", content_type="application/json")


def set_state(state: str, **fields: Any) -> None:
    DemoData.objects.update(state=state, **fields)
    forget_demo_data()


def test_administrator_loads_and_removes_it_and_a_second_click_gets_an_answer() -> None:
    client = admin_client()
    assert client.post("/setup/demo-data").status_code == 403, "without the token of the form"
    assert "A worker loads the demo data." in post_form(client, "/setup/demo-data")
    assert "Demo data is being loaded already." in post_form(client, "/setup/demo-data")
    set_state("loading", total=120)
    page = post_form(client, "/setup/demo-data")
    assert "0 of 120 messages are read." in page
    assert "Stop and remove" in page
    set_state("loaded")
    page = post_form(client, "/setup/demo-data")
    assert "Demo data is loaded already." in page
    assert "This cannot be undone." in page
    assert "A worker removes the demo data." in post_form(client, "/setup/demo-data/remove")
    assert "is being removed already." in post_form(client, "/setup/demo-data/remove")
    assert "Load it again when that is done." in post_form(client, "/setup/demo-data")
    DemoData.objects.all().delete()
    assert "No demo data is loaded." in post_form(client, "/setup/demo-data/remove")
    actions = AuditEntry.objects.filter(action__startswith="demo_data").order_by("pk")
    assert [(entry.action, entry.user and entry.user.username) for entry in actions] == [
        ("demo_data.load_requested", "admin"),
        ("demo_data.removal_requested", "admin"),
    ]


def test_only_administrators_load_and_remove_it() -> None:
    for role in set(UserRole) - {UserRole.ADMIN}:
        client = signed_in(role)
        for path in ("/setup/demo-data", "/setup/demo-data/remove"):
            assert client.post(path).status_code == 403
        assert call(client, "post").status_code == 403
        assert call(client, "delete").status_code == 403
    assert not DemoData.objects.exists()


def test_api_loads_and_removes_it() -> None:
    client = signed_in(UserRole.ADMIN)
    assert client.get("/api/v1/demo-data").json()["state"] == ""
    answers = [call(client, "post") for _ in range(2)]
    assert [(a.status_code, json.loads(a.content).get("state")) for a in answers] == [
        (202, "loading"),
        (409, None),
    ]
    assert answers[1].json()["detail"] == "Demo data is being loaded already."
    answers = [call(client, "delete") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 409]
    assert answers[0].json()["state"] == "removing"
    DemoData.objects.all().delete()
    assert call(client, "delete").status_code == 409


def test_every_page_says_that_demo_data_is_loaded_and_links_those_who_may_remove_it() -> None:
    assert BANNER not in signed_in(UserRole.ADMIN).get("/orders").content.decode()
    signed_in(UserRole.ADMIN).post("/setup/demo-data")
    set_state("loaded")
    page = signed_in(UserRole.ADMIN).get("/orders").content.decode()
    assert BANNER in page
    assert '<a href="/setup#demo-data">Remove it</a>' in page
    wall = signed_in(UserRole.ADMIN).get("/boards/operations?kiosk=1").content.decode()
    assert "<span>Demo data</span>" in wall
    page = signed_in(UserRole.CUSTOMER_SERVICE).get("/orders").content.decode()
    assert BANNER in page
    assert "Remove it" not in page


def test_demo_data_does_no_step_of_the_checklist() -> None:
    signed_in(UserRole.ADMIN).post("/setup/demo-data")
    set_state("loaded", rule_ids=[create_rule().pk])
    demo = create_source("demo-shop", is_demo=True)
    _applied_message(demo, 1)
    Order.objects.create(object=BusinessObject.objects.create(kind="order"), number="D-1")
    steps = {step.title: step.is_done for step in load_checklist(lambda _: True).steps}
    done = {title for title, is_done in steps.items() if is_done}
    assert done == set()
    own = create_source("shop")
    _applied_message(own, 2)
    steps = {step.title: step.is_done for step in load_checklist(lambda _: True).steps}
    assert {title for title, is_done in steps.items() if is_done} == {
        "Connect a source",
        "Read the first message",
    }


def _applied_message(source: Source, number: int) -> None:
    InboundMessage.objects.create(
        id=number,
        source=source,
        received_at="2026-03-05T00:00Z",
        dedupe_key=str(number),
        content_hash="",
        state="applied",
        reason="",
    )


def test_demo_installation_has_nothing_to_load(settings: Settings) -> None:
    settings.DEMO = True
    client = signed_in(UserRole.ADMIN)
    assert call(client, "post").status_code == 409
    assert "Load demo data" not in client.get("/setup").content.decode()
