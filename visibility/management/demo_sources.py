"""The sources of the simulated distributor, one for each of its systems."""

from collections.abc import Mapping
from typing import NamedTuple

from connectors.sdk.number_issuers import ISSUER_SETTING
from visibility.simulator.erp_landscape import (
    NEW_SOURCE,
    OLD_SOURCE,
    ErpChoice,
    ErpLandscape,
    ErpSystem,
)
from visibility.simulator.master_data import DALLAS, EDI_CUSTOMERS, NORTH
from visibility.simulator.tryton_server import DATABASE, USER
from visibility.sla.silence_limits import WAREHOUSES_SETTING
from visibility.storage.load_events import REPLACES_SETTING


class DemoSource(NamedTuple):
    """A source: its connector, title, role, settings and silence limit."""

    connector: str
    title: str
    role: str
    settings: Mapping[str, str]
    silence_limit: str


CUSTOMER_SETTINGS = {f"customer.{c.isa}": c.number for c in EDI_CUSTOMERS}
ERP_ORDER_NUMBER = {"order_number": "sales_order@erp"}
# The ERP names the warehouse of an order, so alerts wait only for the one that ships it.
DALLAS_SETTINGS = {**ERP_ORDER_NUMBER, WAREHOUSES_SETTING: DALLAS}
NORTH_SETTINGS = {
    "own": "THROUGHLINE",
    "depositor_order": "sales_order@erp",
    WAREHOUSES_SETTING: NORTH,
}
EDI_SETTINGS = {
    "own": "THROUGHLINE",
    "seller_order": "sales_order@erp",
    "invoice_number": "invoice@erp",
    **CUSTOMER_SETTINGS,
}
CHANNEL_SETTINGS = {"channel.WEB": "web", "channel.EDI": "edi", "channel.INSIDE": "inside"}
BUSINESS_CENTRAL_SETTINGS = {"web_orders": "shop", **CHANNEL_SETTINGS}
TRYTON_SETTINGS = {
    "database": DATABASE,
    "user": USER,
    "web_orders": "shop",
    "channel_field": "sales_channel",
    "requested_field": "requested_delivery_date",
    "promised_field": "promised_delivery_date",
    "hold_field": "credit_hold",
    **CHANNEL_SETTINGS,
}
# The new ERP continues the numbers of the old one, so that the other systems need no change.
NEW_ERP_SETTINGS = {
    ISSUER_SETTING: f"sales_order:{OLD_SOURCE} invoice:{OLD_SOURCE}",
    REPLACES_SETTING: OLD_SOURCE,
}
ERPS = {
    ErpSystem.BUSINESS_CENTRAL: DemoSource(
        "business_central", "ERP", "erp", BUSINESS_CENTRAL_SETTINGS, "30 min"
    ),
    ErpSystem.TRYTON: DemoSource("tryton", "ERP", "erp", TRYTON_SETTINGS, "30 min"),
}
OTHER_SOURCES: Mapping[str, DemoSource] = {
    "shop": DemoSource("shopify", "B2B shop", "shop", {}, "2 h"),
    "edi": DemoSource("x12", "EDI gateway", "edi", EDI_SETTINGS, "4 h"),
    "wms": DemoSource("shiphero", "Dallas warehouse", "wms", DALLAS_SETTINGS, "1 h"),
    "3pl": DemoSource("x12", "3PL North", "3pl", NORTH_SETTINGS, "4 min"),
    "carrier": DemoSource("easypost", "Carriers", "carrier", {}, "1 h"),
    "finance": DemoSource("standard_webhooks", "Finance", "finance", ERP_ORDER_NUMBER, "4 h"),
}


def demo_sources(choice: ErpChoice = ErpChoice.BUSINESS_CENTRAL) -> dict[str, DemoSource]:
    """The sources by slug, with the ERPs of the choice."""
    result = dict(OTHER_SOURCES)
    systems = ErpLandscape(choice).system_by_source
    for slug, system in systems.items():
        result[slug] = ERPS[system]
    if len(systems) > 1:
        old, new = result[OLD_SOURCE], result[NEW_SOURCE]
        result[OLD_SOURCE] = old._replace(title="Old ERP", silence_limit="never")
        result[NEW_SOURCE] = new._replace(
            title="New ERP", settings={**new.settings, **NEW_ERP_SETTINGS}
        )
    return result


def erp_url(system: ErpSystem, port: int) -> str:
    """The URL of a simulated ERP on this port, as the setting `base_url`."""
    if system is ErpSystem.TRYTON:
        return f"http://127.0.0.1:{port}"
    return f"http://127.0.0.1:{port}/api/v2.0/companies(demo)"


SOURCES = demo_sources()
