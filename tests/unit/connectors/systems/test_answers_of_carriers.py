"""Answers of carriers that arrive as a message, and answers of which one scan is invalid."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.catalog import SYSTEMS, connectors_by_slug
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.events import Attribute, EventType
from connectors.sdk.manifest.connector import ManifestConnector

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FEDEX: dict[str, Any] = json.loads((SYSTEMS / "fedex/samples/delivered.json").read_text())


def parse(slug: str, document: Any, **settings: str) -> ParseResult:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    connector = connectors_by_slug()[slug]({"source": slug, **settings})
    return connector.parse(RawMessage(body, {}, NOW))


def answer_with(record: Any, path: str) -> Any:
    """The answer of an API with this record at a path such as `a.b[].c[]`."""
    document = record
    for name in reversed(path.split(".")):
        is_list = name.endswith("[]") or name == path.split(".")[-1]
        document = {name.removesuffix("[]"): [document] if is_list else document}
    return {"page": 1, **document}


def polled_manifests() -> list[tuple[str, str]]:
    """Each manifest whose poll reads records of a larger answer, with their path."""
    return [
        (slug, "[].".join(piece.text for piece in kind.manifest.poll.records.pieces))
        for slug, kind in sorted(connectors_by_slug().items())
        if issubclass(kind, ManifestConnector) and kind.manifest.poll and kind.manifest.poll.records
    ]


@pytest.mark.parametrize(("slug", "path"), polled_manifests())
def test_a_whole_answer_is_read_as_the_poll_reads_it(slug: str, path: str) -> None:
    kind = connectors_by_slug()[slug]
    assert issubclass(kind, ManifestConnector)
    compared = 0
    for example in kind.manifest.examples:
        if not example.file or not example.event_types:
            continue
        record = json.loads((SYSTEMS / slug / "samples" / example.file).read_text())
        # A webhook has the record in its envelope.
        record = record.get("msg", record) if "event_id" in record else record
        alone = parse(slug, record, **example.settings)
        within = parse(slug, answer_with(record, path), **example.settings)
        assert [event_to_dict(e) for e in within.events] == [event_to_dict(e) for e in alone.events]
        compared += bool(alone.events)
    assert compared


def test_an_answer_without_records_is_ignored() -> None:
    assert parse("dhl", {"shipments": []}).ignored == "the message has no events"


def test_the_answers_of_single_trackings_are_read() -> None:
    sample = json.loads((SYSTEMS / "aftership/samples/out_for_delivery.json").read_text())
    tracking = sample.get("msg", sample)
    assert parse("aftership", {"meta": {"code": 200}, "data": {"tracking": tracking}}).events
    text = (SYSTEMS / "canada_post/samples/delivered.xml").read_bytes()
    detail = text[text.index(b"<tracking-detail") :]
    wrapped = b"<wrapper>" + detail + b"</wrapper>"
    assert parse("canada_post", wrapped).events == parse("canada_post", text).events


@pytest.mark.parametrize("body", [b"webhook_id=142", b"webhook_id=142&x=1"])
def test_the_ping_of_a_shop_that_arrives_as_a_file_is_ignored(body: bytes) -> None:
    assert parse("woocommerce", body).ignored == "a test of the webhook, without an order"


class TestFedex:
    def test_an_invalid_scan_parks_the_message_and_hides_no_other_scan(self) -> None:
        scans = [{**FEDEX["scanEvents"][0], "date": "soon"}, *FEDEX["scanEvents"][1:]]
        parsed = parse("fedex", {**FEDEX, "scanEvents": scans})
        assert len(parsed.events) == len(scans) - 1
        assert [error.path for error in parsed.errors] == ["scanEvents[0].date"]

    def test_an_answer_whose_only_scan_is_invalid_has_no_events(self) -> None:
        with pytest.raises(ValueError, match=r"scanEvents\[0\]\.date"):
            parse("fedex", {**FEDEX, "scanEvents": [{"eventType": "DL", "date": "soon"}]})

    def test_a_scan_without_an_offset_is_of_the_zone_of_the_source(self) -> None:
        scans = [{"eventType": "DL", "date": "2026-03-05T10:42:00"}]
        parsed = parse("fedex", {**FEDEX, "scanEvents": scans}, zone="America/Chicago")
        assert parsed.events[0].occurred_at == datetime(2026, 3, 5, 16, 42, tzinfo=UTC)

    def test_without_the_unique_id_the_tracking_number_identifies_the_scan(self) -> None:
        info = {"trackingNumber": "449044304137821"}
        parsed = parse("fedex", {**FEDEX, "trackingNumberInfo": info})
        assert len(parsed.events) == len(FEDEX["scanEvents"])
        assert all(event.key.startswith("449044304137821 ") for event in parsed.events)

    def test_the_estimated_delivery_is_read_until_the_delivery(self) -> None:
        window = {"window": {"ends": "2026-03-06T17:00:00-06:00"}}
        record = {**FEDEX, "estimatedDeliveryTimeWindow": window}
        under_way = {**record, "scanEvents": FEDEX["scanEvents"][2:]}
        eta = parse("fedex", under_way).events[-1]
        assert eta.type is EventType.ETA_UPDATED
        assert eta.attributes[Attribute.ETA] == "2026-03-06T23:00:00.000000Z"
        assert eta.occurred_at == datetime(2026, 3, 5, 3, 10, tzinfo=UTC)
        delivered = {**record, "deliveryDetails": {"receivedByName": "A"}}
        assert EventType.ETA_UPDATED not in {e.type for e in parse("fedex", delivered).events}
