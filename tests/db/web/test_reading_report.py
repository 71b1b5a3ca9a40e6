"""The reading report of a source: counts, an example and the setting that mends each finding."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.builders.sources import create_source, store_story
from tests.builders.users import signed_in
from tests.product import ROOT
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import InboundMessage, Order, OrderLine, Source, TermUsage
from visibility.pipeline import job_functions
from visibility.screens.sources import reading_report
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
AT = "2026-03-04T10:00:00Z"
LINES = [{"line_id": "1", "sku": "KIT", "quantity": 2}]


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def wms() -> Source:
    return create_source("wms", config={"order_number": "sales_order@erp"})


def findings(client: Client, slug: str = "wms") -> dict[str, dict[str, Any]]:
    report = client.get(f"/api/v1/sources/{slug}/reading").json()
    return {finding["kind"]: finding for finding in report["findings"]}


def receive(source: Source, *story: tuple[str, dict[str, Any]]) -> None:
    store_story({source.slug: source}, [(source.slug, kind, AT, data) for kind, data in story])
    job_functions.process_messages_and_refold()


def test_objects_without_an_order_and_shipments_without_quantities(
    integrator: Client, wms: Source
) -> None:
    receive(
        wms,
        ("shipment.confirmed", {"shipment": "SH-1"}),
        ("shipment.confirmed", {"shipment": "SH-2"}),
        ("order.received", {"order": "SO-1"}),
    )
    result = findings(integrator)
    assert result["objects_without_order"]["count"] == 2
    assert result["objects_without_order"]["setting"] == "number_issuers"
    assert result["shipments_without_quantities"]["count"] == 2
    for finding in result.values():
        assert integrator.get(finding["url"]).status_code == 200
    page = integrator.get("/sources/wms?tab=reading").content.decode()
    assert "All 3 messages with 3 events were examined" in page
    assert "Shipments without quantities" in page
    out = StringIO()
    call_command("source", "report", "wms", stdout=out)
    assert "Objects without an order: 2" in out.getvalue()


def test_an_object_that_was_matched_later_is_no_finding(integrator: Client, wms: Source) -> None:
    receive(wms, ("shipment.confirmed", {"shipment": "SH-1"}))
    assert findings(integrator)["objects_without_order"]["count"] == 1
    receive(wms, ("order.released", {"order": "SO-1", "shipment": "SH-1"}))
    assert "objects_without_order" not in findings(integrator)


def test_numbers_of_issuers_that_are_no_source(integrator: Client, wms: Source) -> None:
    receive(wms, ("order.received", {"order": "SO-1"}))
    finding = findings(integrator)["numbers_of_unknown_issuers"]
    assert finding["count"] == 1
    assert "SO-1 of erp" in finding["example"]
    create_source("erp")
    assert "numbers_of_unknown_issuers" not in findings(integrator)


def test_an_unknown_issuer_is_corrected_by_the_setting_that_names_it(
    integrator: Client, wms: Source
) -> None:
    receive(wms, ("order.received", {"order": "SO-1"}))
    finding = findings(integrator)["numbers_of_unknown_issuers"]
    assert finding["setting"] == "order_number"
    assert "No source is named erp." in finding["remedy"]
    wms.config = {}
    wms.save()
    finding = findings(integrator)["numbers_of_unknown_issuers"]
    assert finding["setting"] == ""
    assert "Connect it under this name" in finding["remedy"]


@pytest.mark.parametrize(
    ("connector", "config", "is_finding"),
    [
        ("woocommerce", {}, False),  # Its connector states UTC.
        ("northlog_945", {}, True),
        ("northlog_945", {"zone": "America/Denver"}, False),
    ],
)
def test_a_zone_that_is_stated_is_no_finding(
    integrator: Client, connector: str, config: dict[str, str], *, is_finding: bool
) -> None:
    folder = ROOT / "connectors/systems" / connector / "samples"
    name = {"woocommerce": "order_processing.json"}.get(connector, "SHIP_two_orders.csv")
    source = create_source("north", connector=connector, config=config)
    body = (folder / name).read_bytes()
    store_messages([IncomingMessage(source.pk, "k", {}, body)])
    job_functions.process_messages_and_refold()
    assert InboundMessage.objects.get().state == "applied"
    assert ("times_without_zone" in findings(integrator, "north")) is is_finding


def test_times_without_zone(integrator: Client) -> None:
    shop = create_source("shop", connector="shopify", role="shop")
    body = b'{"id": 1, "name": "#1", "created_at": "2026-01-05T10:00:00", "line_items": []}'
    headers = {"x-shopify-topic": "orders/create"}
    store_messages([IncomingMessage(shop.pk, "k", headers, body)])
    job_functions.process_messages_and_refold()
    assert InboundMessage.objects.get().state == "parked"
    finding = findings(integrator, "shop")["times_without_zone"]
    assert (finding["count"], finding["setting"]) == (1, "zone")
    assert "has no time zone" in finding["example"]


def test_lines_without_a_counterpart_and_unmapped_terms(integrator: Client, wms: Source) -> None:
    receive(wms, ("order.received", {"order": "SO-1", "lines": LINES}))
    order = Order.objects.get()
    OrderLine.objects.update(flags=["no_counterpart"])
    TermUsage.objects.create(
        order_id=order.pk,
        kind="item",
        source="wms",
        term="kit",
        raw="KIT",
        unmapped=True,
        first_at=order.folded_at,
        last_at=order.folded_at,
        messages=1,
    )
    result = findings(integrator)
    assert result["lines_without_counterpart"]["count"] == 1
    assert result["lines_without_counterpart"]["url"] == f"/orders/{order.pk}?tab=lines"
    assert (result["unmapped_terms"]["count"], result["unmapped_terms"]["example"]) == (1, "KIT")
    for finding in result.values():
        assert integrator.get(finding["url"]).status_code == 200


def test_the_reads_are_bounded(
    integrator: Client, wms: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(wms, *(("shipment.confirmed", {"shipment": f"SH-{n}"}) for n in range(5)))
    monkeypatch.setattr(reading_report, "MAX_MESSAGES", 2)
    with CaptureQueriesContext(
        connection,
    ) as few:
        report = reading_report.load_reading_report(wms)
    assert (report.messages, report.is_complete) == (2, False)
    assert [row.finding.count for row in report.findings] == [2, 2]
    monkeypatch.setattr(reading_report, "MAX_MESSAGES", 5)
    with CaptureQueriesContext(connection) as many:
        reading_report.load_reading_report(wms)
    assert len(few) == len(many) <= 7
    page = integrator.get("/sources/wms?tab=reading").content.decode()
    assert "All 5 messages" in page


def test_an_empty_report_reassures_nobody(integrator: Client, wms: Source) -> None:
    page = integrator.get("/sources/wms?tab=reading").content.decode()
    assert "No messages yet" in page
    assert "No message that was examined" not in page
    assert signed_in(UserRole.EXECUTIVE).get("/api/v1/sources/wms/reading").status_code == 403
