"""A manifest reads runs, calls and queues of an integration platform."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.manifest.check_examples import problems_of_failing_examples
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest
from connectors.sdk.telemetry import TelemetryResult

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MANIFEST = """
connector: harbor_ipaas
version: 1
title: Harbor iPaaS
role: other
description: Runs of integrations, with the orders that they moved.
settings:
  orders: The number range of orders, such as sales_order@erp.
receive:
  webhook:
    verify: {bearer: yes}
read: {format: json, records: jobs}
order:
  numbers: [{value: order_no, scheme: sales_order, issuer: "{$orders}"}]
telemetry:
  - type: run.observed
    if: {kind: [flow]}
    key: "{id} {state}"
    at: {value: updated, offset: included}
    values:
      flow: flow.name
      run_id: id
      status: {value: state, map: {DONE: succeeded, ERROR: failed}, else: running}
      ended_at: {value: updated, offset: included}
      records_failed: errors
      error: message
      url: {template: "https://ipaas.example/jobs/{id}"}
  - type: queue.observed
    if: {kind: [queue]}
    key: "{id} {updated}"
    at: {value: updated, offset: included}
    values: {queue: flow.name, depth: waiting}
examples:
  - text: >-
      {"jobs": [{"id": 9, "kind": "queue", "updated": "2026-03-04T11:00:00Z",
      "flow": {"name": "orders.in"}, "waiting": 12}]}
    gives: [queue.observed]
"""


def connector_class(text: str = MANIFEST) -> Any:
    return make_connector_class_of_manifest(parse_manifest(text), Path("harbor_ipaas.yaml"))


def parse(*jobs: dict[str, Any]) -> ParseResult:
    connector = connector_class()({"source": "harbor", "orders": "erp"})
    body = orjson.dumps({"jobs": list(jobs)})
    return connector.parse(RawMessage(body, {}, NOON))  # type: ignore[no-any-return]


def job(**values: Any) -> dict[str, Any]:
    return {
        "id": 4711,
        "kind": "flow",
        "state": "ERROR",
        "updated": "2026-03-04T11:00:00Z",
        "flow": {"name": "orders to WMS"},
        **values,
    }


def test_a_record_becomes_a_run_of_its_order() -> None:
    parsed = parse(job(order_no="SO-1", errors=3, message="No route"), job(state="BUSY"))
    assert (parsed.events, parsed.errors, parsed.ignored) == ((), (), "")
    failed, running = parsed.telemetry
    assert (failed.name, failed.run_id, failed.result, failed.records_failed, failed.text) == (
        *("orders to WMS", "4711", TelemetryResult.ERROR, 3, "No route"),
    )
    assert failed.url == "https://ipaas.example/jobs/4711"
    assert failed.objects[0].identifiers[0].issuer == "erp"
    assert running.result is TelemetryResult.RUNNING
    assert running.objects == ()


def test_an_invalid_record_is_an_error_and_harms_no_other() -> None:
    parsed = parse(job(flow={}), job())
    assert [error.path for error in parsed.errors] == ["flow"]
    assert len(parsed.telemetry) == 1


def test_its_examples_name_the_telemetry() -> None:
    assert list(problems_of_failing_examples(connector_class(), received_at=NOON)) == []
    other = MANIFEST.replace("gives: [queue.observed]", "gives: [run.observed]")
    (problem,) = problems_of_failing_examples(connector_class(other), received_at=NOON)
    assert problem.sentence == "gives queue.observed, not run.observed"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("      run_id: id\n", "", "run.observed needs the value run_id"),
        ("      error: message\n", "      depth: id\n", "run.observed has no value depth"),
        ("type: queue.observed", "type: call.observed", "call.observed needs the value service"),
    ],
)
def test_lint_names_missing_and_unknown_values(old: str, new: str, sentence: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(MANIFEST.replace(old, new, 1))
    assert sentence in str(caught.value)
