"""Every message passes the vendor's signature check and its connector reads what happened."""

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from connectors.catalog import connectors_by_slug
from connectors.sdk.check_digits import gs1_check_digit
from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.events import CanonicalEvent, IdentifierScheme, ObjectKind
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from tests.unit.simulator.conftest import STARTED, world_setting
from visibility.simulator import vendors
from visibility.simulator.document_numbers import sales_order_number, sscc, tracking_number
from visibility.simulator.faults import FaultRates
from visibility.simulator.generator import FIRST_STAGED, SimulatedWorld
from visibility.simulator.master_data import EDI_CUSTOMERS, OWN_ISA
from visibility.simulator.simulated_order import (
    ERP_KINDS,
    SimulatedOrder,
    SimulatedStep,
    StepKind,
    to_datetime,
)
from visibility.simulator.vendors import business_central
from visibility.simulator.vendors.message import SimulatedMessage as VendorMessage

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()
ERP_NUMBER = {"order_number": "sales_order@erp"}
CUSTOMERS = {f"customer.{c.isa}": c.number for c in EDI_CUSTOMERS}
SYSTEMS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "shop": ("shopify", {}),
    "edi": ("x12", {"own": OWN_ISA, **CUSTOMERS}),
    "erp": ("business_central", {"web_orders": "shop"}),
    "wms": ("shiphero", ERP_NUMBER),
    "3pl": ("x12", {"own": OWN_ISA, "depositor_order": "sales_order@erp"}),
    "carrier": ("easypost", {}),
    "finance": ("standard_webhooks", ERP_NUMBER),
}
EXPECTED_EVENTS = {
    StepKind.SHOP_CREATED: "order.received",
    StepKind.SHOP_FULFILLED: "shipment.confirmed",
    StepKind.SHOP_CANCELLED: "order.cancelled",
    StepKind.EDI_ORDER: "order.received",
    StepKind.EDI_ACKNOWLEDGMENT: "order.accepted",
    StepKind.EDI_NOTICE: "shipment.confirmed",
    StepKind.EDI_INVOICE: "invoice.issued",
    StepKind.EDI_CANCEL: "order.cancelled",
    StepKind.ERP_DRAFT: "order.received",
    StepKind.ERP_OPEN: "order.released",
    StepKind.ERP_SHIPPED: "order.released",
    StepKind.ERP_SHIPMENT: "shipment.confirmed",
    StepKind.ERP_INVOICED: "order.released",
    StepKind.ERP_INVOICE: "invoice.issued",
    StepKind.WMS_ALLOCATED: "line.allocated",
    StepKind.WMS_PICKED: "pick.completed",
    StepKind.WMS_PACKED: "pack.completed",
    StepKind.WMS_SHIPPED: "shipment.confirmed",
    StepKind.WMS_CANCELLED: "order.cancelled",
    StepKind.WMS_RETURN: "return.received",
    StepKind.NORTH_ORDER: "order.released",
    StepKind.NORTH_SHIPPED: "shipment.confirmed",
    StepKind.NORTH_CANCEL: "order.cancelled",
    StepKind.INVOICED: "invoice.issued",
    StepKind.PAID: "invoice.paid",
    StepKind.CREDITED: "credit.issued",
}
SCANS = {
    "label": "shipment.label_created",
    "picked_up": "shipment.",
    "in_transit": "shipment.in_transit",
    "delayed": "shipment.",
    "out_for_delivery": "shipment.out_for_delivery",
    "delivered": "shipment.delivered",
}


def connector(slug: str) -> Connector:
    code, config = SYSTEMS[slug]
    instance: Connector = connectors_by_slug()[code]({"source": slug, **config})
    return instance


@pytest.fixture(scope="module")
def steps_by_source() -> dict[str, list[tuple[SimulatedOrder, SimulatedStep]]]:
    """Several hundred steps of every source, without truncated ones."""
    world = SimulatedWorld(world_setting(rates=FaultRates(unknown_status=0.1)))
    steps: dict[str, list[tuple[SimulatedOrder, SimulatedStep]]] = defaultdict(list)
    for n in [*range(len(world.past_created_at)), FIRST_STAGED, FIRST_STAGED + 1]:
        order = world.order(n)
        for step in order.steps:
            if not step.truncated:
                steps[step.kind.source].append((order, step))
    return steps


