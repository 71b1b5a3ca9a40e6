"""Every shelf holds the expected plugins, and the contract tests visit each of them.

Contract tests find their subjects by walking folders. A folder that moves would make them visit
nothing and still pass, so the expected names are written here.
"""

from pathlib import Path

from connectors.catalog import connectors_by_slug
from tests.unit.connectors import test_contract, test_manifest_contract
from tests.unit.connectors.contract_samples import all_contract_samples
from visibility.boards import tile_registry as tile_shelf
from visibility.ingest.queue_settings import transport_registry
from visibility.kpi import registry
from visibility.notify.outbox import channel_registry
from visibility.sla.registry import rule_kinds

TESTS = Path(__file__).parent
CONNECTORS = {
    "adobe_commerce",
    "amazon_sp_api",
    "bigcommerce",
    "business_central",
    "cloudevents",
    "edifact",
    "epcis",
    "extensiv",
    "erpnext",
    "netsuite",
    "ocel",
    "odoo",
    "project44",
    "quickbooks",
    "salesforce",
    "sap_s4hana",
    "shipbob",
    "shiphero",
    "shopify",
    "standard_webhooks",
    "tryton",
    "vendure",
    "walmart",
    "x12",
    "xero",
}
MANIFESTS = {
    "aftership",
    "canada_post",
    "dhl",
    "easypost",
    "fedex",
    "infor_sxe",
    "karrio",
    "northlog_945",
    "shipengine",
    "shipstation",
    "shippo",
    "ups",
    "usps",
    "woocommerce",
}
RULES = {
    "batch_doubled",
    "batch_empty",
    "batch_late",
    "batch_out_of_order",
    "batch_short",
    "call_errors",
    "changed_fields",
    "kpi_off_limit",
    "no_tracking_scan",
    "outdated_version",
    "queue_backlog",
    "run_failed",
    "secret_ending",
    "source_silent",
    "stuck_in_released",
    "unacknowledged_alert",
    "unmapped_status",
}
KPIS = {
    "event_delay",
    "failed_polls",
    "fill_rate",
    "on_time",
    "on_time_estimated",
    "order_cycle_time",
    "parked_messages",
    "snoozed_alerts",
    "time_to_acknowledge",
    "undelivered_orders",
    "unit_fill_rate",
}
TILES = {
    "cut_offs",
    "order_funnel",
    "key_figures",
    "kpi_number",
    "message_rate",
    "source_health",
    "notable_events",
    "top_alerts",
}
TRANSPORTS = {"amqp", "kafka", "mqtt"}
CHANNELS = {"apprise", "email", "pagerduty", "slack", "teams", "webhook"}


def test_the_loaders_find_exactly_the_expected_plugins() -> None:
    assert set(connectors_by_slug()) == CONNECTORS | MANIFESTS
    assert set(rule_kinds()) == RULES
    assert set(registry.kpi_registry()) == KPIS
    assert set(tile_shelf.tile_registry()) == TILES
    assert set(channel_registry()) == CHANNELS
    assert set(transport_registry()) == TRANSPORTS


def test_the_contract_tests_visit_every_connector_and_its_samples() -> None:
    assert test_contract.FILES == CONNECTORS
    assert {test_contract.slug_of(path) for path in test_contract.CASES} == CONNECTORS
    assert test_contract.MANIFESTS == MANIFESTS
    assert {slug for slug, _ in test_manifest_contract.CASES} == MANIFESTS
    assert len(test_contract.CASES) >= 37
    changed = all_contract_samples()
    assert {sample.slug for sample in changed} == CONNECTORS | MANIFESTS
    assert len(changed) >= 240


def test_every_rule_and_kpi_has_a_test_of_its_own() -> None:
    assert names_of_tests(TESTS / "sla" / "rules") == RULES
    assert names_of_tests(TESTS / "kpi" / "definitions") == KPIS


def test_every_channel_has_a_test_of_its_own() -> None:
    assert names_of_tests(TESTS / "notify" / "channels") == CHANNELS


def names_of_tests(folder: Path) -> set[str]:
    return {path.stem.removeprefix("test_") for path in folder.glob("test_*.py")}
