"""`manage.py source lint`, `try FILE.yaml` and `draft`."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from connectors.catalog import SYSTEMS
from tests.unit.connectors.sdk.manifest.samples import VALID

SHIPMENTS = SYSTEMS / "northlog_945" / "samples" / "SHIP_two_orders.csv"
WEB_ORDER = SYSTEMS / "woocommerce" / "samples" / "order_processing.json"


def run(*arguments: str) -> tuple[str, str]:
    """Run `source` and return what it wrote to its outputs."""
    out, err = StringIO(), StringIO()
    try:
        call_command("source", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
    return out.getvalue(), err.getvalue()


def test_all_manifests_are_checked_without_arguments(tmp_path: Path, settings: Settings) -> None:
    settings.CONNECTOR_FOLDER = tmp_path
    (tmp_path / "own.yaml").write_text(VALID)
    out, err = run("lint")
    assert out.count("no problems") == len(list(SYSTEMS.glob("*.yaml")))
    assert "own.yaml:1: connector - the connector is 'sample', but the file is" in err
    assert err.endswith("1 problem")


def test_lint_names_file_line_and_path(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(VALID.replace("order.received\n", "order.recieved\n"))
    _, err = run("lint", str(path))
    assert f"{path}:14: events[0].type - unknown event type 'order.recieved'" in err
    path.write_text(VALID.replace("gives: [order.received]", "gives: [order.accepted]"))
    _, err = run("lint", str(path))
    assert "examples[0] - gives order.received, not order.accepted" in err
    _, err = run("lint", str(tmp_path / "missing.yaml"))
    assert "the file cannot be read" in err


def test_a_sample_is_tried_with_a_manifest_file(tmp_path: Path) -> None:
    path, sample = tmp_path / "sample.yaml", tmp_path / "order.json"
    path.write_text(VALID)
    sample.write_text('{"id": 1, "number": "S1", "at": "2026-03-02 10:00:00"}')
    out, _ = run("try", str(path), str(sample))
    (event,) = json.loads(out)["events"]
    assert (event["type"], event["occurred_at"]) == (
        "order.received",
        "2026-03-02T16:00:00.000000Z",
    )
    out, _ = run("try", str(path), str(sample), "--config", "zone=UTC")
    assert json.loads(out)["events"][0]["occurred_at"] == "2026-03-02T10:00:00.000000Z"
    _, err = run("try", str(path), str(sample), "--config", "zone=Texas")
    assert "zone: 'Texas' is not" in err
    path.write_text("connector: [")
    _, err = run("try", str(path), str(sample))
    assert "not valid YAML" in err


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (
            SHIPMENTS,
            ("delimiter: \";\"", "charset: cp1252", "decimal: \",\"", "group: [ORDER, SHIPMENT]",
             "STATUS: [P, C]", "scheme: tracking", "%d.%m.%Y %H:%M", "shipped: QTY"),
        ),
        (
            WEB_ORDER,
            ("format: json", "value: number", "each: line_items", "status: [processing]",
             "value: date_created_gmt", "ordered: quantity"),
        ),
    ],
)  # fmt: skip
def test_a_draft_has_no_problems_and_reads_its_sample(
    sample: Path, expected: tuple[str, ...], tmp_path: Path
) -> None:
    out, err = run("draft", str(sample), "--name", "drafted")
    assert not err
    for text in expected:
        assert text in out
    path = tmp_path / "drafted.yaml"
    path.write_text(out)
    assert run("lint", str(path)) == (f"{path}: no problems\n", "")
    out, _ = run("try", str(path), str(sample))
    assert json.loads(out)["events"]


@pytest.mark.parametrize("body", [b"", b"hello", b"{", b"[]", b"a;b\n", b"\xff\xfe\0\0"])
def test_an_unreadable_sample_is_an_error(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sample.bin"
    path.write_bytes(body)
    out, err = run("draft", str(path))
    assert not out
    assert str(path) in err


def test_a_draft_of_a_hand_made_message_has_its_time_lines_and_warehouse(tmp_path: Path) -> None:
    message = {
        "msg": "pick_done",
        "order": "S00711",
        "ship_id": "TP-88",
        "when": "2026-11-30 11:40",
        "wh": "Dallas",
        "items": [{"pos": 1, "sku": "A-1", "picked": 2}],
    }
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps(message))
    out, _ = run("draft", str(sample), "--name", "drafted")
    path = tmp_path / "drafted.yaml"
    path.write_text(out)
    assert run("lint", str(path)) == (f"{path}: no problems\n", "")
    (event,) = json.loads(run("try", str(path), str(sample))[0])["events"]
    assert event["occurred_at"].startswith("2026-11-30T11:40:00")
    assert event["attributes"]["warehouse"] == "Dallas"
    assert event["lines"][0]["line_id"] == "1"
