"""Orders: any number finds one, the page answers first, each entry leads to its message."""

import re
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from connectors.sdk.events import Flag
from tests.cast import SOURCES, story
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.models import BusinessObject, Event, Order, Source
from visibility.pipeline import stages
from visibility.screens.orders import event_labels
from visibility.storage.timelines import folded

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def order() -> Order:
    """SO-104711 as five systems told it."""
    sources = {
        slug: Source.objects.create(
            slug=slug, title=slug.upper(), connector=connector, role=role, config=config
        )
        for slug, (connector, role, config) in SOURCES.items()
    }
    keep([Arrival(sources[m.source].pk, f"{n}", m.headers, m.body) for n, m in enumerate(story())])
    stages.advance()
    return Order.objects.get()


def signed_in(role: str) -> Client:
    user = User.objects.create(username=role)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clerk() -> Client:
    return signed_in("customer_service")


def say(source: Source, kind: str, number: str, **more: str) -> None:
    """The source tells this of an order, and it is folded."""
    event = {"specversion": "1.0", "id": kind, "source": "/test", "type": kind, **more}
    body = orjson.dumps({**event, "data": {"order": {"number": number}}})
    keep([Arrival(source.pk, kind, {"content-type": "application/cloudevents+json"}, body)])
    stages.advance()


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


@pytest.mark.parametrize(
    "number",
    [
        "SO-104711",
        "so-104711 ",
        "#4711",
        "4711",
        "1ZA0000000000000A1",
        "1za0 0000 0000 0000 a2",
        "INV-9001",
        "33001",
        "820982911946154500",
    ],
)
def test_any_number_opens_the_order(clerk: Client, order: Order, number: str) -> None:
    answer = clerk.get("/search", {"q": number})
    assert (answer.status_code, answer.headers.get("location")) == (302, f"/orders/{order.pk}")


def test_a_wrong_digit_still_helps(clerk: Client, order: Order) -> None:
    page = text(clerk, "/search?q=SO-104717")
    assert "No order goes by" in page
    assert f"/orders/{order.pk}" in page


def test_a_pasted_column_says_what_is_not_found(clerk: Client, order: Order) -> None:
    page = text(clerk, "/search?q=SO-104711%0AXX-1%0AINV-9001")
    assert page.count("not found") == 1
    assert "1 of them leads to no order." in page


def test_suggestions_say_why(clerk: Client, order: Order) -> None:
    found: Any = clerk.get("/search/suggest", {"q": "1ZA0000000000000A1"}).json()
    item = found["groups"][0]["items"][0]
    assert item["url"] == f"/orders/{order.pk}"
    assert item["why"] == "tracking number 1ZA0000000000000A1 of its package"
    assert clerk.get("/search/suggest", {"q": "1"}).json() == {"groups": []}


def test_the_answer_comes_first(clerk: Client, order: Order) -> None:
    page = text(clerk, f"/orders/{order.pk}")
    assert "Delivered and invoiced Fri 6 Mar." in page
    assert page.index("Delivered and invoiced Fri 6 Mar.") < page.index("Who said what, when")
    for tab, word in (("lines", "Contactor 24V"), ("shipments", "1ZA0000000000000A2")):
        assert word in text(clerk, f"/orders/{order.pk}?tab={tab}")
    assert "FINANCE" in text(clerk, f"/orders/{order.pk}?tab=truths")


def test_every_entry_leads_to_its_message_for_those_who_may(clerk: Client, order: Order) -> None:
    integrator = signed_in("integrator")
    page = text(integrator, f"/orders/{order.pk}")
    event = page.split("?tab=timeline&amp;event=")[1].split("#")[0]
    panel = text(integrator, f"/orders/{order.pk}?event={event}")
    assert "/messages/" in panel.split('id="event"')[1].split("</section>")[0]
    refused = text(clerk, f"/orders/{order.pk}?event={event}")
    assert "you may not see raw messages" in refused
    assert "/messages/" not in refused


def test_as_known_at_shows_what_was_known(clerk: Client, order: Order) -> None:
    page = text(clerk, f"/orders/{order.pk}?at=2026-01-01T00:00:00%2B00:00")
    assert "You see what was known on" in page
    assert "Nothing was known then." in page


