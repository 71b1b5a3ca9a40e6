"""The orders section: search, list, filters and the order page."""

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client

from connectors.sdk.events import Flag
from tests.builders.cloudevents import cloudevent
from tests.builders.sources import ERP_NUMBERS, cloudevent_message, create_source, store_story
from tests.builders.users import signed_in
from tests.builders.web_order import SOURCES, web_order_messages
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import BusinessObject, Event, EventObjectLink, Order, OrderLine, Source
from visibility.models.master import Location
from visibility.pipeline import job_functions
from visibility.screens.orders import event_labels
from visibility.storage.order_folding import load_and_fold_orders
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
NUMBERS = "SO-104711|so-104711 |#4711|4711|1ZA0000000000000A1|1za0 0000 0000 0000 a2|INV-9001"
NUMBERS += "|33001|820982911946154500"


@pytest.fixture
def order() -> Order:
    """SO-104711 with the messages of five systems."""
    sources = {
        slug: create_source(slug, connector=connector, role=role, config=config)
        for slug, (connector, role, config) in SOURCES.items()
    }
    store_messages(
        [
            IncomingMessage(sources[m.source].pk, f"{n}", m.headers, m.body)
            for n, m in enumerate(web_order_messages())
        ]
    )
    job_functions.process_messages_and_refold()
    return Order.objects.get()


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


def send(source: Source, kind: str, number: str, **attributes: str) -> None:
    """Store and process one CloudEvent of the source about an order."""
    event = cloudevent(kind, {"order": {"number": number}}, event_id=kind, **attributes)
    store_messages([cloudevent_message(source, event)])
    job_functions.process_messages_and_refold()


