"""The operators of manifests: values, times, numbers, conditions, lists, lines and codes."""

from decimal import Decimal

import pytest

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import Attribute, EventType, Flag, Measure, ObjectKind
from connectors.sdk.payload import ParkReason, PayloadError
from tests.unit.connectors.sdk.manifest.samples import changed, events, parse

AT = "2026-03-02 10:00:00"
BASE = {"id": 1, "number": "S1", "at": AT}


def attribute(value: str, body: dict[str, object], name: str = "reason", **config: str) -> str:
    """The attribute that a value gives."""
    text = changed(("lines: {each", f"attributes: {{{name}: {value}}}\nlines: {{each"))
    (event,) = events(text, {**BASE, **body}, **config)
    return event.attributes.get(Attribute(name), "")


@pytest.mark.parametrize(
    ("value", "body", "expected"),
    [
        ("a.b", {"a": {"b": " x "}}, "x"),
        ("a.b", {"a": None}, ""),
        ("'a[1].b'", {"a": [{"b": 1}, {"b": 2}]}, "2"),
        ("'a[7].b'", {"a": []}, ""),
        ("a", {"a": True}, "true"),
        ("a", {"a": 1.50}, "1.5"),
        ("'a.b'", {"a.b": "column"}, "column"),
        ("{const: fixed}", {}, "fixed"),
        ("{template: '{a}-{b?}'}", {"a": "x"}, "x-"),
        ("{template: '{a} {b?} {c}'}", {"a": "x", "c": "z"}, "x z"),
        ("{template: '{$zone}'}", {}, "America/Chicago"),
        ("{first: [a, b, {const: c}]}", {"b": "y"}, "y"),
        ("{first: [a, b, {const: c}]}", {}, "c"),
        ("{join: [a, b, c], separator: ', '}", {"a": "x", "c": "z"}, "x, z"),
        ("{value: a, map: {'1': one}, else: other}", {"a": 1}, "one"),
        ("{value: a, map: {'1': one}, else: other}", {"a": 2}, "other"),
        ("{value: a, map: {'1': one}, else: unchanged}", {"a": 2}, "2"),
        ("{value: a, map: {'1': one}}", {"a": 2}, ""),
        ("{value: a, except: ['0', none]}", {"a": 0}, ""),
        ("{value: a, strip: WS-}", {"a": "WS-7"}, "7"),
        ("{value: a, strip: WS-}", {"a": "7"}, "7"),
    ],
)
def test_each_operator(value: str, body: dict[str, object], expected: str) -> None:
    assert attribute(value, body) == expected


def test_dates_keep_their_day_and_times_become_utc() -> None:
    zone = "{value: a, zone: Asia/Tokyo}"
    assert attribute(zone, {"a": "2026-03-02"}, "promised_at") == "2026-03-02"
    assert attribute(zone, {"a": "2026-03-02T09:00"}, "promised_at").startswith("2026-03-02T00:00")
    included = "{value: a, offset: included}"
    expected = "2026-03-02T05:00:00.000000Z"
    assert attribute(included, {"a": "2026-03-02T07:00:00+02:00"}, "eta") == expected


@pytest.mark.parametrize(
    ("time", "text", "expected"),
    [
        ("{value: at, zone: '{$zone}'}", AT, "2026-03-02T16:00:00"),
        (
            "{value: at, zone: UTC, format: '%d.%m.%Y %H:%M'}",
            "02.03.2026 10:00",
            "2026-03-02T10:00",
        ),
        ("{value: at, zone: Europe/Berlin, format: '%Y%m%d'}", "20260302", "2026-03-01T23:00"),
        ("{value: at, format: unix}", "1772445600", "2026-03-02T10:00:00"),
        ("{value: at, format: unix_ms}", "1772445600123", "2026-03-02T10:00:00"),
        ("{value: [missing, at], zone: UTC}", AT, "2026-03-02T10:00:00"),
    ],
)
def test_times(time: str, text: str, expected: str) -> None:
    manifest = changed(('{value: at, zone: "{$zone}"}', time))
    if "$zone" not in manifest:
        start, end = manifest.index("settings:"), manifest.index("receive:")
        manifest = manifest[:start] + manifest[end:]
    (event,) = events(manifest, {**BASE, "at": text})
    assert event.occurred_at is not None
    assert format_rfc3339(event.occurred_at).startswith(expected)