@pytest.mark.parametrize("tab", ["timeline", "money", "lineage"])
def test_a_look_back_stays_one_from_event_to_event(clerk: Client, order: Order, tab: str) -> None:
    back = "as_known_at=2099-03-20T00%3A00%3A00%2B00%3A00"
    page = text(clerk, f"/orders/{order.pk}?tab={tab}&{back}")
    links = re.findall(r'href="(\?[^"]*event=[^"]*)"', page)
    assert links
    assert all(f"&amp;{back}#event" in link for link in links)
    panel = text(clerk, f"/orders/{order.pk}{links[0].replace('&amp;', '&').split('#')[0]}")
    closing = panel.split('id="event"')[1].split("Close")[0].rsplit("href=", 1)[1]
    assert back in closing


def desk(*told: tuple[str, dict[str, Any]]) -> Order:
    """SO-1 as one system told it, an hour between its words."""
    config = {"order_number": "sales_order@erp"}
    source = Source.objects.create(
        slug="desk", title="Order desk", connector="cloudevents", role="erp", config=config
    )
    kind = {"content-type": "application/cloudevents+json"}
    for hour, (word, data) in enumerate(told):
        event = {"specversion": "1.0", "id": f"{hour}", "source": "desk", "type": word}
        data = {"order": "SO-1", **data}
        body = orjson.dumps({**event, "time": f"2026-03-02T{15 + hour}:00:00Z", "data": data})
        keep([Arrival(source.pk, f"{hour}", kind, body)])
    stages.advance()
    return Order.objects.get()


def test_the_words_of_a_shipment_keep_their_spaces_and_its_sources_their_titles(
    clerk: Client,
) -> None:
    parcel = {"shipment": "S1", "tracking": "1Z1"}
    found = desk(("shipment.confirmed", parcel), ("shipment.picked_up", parcel))
    page = text(clerk, f"/orders/{found.pk}?tab=shipments")
    assert "picked up" in page
    assert "<dd>Order desk</dd>" in page


def test_a_planned_step_is_dated_as_every_other_date(clerk: Client, settings: Any) -> None:
    settings.TIME_ZONE = "America/Chicago"
    promised = {"promised_at": "2099-12-02T03:00:00Z"}
    found = desk(("order.received", {"attributes": promised}))
    assert "due 1 Dec<" in text(clerk, f"/orders/{found.pk}")


def test_a_line_of_which_nobody_said_how_much_was_ordered_has_no_bar(clerk: Client) -> None:
    shipped = {"line_id": "1", "sku": "A-1", "shipped": 3, "price": "12.5"}
    found = desk(("shipment.confirmed", {"lines": [shipped], "attributes": {"currency": "USD"}}))
    page = text(clerk, f"/orders/{found.pk}?tab=lines")
    assert "not known how much of it" in page
    assert "% sent" not in page
    assert "12.50 USD" in page


def test_a_merged_order_leads_to_the_one_it_became(clerk: Client, order: Order) -> None:
    gone = BusinessObject.objects.create(kind="order", merged_into_id=order.pk)
    assert clerk.get(f"/orders/{gone.pk}").headers["location"] == f"/orders/{order.pk}"
    tab = clerk.get(f"/orders/{gone.pk}?tab=truths").headers["location"]
    assert tab == f"/orders/{order.pk}?tab=truths"
    assert clerk.get("/orders/999999").status_code == 404


def test_prices_are_for_those_who_may_see_them(order: Order) -> None:
    Order.objects.update(total="181.50", currency="USD")
    assert "181.50" in text(signed_in("executive"), "/orders")
    integrator = signed_in("integrator")
    assert "181.50" not in text(integrator, "/orders")
    assert "181.50" not in text(integrator, f"/orders/{order.pk}")


@pytest.mark.parametrize("role", ["executive", "integrator"])
def test_names_of_customers_are_for_those_who_may_see_contacts(role: str) -> None:
    about = {"customer_name": "Nora Quist", "customer_no": "C100", "detail": "Ask for Nora Quist"}
    found = desk(("order.received", {"attributes": about}), ("order.held", {"attributes": about}))
    clerk, other = signed_in("customer_service"), signed_in(role)
    pages = ["/orders", f"/orders/{found.pk}", "/search?q=SO-l", "/search/suggest?q=SO-1"]
    for address in pages:
        assert "Nora Quist" in text(clerk, address), address
        assert "Nora Quist" not in text(other, address), address
    for address in ("/orders", f"/orders/{found.pk}", "/search/suggest?q=SO-1"):
        assert "C100" in text(other, address)
    for address in ("/search?q=Nora+Qui", "/search/suggest?q=Nora+Qui"):
        assert "Nora Quist" in text(clerk, address)
        assert "Nora Quist" not in text(other, address)


