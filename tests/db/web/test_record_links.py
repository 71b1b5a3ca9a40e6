"""Links from the numbers of an order to their records in the systems that issued them."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import statements
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from tests.builders.web_order import SOURCES, web_order_messages
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import AuditEntry, Order, Source
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
ERP_LINK = "https://erp.example.com/so?no={number}"
API = "/api/v1/sources/erp/settings"
LINK = re.compile(
    r'<a class="btn btn-quiet btn-sm" href="([^"]+)"([^>]*)>.*?Open in ([^<]+)<', re.S
)


@pytest.fixture
def order() -> Order:
    """SO-104711 with the messages of its systems."""
    sources = {
        slug: create_source(slug, connector=connector, role=role, config=dict(config))
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


def set_links(slug: str, **templates: str) -> None:
    source = Source.objects.get(slug=slug)
    links = {f"record_link.{scheme}": template for scheme, template in templates.items()}
    Source.objects.filter(pk=source.pk).update(config={**source.config, **links})


def links(order: Order, tab: str = "timeline", role: UserRole = UserRole.CUSTOMER_SERVICE) -> Any:
    """{(system, URL)} of the links; each opens a new tab without access to this page."""
    page = signed_in(role).get(f"/orders/{order.pk}?tab={tab}").content.decode()
    shown = LINK.findall(page)
    for _, attributes, _ in shown:
        assert 'rel="noreferrer noopener" target="_blank"' in attributes
    return {(system, unescape(url)) for url, _, system in shown}


def test_numbers_lead_to_their_record_in_the_system_that_issued_them(order: Order) -> None:
    assert links(order) == set()
    set_links("erp", order=ERP_LINK)
    set_links("shop", order="https://shop.example.com/admin/orders/{source_id}")
    # The sales order is no number of the warehouse, whose technical id of the order is not shown.
    set_links("wms", order="https://wms.example.com/{sales_order}")
    assert ("WMS", "https://wms.example.com/SO-104711") not in links(order)
    set_links("wms", order="https://wms.example.com/{source_id}")
    expected = {
        ("ERP", "https://erp.example.com/so?no=SO-104711"),
        ("SHOP", "https://shop.example.com/admin/orders/820982911946154500"),
        ("WMS", "https://wms.example.com/33001"),
    }
    for role in (UserRole.CUSTOMER_SERVICE, UserRole.EXECUTIVE, UserRole.INTEGRATOR):
        assert links(order, role=role) == expected


def test_shipments_and_invoices_have_links_too(order: Order) -> None:
    set_links("wms", shipment="https://wms.example.com/shipments/{number}")
    set_links("finance", invoice="https://books.example.com/{number}")
    wms = {
        ("WMS", "https://wms.example.com/shipments/9001"),
        ("WMS", "https://wms.example.com/shipments/9002"),
    }
    invoice = {("FINANCE", "https://books.example.com/INV-9001")}
    assert links(order, "shipments") == wms
    assert links(order, "money") == invoice
    assert links(order) == invoice


def test_links_need_no_further_statement(order: Order) -> None:
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    address = f"/orders/{order.pk}"
    clerk.get(address)
    before = statements(clerk, address)
    set_links("erp", order=ERP_LINK)
    assert statements(clerk, address) == before


def test_hostile_numbers_and_stored_templates_make_no_hostile_link(order: Order) -> None:
    set_links("erp", order="javascript:alert({number})", invoice="https://x/{number}")
    page = signed_in(UserRole.CUSTOMER_SERVICE).get(f"/orders/{order.pk}").content.decode()
    assert "javascript:" not in page


def test_the_form_of_the_source_checks_and_stores_a_template(order: Order) -> None:
    integrator = signed_in(UserRole.INTEGRATOR, "ines")
    page = integrator.get("/sources/erp?tab=settings").content.decode()
    assert 'name="new-id:record_link."' in page
    posted = {
        "new-id:record_link.": "order",
        "new-value:record_link.": "https://{number}/<b>",
    }
    answer = integrator.post("/sources/erp/settings", posted)
    assert answer.status_code == 422
    assert "Percent-encode spaces" in answer.content.decode()
    assert "&lt;b&gt;" in answer.content.decode()
    wrong_kind = posted | {"new-id:record_link.": "color", "new-value:record_link.": ERP_LINK}
    answer = integrator.post("/sources/erp/settings", wrong_kind)
    assert "is not one of contract" in unescape(answer.content.decode())
    assert "record_link.order" not in Source.objects.get(slug="erp").config
    answer = integrator.post("/sources/erp/settings", posted | {"new-value:record_link.": ERP_LINK})
    assert answer.status_code == 302
    assert Source.objects.get(slug="erp").config["record_link.order"] == ERP_LINK
    entry = AuditEntry.objects.get(action="source.set")
    assert entry.detail["after"] == {"record_link.order": ERP_LINK}
    assert ("ERP", "https://erp.example.com/so?no=SO-104711") in links(order)


def test_the_api_checks_and_stores_a_template(order: Order) -> None:
    def patch(client: Client, template: str | None) -> Any:
        body = {"settings": {"record_link.order": template}}
        return client.patch(API, body, "application/json")

    integrator = signed_in(UserRole.INTEGRATOR)
    refused = patch(integrator, "ftp://erp.example.com/{number}")
    assert refused.status_code == 400
    (error,) = refused.json()["errors"]
    assert error["path"] == "settings.record_link.order"
    assert patch(integrator, ERP_LINK).status_code == 200
    assert len(links(order)) == 1
    assert patch(integrator, None).status_code == 200
    assert links(order) == set()
    assert patch(signed_in(UserRole.CUSTOMER_SERVICE), ERP_LINK).status_code == 403