def test_a_time_without_value_is_flagged_and_a_wrong_one_parks() -> None:
    (event,) = events(changed(), {**BASE, "at": ""})
    assert event.occurred_at is None
    assert event.flags == (Flag.TIME_RECEIVED,)
    with pytest.raises(PayloadError) as caught:
        parse(changed(), {**BASE, "at": "02.03.2026"})
    assert (caught.value.reason, caught.value.path) == (ParkReason.TIMESTAMP, "at")


def test_lines_are_exact_and_duplicates_are_errors_unless_summed() -> None:
    lines = [{"id": 1, "sku": "A", "qty": 0.1}, {"id": 1, "sku": "A", "qty": 0.2}]
    with pytest.raises(PayloadError, match="duplicate line '1'"):
        parse(changed(), {**BASE, "lines": lines})
    (event,) = events(
        changed(("ordered: qty}", "ordered: qty}\n    sum: yes")), {**BASE, "lines": lines}
    )
    assert event.lines[0].quantities == {Measure.ORDERED: Decimal("0.3")}
    with pytest.raises(PayloadError) as caught:
        parse(changed(), {**BASE, "lines": [{"id": 1, "qty": "many"}]})
    assert (caught.value.reason, caught.value.path) == (ParkReason.NUMBER, "lines[0].qty")
    with pytest.raises(PayloadError, match="a quantity is negative"):
        parse(changed(), {**BASE, "lines": [{"id": 1, "qty": -1}]})


def test_conditions() -> None:
    codes = "codes: {state: [open, closed, void]}\n"
    cases = {
        "{state: [open, closed]}": {"open", "closed"},
        "{state: open}": {"open"},
        "{state: {not: [open, void]}}": {"closed", ""},
        "{state: {present: yes}}": {"open", "closed", "void"},
        "[{state: open}, {state: void}]": {"open", "void"},
        "{state: open, number: {present: no}}": set(),
    }
    for condition, expected in cases.items():
        text = changed(("    at: {", f"    if: {condition}\n    at: {{")) + codes
        matching = {
            state
            for state in ("open", "closed", "void", "")
            if events(text, {**BASE, "state": state})
        }
        assert matching == expected, condition


def test_an_unknown_code_becomes_an_unmapped_event_beside_the_others() -> None:
    text = changed() + "codes: {state: [open]}\n"
    known, unknown = events(text, {**BASE, "state": "Zurückgestellt"})
    assert known.type is EventType.ORDER_RECEIVED
    assert (unknown.type, unknown.raw_type) == (EventType.UNMAPPED, "Zurückgestellt")
    assert unknown.key == "order S1 state Zurückgestellt"
    assert unknown.objects == known.objects
    assert len(events(text, {**BASE, "state": "open"})) == 1
    assert len(events(text, BASE)) == 1


def test_events_for_each_element_see_the_record_around_them() -> None:
    text = changed(
        (
            "type: order.received",
            "for: scans[].steps\n    type: {value: code, map: {DL: shipment.delivered}}",
        ),
        ('"order {id}"', '"{^id} {code}"'),
        ("    lines: {ordered: qty}\n", ""),
        ('{value: at, zone: "{$zone}"}', '{value: ^at, zone: "{$zone}"}'),
    )
    body = {**BASE, "scans": [{"steps": [{"code": "DL"}]}, {"steps": [{"code": "??"}]}]}
    first, second = events(text, body)
    assert (first.key, first.type, first.raw_type) == ("1 DL", EventType.DELIVERED, "DL")
    assert (second.key, second.type, second.raw_type) == ("1 ??", EventType.UNMAPPED, "??")


def test_corrections_revision_and_scope() -> None:
    text = changed(
        ("type: order.received", "type: shipment.void"),
        (
            'key: "order {id}"',
            'key: "void {id}"\n    corrects: ["ship {id}"]\n'
            '    scope: "ship {id}"\n    revision: rev',
        ),
    )
    (event,) = events(text, {**BASE, "rev": 7})
    assert (event.corrects, event.scope, event.revision) == (("ship 1",), "ship 1", "7")


