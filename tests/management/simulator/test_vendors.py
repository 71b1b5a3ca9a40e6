"""Every message verifies by its vendor's rule and tells the vendor's connector what happened."""

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from connectors.catalog import systems
from connectors.sdk.connector import Connector, Message, Request
from connectors.sdk.events import CanonicalEvent, ObjectKind, Scheme
from tests.management.simulator.conftest import STARTED, setting
from visibility.simulator import vendors
from visibility.simulator.catalog import EDI_CUSTOMERS, OWN_ISA
from visibility.simulator.document_numbers import sales_order, sscc, tracking, weighed
from visibility.simulator.faults import Rates
from visibility.simulator.generator import STAGED, World
from visibility.simulator.model import ERP, Kind, Order, Step, when
from visibility.simulator.vendors import business_central
from visibility.simulator.vendors.message import Message as VendorMessage

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
SAYS = {
    Kind.SHOP_CREATED: "order.received",
    Kind.SHOP_FULFILLED: "shipment.confirmed",
    Kind.SHOP_CANCELLED: "order.cancelled",
    Kind.EDI_ORDER: "order.received",
    Kind.EDI_ANSWER: "order.accepted",
    Kind.EDI_NOTICE: "shipment.confirmed",
    Kind.EDI_INVOICE: "invoice.issued",
    Kind.EDI_CANCEL: "order.cancelled",
    Kind.ERP_DRAFT: "order.received",
    Kind.ERP_OPEN: "order.released",
    Kind.ERP_SHIPPED: "order.released",
    Kind.ERP_SHIPMENT: "shipment.confirmed",
    Kind.ERP_INVOICED: "order.released",
    Kind.ERP_INVOICE: "invoice.issued",
    Kind.WMS_ALLOCATED: "line.allocated",
    Kind.WMS_PICKED: "pick.completed",
    Kind.WMS_PACKED: "pack.completed",
    Kind.WMS_SHIPPED: "shipment.confirmed",
    Kind.WMS_CANCELLED: "order.cancelled",
    Kind.WMS_RETURN: "return.received",
    Kind.NORTH_ORDER: "order.released",
    Kind.NORTH_SHIPPED: "shipment.confirmed",
    Kind.NORTH_CANCEL: "order.cancelled",
    Kind.INVOICED: "invoice.issued",
    Kind.PAID: "invoice.paid",
    Kind.CREDITED: "credit.issued",
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
    made: Connector = systems()[code]({"source": slug, **config})
    return made


@pytest.fixture(scope="module")
def told() -> dict[str, list[tuple[Order, Step]]]:
    """Some hundred steps of every source, without torn ones."""
    made = World(setting(rates=Rates(unknown_status=0.1)))
    found: dict[str, list[tuple[Order, Step]]] = defaultdict(list)
    for n in [*range(len(made.past)), STAGED, STAGED + 1]:
        order = made.order(n)
        for step in order.steps:
            if not step.torn:
                found[step.kind.source].append((order, step))
    return found


def message(order: Order, step: Step) -> tuple[bytes, dict[str, str]]:
    if step.kind in ERP:
        return orjson.dumps(business_central.row(order, step)), {}
    made = vendors.write(order, step)
    return made.body, vendors.signed(made, SECRET, STARTED)


def parsed(slug: str, told: Any) -> Iterator[tuple[Order, Step, tuple[CanonicalEvent, ...]]]:
    reader = connector(slug)
    for order, step in told[slug]:
        body, headers = message(order, step)
        found = reader.parse(Message(body, headers, when(step.send_at)))
        assert not found.problems, (step, found.problems)
        yield order, step, found.events


@pytest.mark.parametrize("slug", SYSTEMS)
def test_the_connector_reads_what_happened(slug: str, told: Any) -> None:
    kinds = set()
    for order, step, events in parsed(slug, told):
        kinds.add(step.kind)
        words = {event.type.value for event in events}
        if step.kind is Kind.TRACKED:
            word = order.shipments[step.shipment].scans[step.item % 8].word
            assert any(w.startswith(SCANS[word]) for w in words), (word, words)
        elif step.kind is Kind.WMS_UNKNOWN:
            assert words == {"unmapped"}
        elif step.kind in SAYS:
            assert SAYS[step.kind] in words, (step, words)
    assert len(kinds) == len({s.kind for _, s in told[slug]})


@pytest.mark.parametrize("slug", SYSTEMS)
def test_events_happened_when_the_world_says(slug: str, told: Any) -> None:
    for _, step, events in parsed(slug, told):
        for event in events:
            if event.occurred_at is not None:
                assert event.occurred_at.timestamp() <= step.send_at + 0.001
        if slug in {"erp", "edi", "3pl", "finance"}:
            assert any(
                e.occurred_at and abs(e.occurred_at.timestamp() - step.at) <= 1 for e in events
            ), step


@pytest.mark.parametrize("slug", ["wms", "3pl", "finance", "erp"])
def test_the_erp_number_joins(slug: str, told: Any) -> None:
    for order, step, events in parsed(slug, told):
        values = {
            i.value
            for e in events
            for ref in e.objects
            if ref.kind is ObjectKind.ORDER
            for i in ref.identifiers
            if i.scheme is Scheme.SALES_ORDER and i.issuer == "erp"
        }
        assert values == {sales_order(order.n)}, step


@pytest.mark.parametrize("slug", [slug for slug in SYSTEMS if slug != "erp"])
def test_signature_and_delivery_id_are_the_vendors(slug: str, told: Any) -> None:
    reader, ids = connector(slug), defaultdict(set)
    other = b"whsec_" + base64.b64encode(b"another secret of the same")
    for order, step in told[slug][:300]:
        body, headers = message(order, step)
        request = Request("POST", f"/hooks/{slug}", {}, headers, body)
        reader.verify(request, [SECRET.encode()], when(STARTED))
        with pytest.raises(ValueError, match="secret"):
            reader.verify(request, [other], when(STARTED))
        ids[reader.dedupe_key(request)].add(body)
    assert "" not in ids
    assert all(len(bodies) == 1 for bodies in ids.values())
    assert len(ids) == len({(o.n, s.kind, s.shipment, s.item) for o, s in told[slug][:300]})


def test_tracking_numbers_join_warehouse_shop_and_carrier(told: Any) -> None:
    def packages(slug: str, kinds: set[Kind]) -> set[str]:
        return {
            i.value
            for _, step, events in parsed(slug, told)
            if step.kind in kinds
            for e in events
            for ref in e.objects
            if ref.kind is ObjectKind.PACKAGE
            for i in ref.identifiers
            if i.scheme is Scheme.TRACKING
        }

    shipped = packages("erp", {Kind.ERP_SHIPMENT})
    others = {
        "shop": Kind.SHOP_FULFILLED,
        "wms": Kind.WMS_SHIPPED,
        "3pl": Kind.NORTH_SHIPPED,
        "edi": Kind.EDI_NOTICE,
        "carrier": Kind.TRACKED,
    }
    for slug, kind in others.items():
        found = packages(slug, {kind})
        assert found, slug
        assert found <= shipped, slug


def test_shop_and_edi_orders_meet_the_erps(told: Any) -> None:
    def named(slug: str, kind: Kind, scheme: Scheme) -> set[tuple[str, str]]:
        return {
            (i.issuer, i.value)
            for _, step, events in parsed(slug, told)
            if step.kind is kind
            for e in events
            for ref in e.objects
            for i in ref.identifiers
            if i.scheme is scheme and i.strong
        }

    shop = named("shop", Kind.SHOP_CREATED, Scheme.WEB_ORDER)
    assert shop
    assert shop <= named("erp", Kind.ERP_DRAFT, Scheme.WEB_ORDER)
    edi = named("edi", Kind.EDI_ORDER, Scheme.CUSTOMER_PO)
    assert any(value == "4711" for _, value in edi)
    assert edi <= named("erp", Kind.ERP_DRAFT, Scheme.CUSTOMER_PO)


def test_a_copy_is_the_same_message_and_a_torn_one_another(world: World) -> None:
    order = world.order(STAGED)
    for step in order.steps:
        if step.kind in ERP:
            continue
        whole = vendors.write(order, step)
        assert vendors.write(order, step._replace(copy=True)) == whole
        torn = vendors.write(order, step._replace(torn=True))
        assert whole.body.startswith(torn.body)
        assert torn.identity != whole.identity


def test_the_documented_signatures() -> None:
    body, key = b"{}", b"secret"
    raw = hmac.new(key, body, hashlib.sha256).digest()
    made = {
        slug: vendors.VENDORS[slug].sign(
            VendorMessage(slug, body, {}, "msg_1"), "secret", 1_784_127_600.9
        )
        for slug in vendors.VENDORS
    }
    coded = base64.b64encode(raw).decode()
    assert made["shop"] == {"x-shopify-hmac-sha256": coded}
    assert made["wms"] == {"x-shiphero-hmac-sha256": coded}
    assert made["carrier"] == {"x-hmac-signature": f"hmac-sha256-hex={raw.hex()}"}
    assert made["3pl"] == made["edi"] == {"x-throughline-signature": f"sha256={raw.hex()}"}
    signed = hmac.new(key, b"msg_1.1784127600.{}", hashlib.sha256).digest()
    assert made["finance"] == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1784127600",
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def test_numbers_have_their_check_digits_and_are_unique() -> None:
    assert weighed("00850012000000003") == sscc(3)[-1] == "7"
    # The example of the carrier's own description.
    assert tracking("UPS", 1).startswith("1Z")
    for carrier, length in (("UPS", 18), ("FedEx", 12), ("USPS", 22)):
        made = {tracking(carrier, serial) for serial in range(5000)}
        assert len(made) == 5000
        assert {len(number) for number in made} == {length}


def test_the_3pl_acknowledges_between_orders() -> None:
    made = vendors.pulse(7, STARTED)
    found = connector("3pl").parse(Message(made.body, made.headers, when(STARTED)))
    assert not found.events
    assert not found.problems
    assert "997" in found.ignored
    assert vendors.pulse(8, STARTED + 100).identity != made.identity