def test_who_may_not_see_names_finds_no_order_by_one(order: Order) -> None:
    Order.objects.update(customer_name="Nora Quist", customer_no="C100")
    row = f'href="/orders/{order.pk}"'
    for role, named in (("customer_service", True), ("executive", False)):
        client = signed_in(role)
        assert (row in text(client, "/orders?customer=Nora+Quist")) is named
        assert row in text(client, "/orders?customer=C100")


def test_a_row_without_a_channel_begins_with_its_warehouse(clerk: Client, order: Order) -> None:
    Order.objects.update(channel="", warehouse="Dallas")
    assert '<span class="sub">Dallas</span>' in text(clerk, "/orders")


def test_an_event_keeps_its_amounts_from_those_who_may_not_see_prices(order: Order) -> None:
    executive, integrator = signed_in("executive"), signed_in("integrator")
    page = text(executive, f"/orders/{order.pk}")
    events = {part.split("#")[0] for part in page.split("?tab=timeline&amp;event=")[1:]}
    panels = [text(executive, f"/orders/{order.pk}?event={event}") for event in sorted(events)]
    assert any("181.5" in panel for panel in panels)
    for event in events:
        assert "181.5" not in text(integrator, f"/orders/{order.pk}?event={event}")


def test_what_is_told_ahead_says_so_until_its_time_and_afterwards(order: Order) -> None:
    integrator, soon = signed_in("integrator"), database_now() + timedelta(hours=1)
    source = Source.objects.get(slug="generic")
    say(source, "order.held", "SO-104711", time=soon.isoformat())
    event = Event.objects.get(source=source)
    assert "told ahead of its time: without effect" in text(
        integrator, f"/messages/{event.message_id}"
    )
    timeline = folded([order.pk], as_of=soon)[order.pk]
    (spoken,) = [e.spoken for e in timeline.entries if e.spoken.event_id == event.pk]
    assert spoken.flags == (Flag.FUTURE,)
    others = [e.spoken for e in timeline.entries if e.spoken.event_id != event.pk]
    assert not any(Flag.FUTURE in spoken.flags for spoken in others)
    assert set(event_labels.FLAGS) == set(Flag)


def test_an_event_says_in_words_what_is_unusual_about_it(clerk: Client) -> None:
    source = Source.objects.create(
        slug="generic", title="Generic", connector="cloudevents", role="other"
    )
    say(source, "order.received", "SO-1")
    page = text(clerk, f"/orders/{Order.objects.get().pk}?event={Event.objects.get().pk}")
    assert "told without a time: when we heard it stands in" in page


def test_filters_and_their_chips(clerk: Client, order: Order) -> None:
    assert "SO-104711" in text(clerk, "/orders?status=completed&channel=web")
    page = text(clerk, "/orders?status=held")
    assert "No order matches these filters." in page
    assert "SO-104711" not in page
    assert text(clerk, "/orders?status=nonsense&after=%00%ff&page_size=9999999")


def test_what_the_form_has_no_field_for_stays(clerk: Client, order: Order) -> None:
    page = clerk.get("/orders?undelivered=1&group=Retail&channel=web").content.decode()
    form = page[page.index('<form class="toolbar"') :]
    form = form[: form.index("</form>")]
    assert '<input type="hidden" name="undelivered" value="1">' in form
    assert '<input type="hidden" name="group" value="Retail">' in form
    assert form.count('name="channel"') == 1


def test_text_from_outside_is_inert(clerk: Client, order: Order) -> None:
    Order.objects.update(customer_name=HOSTILE, answer=HOSTILE, number=HOSTILE, channel=HOSTILE)
    for address in ("/orders", f"/orders/{order.pk}", "/search?q=" + HOSTILE):
        assert HOSTILE not in text(clerk, address)


def test_nobody_sees_orders_unasked(client: Client, order: Order) -> None:
    assert client.get("/orders").status_code == 302
    assert client.get(f"/orders/{order.pk}").headers["location"].startswith("/signin")
    stranger = Client()
    stranger.force_login(User.objects.create(username="nobody"))
    assert stranger.get("/orders").status_code == 403


def test_the_pages_ask_the_database_a_fixed_number_of_times(
    clerk: Client, order: Order, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(10):
        clerk.get("/orders")
    with django_assert_max_num_queries(19):
        clerk.get(f"/orders/{order.pk}")


def test_an_empty_installation_says_what_to_do(clerk: Client) -> None:
    assert "No order yet." in text(clerk, "/orders")
    assert "No order goes by" in text(clerk, "/search?q=4711")