def fetch(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


@pytest.mark.parametrize("number", NUMBERS.split("|"))
def test_search_by_any_number_opens_the_order(clerk: Client, order: Order, number: str) -> None:
    response = clerk.get("/search", {"q": number})
    assert (response.status_code, response.headers.get("location")) == (302, f"/orders/{order.pk}")


def test_search_with_a_wrong_digit_suggests_the_order(clerk: Client, order: Order) -> None:
    page = fetch(clerk, "/search?q=SO-104717")
    assert "No order found for" in page
    assert f"/orders/{order.pk}" in page


def test_bulk_search_lists_numbers_without_an_order(clerk: Client, order: Order) -> None:
    page = fetch(clerk, "/search?q=SO-104711%0AXX-1%0AINV-9001")
    assert page.count(">no order found<") == 1
    assert "1 number not found." in page


def test_item_leads_from_the_search_to_its_orders(clerk: Client, order: Order) -> None:
    sku = OrderLine.objects.filter(order=order).exclude(sku="").values_list("sku", flat=True)[0]
    page = fetch(clerk, f"/search?q={sku}")
    link = f"/orders?item={sku}"
    assert f'href="{link}"' in page
    groups = clerk.get("/search/suggest", {"q": sku}).json()["groups"]
    assert [(g["title"], g["items"][0]["url"]) for g in groups] == [("Items", link)]
    listed = fetch(clerk, link)
    assert f'data-id="{order.pk}"' in listed
    assert f'<span class="chip-key">Item</span> {sku}' in listed
    assert "No orders match these filters." in fetch(clerk, "/orders?item=NO-SUCH-ITEM")


def test_open_list_gets_its_own_rows_again_after_they_left_it(clerk: Client, order: Order) -> None:
    """The page asks with the shown rows, so that it updates them without moving them."""
    assert "data-live-keep" in fetch(clerk, "/orders")
    page = fetch(clerk, f"/orders?status=cancelled&also={order.pk},x")
    row = f'<tr data-id="{order.pk}" '
    assert row in page.partition('id="orders-list-also"')[2]
    assert row not in page.partition('id="orders-list-also"')[0]


@pytest.mark.parametrize(
    ("flag", "note"),
    [
        (Flag.TIME_RECEIVED, "no event time sent: time received"),
        (Flag.TIME_OF_REPORT, "time of the report"),
        (Flag.DATE_ONLY, "no time of day sent"),
    ],
)
def test_inferred_time_is_marked_on_milestones_list_and_lanes(
    clerk: Client, order: Order, flag: Flag, note: str
) -> None:
    assert note not in fetch(clerk, f"/orders/{order.pk}")
    for event in Event.objects.filter(type="shipment.confirmed"):
        event.data["flags"] = [flag.value]
        event.save(update_fields=["data"])
    page = fetch(clerk, f"/orders/{order.pk}")
    steps, _, remainder = page.partition('id="order-lanes"')
    lanes, _, activity = remainder.partition('aria-labelledby="activity-head"')
    assert note in steps
    assert "step-inferred" in steps
    assert "marker-inferred" in lanes
    assert f"({note})" in lanes
    assert note in activity


def test_suggestions_name_the_matching_number(clerk: Client, order: Order) -> None:
    suggestions: Any = clerk.get("/search/suggest", {"q": "1ZA0000000000000A1"}).json()
    item = suggestions["groups"][0]["items"][0]
    assert item["url"] == f"/orders/{order.pk}"
    assert item["why"] == "Tracking number 1ZA0000000000000A1"
    assert clerk.get("/search/suggest", {"q": "1"}).json() == {"groups": []}


def test_order_page_starts_with_the_answer(clerk: Client, order: Order) -> None:
    page = fetch(clerk, f"/orders/{order.pk}")
    text = re.sub(r"<[^>]*>", "", page)
    assert text.index("Delivered and invoiced Fri, Mar 6.") < text.index("Timeline by system")
    for tab, expected in (("lines", "Contactor 24V"), ("shipments", "1ZA0000000000000A2")):
        assert expected in fetch(clerk, f"/orders/{order.pk}?tab={tab}")
    assert "FINANCE" in fetch(clerk, f"/orders/{order.pk}?tab=discrepancies")


def test_events_link_to_their_message_with_the_raw_permission(clerk: Client, order: Order) -> None:
    integrator = signed_in(UserRole.INTEGRATOR)
    page = fetch(integrator, f"/orders/{order.pk}")
    event = page.split("?tab=timeline&amp;event=")[1].split("#")[0]
    panel = fetch(integrator, f"/orders/{order.pk}?event={event}")
    assert "/messages/" in panel.split('id="event"')[1].split("</section>")[0]
    denied = fetch(clerk, f"/orders/{order.pk}?event={event}")
    assert "You do not have permission to view messages" in denied
    assert "/messages/" not in denied


def test_as_known_at_shows_data_of_that_time(clerk: Client, order: Order) -> None:
    page = fetch(clerk, f"/orders/{order.pk}?at=2026-01-01T00:00:00%2B00:00")
    assert "This page shows the data known on" in page
    assert '<meta name="known-at" content="Thu, Jan 1, 2026' in page
    assert "No data was known at this time." in page


@pytest.mark.parametrize("tab", ["timeline", "money", "lineage"])
def test_event_links_pass_on_as_known_at(clerk: Client, order: Order, tab: str) -> None:
    back = "as_known_at=2099-03-20T00%3A00%3A00%2B00%3A00"
    page = fetch(clerk, f"/orders/{order.pk}?tab={tab}&{back}")
    links = re.findall(r'href="(\?[^"]*event=[^"]*)"', page)
    assert links
    assert all(f"&amp;{back}#event" in link for link in links)
    panel = fetch(clerk, f"/orders/{order.pk}{links[0].replace('&amp;', '&').split('#')[0]}")
    closing = panel.split('id="event"')[1].split("Close")[0].rsplit("href=", 1)[1]
    assert back in closing


def store(*events: tuple[str, dict[str, Any]]) -> Order:
    """SO-1 with the events of one system, one hour apart."""
    source = create_source("desk", title="Order desk", role="erp", config=dict(ERP_NUMBERS))
    store_story(
        {"desk": source},
        [
            ("desk", event_type, f"2026-03-02T{15 + hour}:00:00Z", {"order": "SO-1", **data})
            for hour, (event_type, data) in enumerate(events)
        ],
    )
    job_functions.process_messages_and_refold()
    return Order.objects.get()


def test_shipments_show_readable_statuses_and_source_titles(clerk: Client) -> None:
    data = {"shipment": "S1", "tracking": "1Z1"}
    order = store(("shipment.confirmed", data), ("shipment.picked_up", data))
    page = fetch(clerk, f"/orders/{order.pk}?tab=shipments")
    assert "picked up" in page
    assert "<dd>Order desk</dd>" in page


def test_planned_milestone_shows_the_date_in_the_local_time_zone(
    clerk: Client, settings: Any
) -> None:
    settings.TIME_ZONE = "America/Chicago"
    promised = {"promised_at": "2099-12-02T03:00:00Z"}
    order = store(("order.received", {"attributes": promised}))
    assert "due Dec 1<" in fetch(clerk, f"/orders/{order.pk}")


def test_line_without_ordered_quantity_has_no_progress_bar(clerk: Client) -> None:
    shipped = {"line_id": "1", "sku": "A-1", "shipped": 3, "price": "12.5"}
    order = store(("shipment.confirmed", {"lines": [shipped], "attributes": {"currency": "USD"}}))
    page = fetch(clerk, f"/orders/{order.pk}?tab=lines")
    assert "ordered quantity unknown" in page
    assert 'class="bar"' not in page
    assert "12.50 USD" in page


def test_merged_order_redirects_to_the_surviving_order(clerk: Client, order: Order) -> None:
    merged = BusinessObject.objects.create(kind="order", merged_into_id=order.pk)
    assert clerk.get(f"/orders/{merged.pk}").headers["location"] == f"/orders/{order.pk}"
    tab = clerk.get(f"/orders/{merged.pk}?tab=discrepancies").headers["location"]
    assert tab == f"/orders/{order.pk}?tab=discrepancies"
    assert clerk.get("/orders/999999").status_code == 404


def test_prices_need_a_permission(order: Order) -> None:
    Order.objects.update(total="181.50", currency="USD")
    assert "181.50" in fetch(signed_in(UserRole.EXECUTIVE), "/orders")
    integrator = signed_in(UserRole.INTEGRATOR)
    assert "181.50" not in fetch(integrator, "/orders")
    assert "181.50" not in fetch(integrator, f"/orders/{order.pk}")


@pytest.mark.parametrize("role", [UserRole.EXECUTIVE, UserRole.INTEGRATOR])
def test_customer_names_need_the_contacts_permission(role: UserRole) -> None:
    names = {"customer_name": "Nora Quist", "customer_no": "C100", "detail": "Ask for Nora Quist"}
    order = store(("order.received", {"attributes": names}), ("order.held", {"attributes": names}))
    clerk, other = signed_in(UserRole.CUSTOMER_SERVICE), signed_in(role)
    pages = ["/orders", f"/orders/{order.pk}", "/search?q=SO-l", "/search/suggest?q=SO-1"]
    for address in pages:
        assert "Nora Quist" in fetch(clerk, address), address
        assert "Nora Quist" not in fetch(other, address), address
    for address in ("/orders", f"/orders/{order.pk}", "/search/suggest?q=SO-1"):
        assert "C100" in fetch(other, address)
    for address in ("/search?q=Nora+Qui", "/search/suggest?q=Nora+Qui"):
        assert "Nora Quist" in fetch(clerk, address)
        assert "Nora Quist" not in fetch(other, address)


def test_filter_by_customer_name_needs_the_contacts_permission(order: Order) -> None:
    Order.objects.update(customer_name="Nora Quist", customer_no="C100")
    row = f'href="/orders/{order.pk}"'
    for role, named in ((UserRole.CUSTOMER_SERVICE, True), (UserRole.EXECUTIVE, False)):
        client = signed_in(role)
        assert (row in fetch(client, "/orders?customer=Nora+Quist")) is named
        assert row in fetch(client, "/orders?customer=C100")


def test_row_without_a_customer_po_shows_the_channel(clerk: Client, order: Order) -> None:
    Order.objects.update(channel="edi", customer_po="")
    assert re.search(r'data-column="customer_po"[^>]*>EDI<', fetch(clerk, "/orders"))


def test_event_details_hide_amounts_without_the_prices_permission(order: Order) -> None:
    executive, integrator = signed_in(UserRole.EXECUTIVE), signed_in(UserRole.INTEGRATOR)
    page = fetch(executive, f"/orders/{order.pk}")
    events = {link.split("#")[0] for link in page.split("?tab=timeline&amp;event=")[1:]}
    panels = [fetch(executive, f"/orders/{order.pk}?event={event}") for event in sorted(events)]
    assert any("181.5" in panel for panel in panels)
    for event in events:
        assert "181.5" not in fetch(integrator, f"/orders/{order.pk}?event={event}")


def test_event_in_the_future_is_flagged_and_has_no_effect_yet(order: Order) -> None:
    integrator, soon = signed_in(UserRole.INTEGRATOR), database_now() + timedelta(hours=1)
    source = Source.objects.get(slug="generic")
    send(source, "order.held", "SO-104711", time=soon.isoformat())
    event = Event.objects.get(source=source)
    page = fetch(integrator, f"/messages/{event.message_id}")
    assert "event time is in the future: no effect until then" in page
    timeline = load_and_fold_orders([order.pk], as_of=soon)[order.pk]
    (recorded,) = [e.recorded for e in timeline.entries if e.recorded.event_id == event.pk]
    assert recorded.flags_with_future_if_after_receipt == (Flag.FUTURE,)
    others = [e.recorded for e in timeline.entries if e.recorded.event_id != event.pk]
    assert not any(Flag.FUTURE in other.flags_with_future_if_after_receipt for other in others)
    assert set(event_labels.FLAG_LABELS) == set(Flag)


def test_event_details_explain_its_flags(clerk: Client) -> None:
    source = create_source("desk", role="other")
    send(source, "order.received", "SO-1")
    page = fetch(clerk, f"/orders/{Order.objects.get().pk}?event={Event.objects.get().pk}")
    assert "No event time sent; time received is shown" in page


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("America/Chicago", "(Sun, Mar 1, 20:30 CST in Dallas warehouse)"),
        ("Asia/Tokyo", "(11:30 JST in Dallas warehouse)"),
        ("Africa/Abidjan", ""),  # the same offset as the page
        ("UTC", ""),  # nobody has entered a zone
    ],
)
def test_event_details_show_the_local_time_of_its_site(
    clerk: Client, zone: str, expected: str
) -> None:
    now = database_now()
    Location.objects.create(
        code="DAL", key="dal", title="Dallas warehouse", zone=zone, changed_at=now
    )
    Location.objects.create(
        code="OLD", key="old", zone="Asia/Tokyo", changed_at=now, valid_to=now - timedelta(days=900)
    )
    source = create_source("wms", role="wms")
    for code in ("DAL", "OLD"):
        data = {"order": {"number": f"SO-{code}"}, "attributes": {"warehouse": code}}
        event = cloudevent("order.released", data, event_id=code, at="2026-03-02T02:30:00+00:00")
        store_messages([cloudevent_message(source, event)])
    job_functions.process_messages_and_refold()
    for code, text in (("DAL", expected), ("OLD", "")):
        order_id = Order.objects.get(number=f"SO-{code}").pk
        event_id = EventObjectLink.objects.get(object=order_id).event_id
        panel = fetch(clerk, f"/orders/{order_id}?event={event_id}")
        occurred = panel.split("Event occurred")[1].split("Message received")[0]
        assert "Mon, Mar 2, 2026, 02:30:00" in occurred
        assert (
            (text in occurred) if text else ("warehouse" not in occurred and "OLD" not in occurred)
        )