def test_numbers_of_all_objects() -> None:
    text = changed(
        (
            "lines: {each",
            "shipment: {numbers: [{scheme: shipment, value: ship}, "
            "{scheme: bol, value: bol, weak: yes}]}\n"
            "packages: {each: boxes, numbers: [{scheme: tracking, value: no}]}\nlines: {each",
        ),
        (
            "value: number}",
            "value: number, issuer: '{$erp}'}, {scheme: customer_po, value: po, issuer: '{cust?}'}",
        ),
        ("settings:\n", "settings:\n  erp: {help: The ERP., default: erp}\n"),
    )
    boxes = [{"no": "1Z1"}, {"no": "1Z1"}, {"no": "N/A"}, {"no": "1Z2"}]
    (event,) = events(text, {**BASE, "ship": "SH1", "bol": "B1", "boxes": boxes, "po": "77"})
    assert [
        (ref.kind, [(i.scheme, i.issuer, i.value, i.strong) for i in ref.identifiers])
        for ref in event.objects
    ] == [
        (ObjectKind.ORDER, [("sales_order", "erp", "S1", True), ("customer_po", "", "77", False)]),
        (ObjectKind.SHIPMENT, [("shipment", "s", "SH1", True), ("bol", "", "B1", False)]),
        (ObjectKind.PACKAGE, [("tracking", "", "1Z1", True)]),
        (ObjectKind.PACKAGE, [("tracking", "", "1Z2", True)]),
    ]
    assert (
        events(text, {**BASE, "po": "77", "cust": "C1"}, erp="sap")[0]
        .objects[0]
        .identifiers[1]
        .strong
    )


def test_a_record_without_numbers_is_parked() -> None:
    with pytest.raises(PayloadError) as caught:
        parse(changed(), {"id": 1, "number": "N/A", "at": AT})
    assert caught.value.reason is ParkReason.REFERENCE


def test_one_invalid_record_of_a_list_does_not_affect_the_others() -> None:
    result = parse(changed(), [BASE, {"id": 2, "number": "S2", "at": "never"}, {**BASE, "id": 3}])
    assert [event.key for event in result.events] == ["order 1", "order 3"]
    assert [error.path for error in result.errors] == ["[1].at"]


def test_an_invalid_setting_parks_and_replaced_characters_are_flagged() -> None:
    with pytest.raises(PayloadError, match="zone: 'Texas' is not an IANA time zone"):
        parse(changed(), BASE, zone="Texas")
    (event,) = events(changed(), {**BASE, "number": "S\0-1"})
    assert Flag.SANITIZED in event.flags


TABLE = (
    ("read: {format: json}", "read: {format: csv, decimal: ',', thousands: '.', group: [number]}"),
    ("each: lines", "each: rows"),
    ("line_id: id", "line_id: pos"),
)


def test_tables_are_grouped_and_rows_with_missing_fields_are_errors() -> None:
    text = changed(*TABLE)
    body = (
        "id,number,at,pos,sku,qty\r\n"
        '1,S1,2026-03-02 10:00:00,1,"A, B","1.000,5"\r\n'
        "2,S2,2026-03-02 10:00:00,1,C,2\r\n"
        "1,S1,2026-03-02 10:00:00,2,D,3\r\n"
        "\r\n"
        "3,S3,2026\r\n"
    )
    result = parse(text, body.encode())
    assert [(e.key, len(e.lines)) for e in result.events] == [("order 1", 2), ("order 2", 1)]
    assert result.events[0].lines[0].quantities == {Measure.ORDERED: Decimal("1000.5")}
    assert result.events[0].lines[0].sku == "A, B"
    assert [str(error) for error in result.errors] == ["schema: line 6: 3 fields, expected 6"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "the file is empty"),
        (b"id,number\n", "the file has no rows"),
        (b"id,id\n1,2\n", "the column 'id' appears twice"),
        (b"id,at\n1,2\n", "the column 'number' is missing"),
        (b"id,number\n1,\xff\n", "not valid utf-8"),
        (b'id,number\n1,"x' + b"y" * 200_000, "field larger than"),
    ],
)
def test_invalid_tables_are_parked(body: bytes, detail: str) -> None:
    with pytest.raises(PayloadError, match=detail):
        parse(changed(*TABLE), body)


def test_codes_of_every_row_of_a_group_are_checked() -> None:
    text = changed(
        ("read: {format: json}", "read: {format: csv, group: [number]}"),
        ("lines: {each: lines", "lines: {each: rows"),
    )
    text += "codes: {state: [open]}\n"
    body = (
        b"number,id,at,sku,qty,state\nS1,1,2026-03-02 10:00:00,A,1,open\n"
        b"S1,2,,B,1,lost\nS1,3,,C,1,lost\nS1,4,,D,1,void\n"
    )
    codes = [e.raw_type for e in events(text, body) if e.type is EventType.UNMAPPED]
    assert codes == ["lost", "void"]