def message(order: SimulatedOrder, step: SimulatedStep) -> tuple[bytes, dict[str, str]]:
    if step.kind in ERP_KINDS:
        return orjson.dumps(business_central.build_entity(order, step)), {}
    written = vendors.build_full_or_truncated_message(order, step)
    return written.body, vendors.signed_headers(written, SECRET, STARTED)


def parsed(
    slug: str, steps_by_source: Any
) -> Iterator[tuple[SimulatedOrder, SimulatedStep, tuple[CanonicalEvent, ...]]]:
    reader = connector(slug)
    for order, step in steps_by_source[slug]:
        body, headers = message(order, step)
        result = reader.parse(RawMessage(body, headers, to_datetime(step.send_at)))
        assert not result.errors, (step, result.errors)
        yield order, step, result.events


@pytest.mark.parametrize("slug", SYSTEMS)
def test_connector_reads_the_expected_event(slug: str, steps_by_source: Any) -> None:
    kinds = set()
    for order, step, events in parsed(slug, steps_by_source):
        kinds.add(step.kind)
        types = {event.type.value for event in events}
        if step.kind is StepKind.CARRIER_SCAN:
            scan = order.shipments[step.shipment].scans[step.scan_index % 8].status
            assert any(t.startswith(SCANS[scan]) for t in types), (scan, types)
        elif step.kind is StepKind.WMS_UNKNOWN:
            assert types == {"unmapped"}
        elif step.kind in EXPECTED_EVENTS:
            assert EXPECTED_EVENTS[step.kind] in types, (step, types)
    assert len(kinds) == len({s.kind for _, s in steps_by_source[slug]})


@pytest.mark.parametrize("slug", SYSTEMS)
def test_event_times_match_the_simulated_times(slug: str, steps_by_source: Any) -> None:
    for _, step, events in parsed(slug, steps_by_source):
        for event in events:
            if event.occurred_at is not None:
                assert event.occurred_at.timestamp() <= step.send_at + 0.001
        if slug in {"erp", "edi", "3pl", "finance"}:
            assert any(
                e.occurred_at and abs(e.occurred_at.timestamp() - step.at) <= 1 for e in events
            ), step


@pytest.mark.parametrize("slug", ["wms", "3pl", "finance", "erp"])
def test_every_source_refers_to_the_erp_order_number(slug: str, steps_by_source: Any) -> None:
    for order, step, events in parsed(slug, steps_by_source):
        values = {
            i.value
            for e in events
            for ref in e.objects
            if ref.kind is ObjectKind.ORDER
            for i in ref.identifiers
            if i.scheme is IdentifierScheme.SALES_ORDER and i.issuer == "erp"
        }
        assert values == {sales_order_number(order.n)}, step


@pytest.mark.parametrize("slug", [slug for slug in SYSTEMS if slug != "erp"])
def test_connector_verifies_signature_and_reads_delivery_id(
    slug: str, steps_by_source: Any
) -> None:
    reader, ids = connector(slug), defaultdict(set)
    other = b"whsec_" + base64.b64encode(b"another secret of the same")
    for order, step in steps_by_source[slug][:300]:
        body, headers = message(order, step)
        request = WebhookRequest("POST", f"/hooks/{slug}", {}, headers, body)
        reader.verify(request, [SECRET.encode()], to_datetime(STARTED))
        with pytest.raises(ValueError, match="secret"):
            reader.verify(request, [other], to_datetime(STARTED))
        ids[reader.dedupe_key(request)].add(body)
    assert "" not in ids
    assert all(len(bodies) == 1 for bodies in ids.values())
    assert len(ids) == len(
        {(o.n, s.kind, s.shipment, s.scan_index) for o, s in steps_by_source[slug][:300]}
    )


