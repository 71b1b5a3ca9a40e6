"""`manage.py source try` prints one line of JSON per file and stores nothing."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

ORDER = "ST*850*0001~BEG*00*SA*PO-1**20260105~PO1*1*{quantity}*EA*2**VN*A~SE*4*0001~"


def try_payloads(connector: str, folder: Path, *bodies: str) -> list[dict[str, Any]]:
    names = []
    for number, body in enumerate(bodies):
        path = folder / f"{number}.txt"
        path.write_text(body)
        names.append(str(path))
    out = StringIO()
    call_command("source", "try", connector, *names, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_file_has_its_own_line(tmp_path: Path) -> None:
    read, ignored, parked = try_payloads(
        "x12", tmp_path, ORDER.format(quantity=5), "ST*997*0001~AK1*PO*7~AK9*A~SE*4*0001~", "hello"
    )
    assert read["events"][0]["lines"][0]["quantities"] == {"ordered": "5"}
    assert ignored == {"ignored": "997 of group PO 7: accepted"}
    assert list(parked) == ["parked"]


def test_file_with_valid_and_invalid_documents_shows_both(tmp_path: Path) -> None:
    bad = ORDER.replace("0001", "0002").format(quantity="five")
    (both,) = try_payloads("x12", tmp_path, ORDER.format(quantity=5) + bad)
    assert len(both["events"]) == 1
    assert "ST 850 0002" in both["parked"]


def test_what_an_applied_file_says_beside_its_events_is_shown(tmp_path: Path) -> None:
    acknowledgment = "ST*997*0002~AK1*PO*7~AK9*A~SE*4*0002~"
    (both,) = try_payloads("x12", tmp_path, ORDER.format(quantity=5) + acknowledgment)
    assert len(both["events"]) == 1
    assert both["ignored"] == "997 of group PO 7: accepted"


def test_implausible_quantity_is_parked_as_in_the_pipeline(tmp_path: Path) -> None:
    (parked,) = try_payloads("x12", tmp_path, ORDER.format(quantity="9" * 25))
    assert list(parked) == ["parked"]
    assert "is too large" in parked["parked"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"gone\.edi: No such file"):
        call_command("source", "try", "x12", str(tmp_path / "gone.edi"))


def test_what_is_missing_is_reported_beside_the_json(tmp_path: Path) -> None:
    names = []
    for number, event in enumerate(
        (
            {"type": "shipment.confirmed", "data": {"shipment": "SH-1"}},
            {"type": "order.received", "data": {"order": {"number": "SO-1"}}},
        )
    ):
        path = tmp_path / f"{number}.json"
        envelope = {"specversion": "1.0", "id": "1", "source": "/x", "time": "2026-01-05T10:00:00Z"}
        path.write_text(json.dumps({**envelope, **event}))
        names.append(str(path))
    out, err = StringIO(), StringIO()
    call_command("source", "try", "cloudevents", *names, stdout=out, stderr=err)
    assert len(out.getvalue().splitlines()) == 2
    assert "Objects without an order: 1, such as shipment.confirmed SH-1" in err.getvalue()
    assert "Shipments without quantities: 1" in err.getvalue()
    assert f"{names[0]}: " in err.getvalue()
    call_command("source", "try", "cloudevents", names[1], stdout=out, stderr=(err := StringIO()))
    assert err.getvalue().strip() == "nothing is missing in what was read"