def test_filters_apply_and_ignore_invalid_values(clerk: Client, order: Order) -> None:
    assert "SO-104711" in fetch(clerk, "/orders?status=completed&channel=web")
    page = fetch(clerk, "/orders?status=on_hold")
    assert "No orders match these filters." in page
    assert "SO-104711" not in page
    assert fetch(clerk, "/orders?status=nonsense&after=%00%ff&page_size=9999999")


def test_filter_form_passes_on_filters_without_a_field(clerk: Client, order: Order) -> None:
    page = clerk.get("/orders?undelivered=1&group=Retail&channel=web").content.decode()
    form = page[page.index('<form class="menu-body filter-form"') :]
    form = form[: form.index("</form>")]
    assert '<input type="hidden" name="undelivered" value="1">' in form
    assert '<input type="hidden" name="group" value="Retail">' in form
    # The field adds another channel.
    assert '<input type="hidden" name="channel" value="web">' in form


def test_external_text_is_escaped(clerk: Client, order: Order) -> None:
    Order.objects.update(customer_name=HOSTILE, answer=HOSTILE, number=HOSTILE, channel=HOSTILE)
    for address in ("/orders", f"/orders/{order.pk}", "/search?q=" + HOSTILE):
        assert HOSTILE not in fetch(clerk, address)