def test_all_sources_use_the_tracking_numbers_of_the_erp(steps_by_source: Any) -> None:
    def packages(slug: str, kinds: set[StepKind]) -> set[str]:
        return {
            i.value
            for _, step, events in parsed(slug, steps_by_source)
            if step.kind in kinds
            for e in events
            for ref in e.objects
            if ref.kind is ObjectKind.PACKAGE
            for i in ref.identifiers
            if i.scheme is IdentifierScheme.TRACKING
        }

    shipped = packages("erp", {StepKind.ERP_SHIPMENT})
    others = {
        "shop": StepKind.SHOP_FULFILLED,
        "wms": StepKind.WMS_SHIPPED,
        "3pl": StepKind.NORTH_SHIPPED,
        "edi": StepKind.EDI_NOTICE,
        "carrier": StepKind.CARRIER_SCAN,
    }
    for slug, kind in others.items():
        tracking_numbers = packages(slug, {kind})
        assert tracking_numbers, slug
        assert tracking_numbers <= shipped, slug


@pytest.mark.slow
def test_erp_orders_have_the_numbers_of_shop_and_edi_orders(steps_by_source: Any) -> None:
    def identifiers(slug: str, kind: StepKind, scheme: IdentifierScheme) -> set[tuple[str, str]]:
        return {
            (i.issuer, i.value)
            for _, step, events in parsed(slug, steps_by_source)
            if step.kind is kind
            for e in events
            for ref in e.objects
            for i in ref.identifiers
            if i.scheme is scheme and i.strong
        }

    shop = identifiers("shop", StepKind.SHOP_CREATED, IdentifierScheme.WEB_ORDER)
    assert shop
    assert shop <= identifiers("erp", StepKind.ERP_DRAFT, IdentifierScheme.WEB_ORDER)
    edi = identifiers("edi", StepKind.EDI_ORDER, IdentifierScheme.CUSTOMER_PO)
    assert any(value == "4711" for _, value in edi)
    assert edi <= identifiers("erp", StepKind.ERP_DRAFT, IdentifierScheme.CUSTOMER_PO)


def test_duplicate_is_the_same_message_but_truncated_message_differs(world: SimulatedWorld) -> None:
    order = world.order(FIRST_STAGED)
    for step in order.steps:
        if step.kind in ERP_KINDS:
            continue
        complete = vendors.build_full_or_truncated_message(order, step)
        assert (
            vendors.build_full_or_truncated_message(order, step._replace(is_duplicate=True))
            == complete
        )
        truncated = vendors.build_full_or_truncated_message(order, step._replace(truncated=True))
        assert complete.body.startswith(truncated.body)
        assert truncated.identity != complete.identity


def test_signatures_follow_the_vendor_documentation() -> None:
    body, key = b"{}", b"secret"
    raw = hmac.new(key, body, hashlib.sha256).digest()
    signatures = {
        slug: vendors.VENDORS[slug].sign(
            VendorMessage(slug, body, {}, "msg_1"), "secret", 1_784_127_600.9
        )
        for slug in vendors.VENDORS
    }
    coded = base64.b64encode(raw).decode()
    assert signatures["shop"] == {"x-shopify-hmac-sha256": coded}
    assert signatures["wms"] == {"x-shiphero-hmac-sha256": coded}
    assert signatures["carrier"] == {"x-hmac-signature": f"hmac-sha256-hex={raw.hex()}"}
    assert (
        signatures["3pl"] == signatures["edi"] == {"x-throughline-signature": f"sha256={raw.hex()}"}
    )
    signed = hmac.new(key, b"msg_1.1784127600.{}", hashlib.sha256).digest()
    assert signatures["finance"] == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1784127600",
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def test_numbers_have_valid_check_digits_and_are_unique() -> None:
    assert gs1_check_digit("00850012000000003") == sscc(3)[-1] == "7"
    assert tracking_number("UPS", 1).startswith("1Z")
    for carrier, length in (("UPS", 18), ("FedEx", 12), ("USPS", 22)):
        numbers = {tracking_number(carrier, serial) for serial in range(5000)}
        assert len(numbers) == 5000
        assert {len(number) for number in numbers} == {length}


def test_3pl_heartbeat_is_an_ignored_997() -> None:
    heartbeat = vendors.build_3pl_997_heartbeat_message(7, STARTED)
    result = connector("3pl").parse(
        RawMessage(heartbeat.body, heartbeat.headers, to_datetime(STARTED))
    )
    assert not result.events
    assert not result.errors
    assert "997" in result.ignored
    assert vendors.build_3pl_997_heartbeat_message(8, STARTED + 100).identity != heartbeat.identity
