"""The search field finds alerts, messages, sources and rules by the ids that screens show."""

import pytest
from django.test import Client

from tests.builders.alerts import alert, order, source_alert
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
CS, OP, IN = UserRole.CUSTOMER_SERVICE, UserRole.OPERATIONS, UserRole.INTEGRATOR


def suggested(client: Client, text: str) -> list[str]:
    """The addresses that are suggested for a text."""
    groups = client.get("/search/suggest", {"q": text}).json()["groups"]
    return [item["url"] for group in groups for item in group["items"]]


@pytest.mark.parametrize("text", ["90", "#90", "alert 90", "Alert #90"])
def test_alert_is_suggested_by_its_id_as_shown(text: str) -> None:
    shown = alert("SO-1", id=90)
    assert suggested(signed_in(OP), text) == [f"/alerts/{shown.pk}"]
    page = signed_in(OP).get(f"/alerts/{shown.pk}").content.decode()
    assert f"Alert #{shown.pk}" in page


def test_enter_opens_the_alert_that_is_named_and_lists_what_a_number_may_be() -> None:
    alert("SO-1", id=90)
    operations = signed_in(OP)
    answer = operations.get("/search", {"q": "Alert #90"})
    assert (answer.status_code, answer["Location"]) == (302, "/alerts/90")
    page = operations.get("/search", {"q": "90"}).content.decode()
    assert "“90” is no order number, but matches 1 other record." in page
    assert 'href="/alerts/90"' in page
    order("90")
    assert suggested(operations, "90")[-1] == "/alerts/90"


def test_messages_sources_and_rules_are_found_by_those_who_may_see_them() -> None:
    source = create_source("wms", title="Dallas warehouse")
    message_id = message(source)
    rule = alert("SO-1", id=message_id + 1000).rule
    assert rule is not None
    addresses = {
        f"message {message_id}": f"/messages/{message_id}",
        "wms": "/sources/wms",
        "dallas": "/sources/wms",
        rule.code: f"/rules/{rule.code}",
    }
    for text, url in addresses.items():
        assert url in suggested(signed_in(OP), text), text
        assert url not in suggested(signed_in(CS), text), text
        assert url not in signed_in(CS).get("/search", {"q": text}).content.decode(), text
    assert f"/rules/{rule.code}" not in suggested(signed_in(IN), rule.code)
    assert "/sources/wms" in suggested(signed_in(IN), "wms")


def test_integrator_finds_alerts_about_sources_only() -> None:
    of_order = alert("SO-1", id=90)
    of_source = source_alert(create_source("wms"), id=91)
    integrator = signed_in(IN)
    assert suggested(integrator, "alert 91") == [f"/alerts/{of_source.pk}"]
    assert suggested(integrator, "alert 90") == []
    answer = integrator.get("/search", {"q": "alert 90"})
    assert answer.status_code == 200
    assert f"/alerts/{of_order.pk}" not in answer.content.decode()


@pytest.mark.parametrize("text", ["alert 9223372036854775808", "#0", "message", "%", "alert -1"])
def test_odd_texts_find_nothing(text: str) -> None:
    assert suggested(signed_in(OP), text) == []