def test_orders_require_sign_in_and_a_role(client: Client, order: Order) -> None:
    assert client.get("/orders").status_code == 302
    assert client.get(f"/orders/{order.pk}").headers["location"].startswith("/signin")
    user_without_role = Client()
    user_without_role.force_login(User.objects.create(username="nobody"))
    assert user_without_role.get("/orders").status_code == 403


def test_pages_run_a_limited_number_of_queries(
    clerk: Client, order: Order, django_assert_max_num_queries: Any
) -> None:
    # The list: also the counts of the views (with cut-offs and silent sources), the sum, the values
    # to filter by, the progress, and why orders are at risk.
    # The order page also reads notes, watches, alert histories, SLA timers, related orders, the
    # colleagues whom a note can mention, the tracking links, whether you watch it, your lanes, and
    # how far the reports of the sources go, and counts the calls that name the order.
    for path, queries in (
        ("/orders", 25),
        (f"/orders/{order.pk}", 32),
        (f"/orders/{order.pk}/preview", 19),
    ):
        with django_assert_max_num_queries(queries):
            clerk.get(path)


def test_empty_installation_explains_the_next_step(clerk: Client) -> None:
    assert "No orders yet." in fetch(clerk, "/orders")
    assert "No order found for" in fetch(clerk, "/search?q=4711")


