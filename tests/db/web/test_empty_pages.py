"""Pages of an empty installation say what will be here, and offer the next step by permission."""

import pytest
from django.test import Client

from tests.builders.listed_orders import create_orders_with_ties_and_gaps
from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.models import SlaRule
from visibility.sla.create_default_source_rules import create_source_rules_for_kinds_without_rule
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
CS, EX, OP, IN, AD = (
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.INTEGRATOR,
    UserRole.ADMIN,
)
# Page: what it says while no source is connected.
PAGES = {
    "/orders": "Orders appear when a connected system sends its first message.",
    "/alerts": "No alerts can open yet.",
    "/numbers": "KPIs appear when orders reach their cut-off or are delivered.",
    "/messages": "Each message of a source is listed here as soon as it is received.",
    "/joins": "There is nothing to match yet.",
    "/mappings": "Values of sources that have no mapping are listed here once messages arrive.",
    "/search?q=4711": "No order found for",
    "/alerts?by=one&view=mine": "No alert about an order can open: no source is connected yet.",
    "/alerts/health": "No alerts can open yet",
    "/joins/orders": "No orders to compare: no source is connected yet.",
    "/mappings/unmapped": "Values of sources are listed here once messages arrive.",
}
# Sentences that are good news only where something is connected.
REASSURING = (
    "No open alerts.",
    "No SLA has been breached",
    "Nothing to map",
    "No suspected duplicate",
    "need attention",
    "No undelivered orders",
    "past promise date, ",
    "No holds, shortages",
    "made the value worse",
    "missed this KPI",
    "No unmatched",
    "0 shipments",
    "Choose a longer date range",
    "Check for a missing digit",
)
BUTTON = '<a class="btn btn-primary" href="{}">{}</a>'
CONNECT = BUTTON.format("/sources/new", "Connect a source")
CHECK = BUTTON.format("/sources", "Check the sources")
ENABLE = BUTTON.format("/rules", "Add an SLA rule")


def main_of(client: Client, url: str) -> str:
    html = client.get(url).content.decode()
    return html.split('<main id="main"')[1].split("</main>")[0]


@pytest.mark.parametrize("url", PAGES)
def test_pages_without_a_source_offer_to_connect_one_and_do_not_reassure(url: str) -> None:
    page = main_of(signed_in(AD), url)
    assert PAGES[url] in page
    assert "No source is connected yet." in page
    assert page.count(CONNECT) == 1
    assert [sentence for sentence in REASSURING if sentence in page] == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/boards/operations", "No source is connected yet. Nothing can be noticed."),
        ("/numbers/order_cycle_time", "There is nothing to compare: no orders were"),
        ("/numbers/fill_rate/orders?part=missed", "No orders in this date range."),
        ("/orders", "No order has been received yet."),
    ],
)
def test_other_sentences_without_a_source_do_not_reassure(url: str, expected: str) -> None:
    page = main_of(signed_in(AD), url)
    assert expected in page
    assert "noticed. received" not in page
    assert [sentence for sentence in REASSURING if sentence in page] == []


@pytest.mark.parametrize(
    ("role", "url"), [(CS, "/orders"), (EX, "/numbers"), (OP, "/alerts"), (OP, "/messages")]
)
def test_who_may_not_connect_a_source_reads_who_can(role: UserRole, url: str) -> None:
    page = main_of(signed_in(role), url)
    assert "No source is connected yet. Ask an integrator or an administrator." in page
    assert CONNECT not in page


@pytest.mark.parametrize("url", PAGES)
def test_pages_with_a_silent_source_lead_to_the_sources(url: str) -> None:
    create_source("erp")
    page = main_of(signed_in(IN if url != "/numbers" else AD), url)
    assert "No message has named an order yet." in page
    assert page.count(CHECK) == 1


def test_inbox_and_board_say_if_no_promise_is_watched() -> None:
    create_source("erp")
    create_orders_with_ties_and_gaps(1)
    create_source_rules_for_kinds_without_rule()
    assert SlaRule.objects.filter(enabled=True).exists()
    operations, clerk = signed_in(OP), signed_in(CS)
    sentence = "No promise is watched yet: no SLA rule about orders is enabled."
    page = main_of(operations, "/alerts")
    assert sentence in page
    assert ENABLE in page
    assert "No alert about an order can open: no SLA rule about orders is enabled." in page
    assert "No open alerts." not in page
    assert "need attention" not in page
    assert f"{sentence} Ask operations or an administrator." in main_of(clerk, "/alerts")
    assert sentence in main_of(operations, "/rules")
    create_rule()
    page = main_of(operations, "/alerts")
    assert "No open alerts." in page
    assert "No alerts need attention." in page
    assert sentence not in page
    assert sentence not in main_of(operations, "/rules")