def test_an_invoice_that_several_systems_report_is_listed_once_with_its_amount(
    clerk: Client,
) -> None:
    erp, edi = (
        create_source(name, connector="cloudevents", config=ERP_NUMBERS) for name in ("erp", "edi")
    )
    data = {"order": {"number": "SO-1"}, "invoice": "INV-7"}
    for source, total in ((erp, "1250"), (edi, "1250"), (edi, "99")):
        number = "INV-7" if total == "1250" else "INV-8"
        amount = {"attributes": {"total": total, "currency": "USD"}}
        event = cloudevent("invoice.issued", {**data, "invoice": number, **amount}, event_id=number)
        store_messages([cloudevent_message(source, event)])
    job_functions.process_messages_and_refold()
    order = Order.objects.get()
    page = fetch(clerk, f"/orders/{order.pk}?tab=money")
    listed = page.split('id="invoices-head"')[1].split("</section>")[0]
    assert (listed.count(">INV-7<"), listed.count(">INV-8<")) == (1, 1)
    assert (listed.count("1,250.00 USD"), listed.count("99.00 USD")) == (1, 1)
    assert re.search(r'Billing <span class="count">2<', page)
    assert "1,250.00" not in fetch(signed_in(UserRole.INTEGRATOR), f"/orders/{order.pk}?tab=money")


def test_each_package_lists_its_own_scans_with_place(clerk: Client, order: Order) -> None:
    page = fetch(clerk, f"/orders/{order.pk}?tab=shipments")
    first, second = re.split(r'<section class="card card-body" aria-label="Shipment', page)[1:3]
    for section, tracking in ((first, "1ZA0000000000000A1"), (second, "1ZA0000000000000A2")):
        assert tracking in section
        scans = re.search(r'<details id="scans-.*?<ol class="plain">(.*?)</ol>', section, re.S)
        assert scans
        assert scans[1].count("<li") >= 2
        assert "data-event" in scans[1]


def test_page_of_an_earlier_time_leads_to_the_message_before_and_after(
    clerk: Client, order: Order
) -> None:
    now = database_now()
    for hours, event in enumerate(Event.objects.order_by("pk")):
        Event.objects.filter(pk=event.pk).update(received_at=now - timedelta(hours=100 - hours))
    moments = sorted(Event.objects.values_list("received_at", flat=True))
    address = f"/orders/{order.pk}?as_known_at="

    def shown(moment: datetime) -> str:
        return fetch(clerk, address + quote(moment.isoformat()))

    page = shown(moments[2])
    assert f"3 of {len(moments)} messages" in page
    before, after = (quote(moments[index].isoformat(), safe="/") for index in (1, 3))
    assert f'as_known_at={before}">' in page
    assert f'as_known_at={after}">Next message' in page
    assert "Before this message" not in shown(moments[0])
    assert "Next message" not in shown(moments[-1])
    assert f'href="/orders/{order.pk}?tab=timeline">Back to current data' in page


def test_each_line_shows_its_promise_or_that_of_the_order(clerk: Client) -> None:
    line = {"sku": "A", "ordered": 2}
    lines = [{**line, "line_id": "1"}, {**line, "line_id": "2", "promised_at": "2026-12-04"}]
    attributes = {"promised_at": "2026-12-02"}
    order = store(("order.received", {"lines": lines, "attributes": attributes}))
    page = fetch(clerk, f"/orders/{order.pk}?tab=lines")
    assert re.search(r'title="Promise of the order">Wed, Dec 2</span>', page)
    assert re.search(r'>Fri, Dec 4</span><span class="sub">of this line', page)
