"""Values with a condition, envelopes, required numbers, times of reports, keys with times."""

import pytest

from connectors.sdk.events import EventType, Flag, Measure
from connectors.sdk.payload import ParkReason, PayloadError
from tests.unit.connectors.sdk.manifest.samples import changed, events, parse, problems
from tests.unit.connectors.sdk.manifest.test_interpreter import BASE, attribute

EVENT = "type: order.received"


@pytest.mark.parametrize(
    ("value", "body", "expected"),
    [
        ("{const: late, if: {a: '7'}}", {"a": 7}, "late"),
        ("{const: late, if: {a: '7'}}", {"a": 8}, ""),
        ("{first: [{value: b, if: {a: x}}, {value: c}]}", {"a": "x", "b": "B", "c": "C"}, "B"),
        ("{first: [{value: b, if: {a: x}}, {value: c}]}", {"a": "y", "b": "B", "c": "C"}, "C"),
        ("{join: [b, c], if: [{b: {present: yes}}, {d: yes}]}", {"c": "C"}, ""),
        ("{value: b, if: {a: x}, map: {B: '1'}, else: '2'}", {"a": "y", "b": "B"}, ""),
        ("{const: z, if: {a: {begins: [SO-, PO-]}}}", {"a": "PO-1"}, "z"),
        ("{const: z, if: {a: {begins: [SO-, PO-]}}}", {"a": "xPO-1"}, ""),
        ("{const: z, if: {a: {not_begins: PO-}}}", {"a": "PO-1"}, ""),
        ("{const: z, if: {a: {not_begins: PO-}}}", {}, "z"),
    ],
)
def test_a_value_with_a_condition_is_blank_unless_it_holds(
    value: str, body: dict[str, object], expected: str
) -> None:
    assert attribute(value, body) == expected


def test_the_first_alternative_that_knows_the_code_decides_the_type() -> None:
    kinds = (
        "type: {first: [{value: detail, map: {PU: order.released}}, "
        "{value: state, map: {open: order.received}}]}"
    )
    text = changed((EVENT, kinds), ("    lines: {ordered: qty}\n", ""))
    cases = {
        ("PU", "open"): (EventType.ORDER_RELEASED, "order.released"),
        ("??", "open"): (EventType.ORDER_RECEIVED, "order.received"),
        ("", "lost"): (EventType.UNMAPPED, "lost"),
        ("??", "lost"): (EventType.UNMAPPED, "lost"),
    }
    for (detail, state), (kind, raw_type) in cases.items():
        (event,) = events(text, {**BASE, "detail": detail, "state": state})
        assert (event.type, event.raw_type) == (kind, raw_type)


def test_every_alternative_of_a_type_is_checked() -> None:
    kinds = "type: {first: [{const: order.sent}, {value: a, map: {b: order.lost}}, {value: c}]}"
    reported = problems(changed((EVENT, kinds)))
    for sentence in (
        "first[0].const unknown event type 'order.sent'",
        "first[1].map.b unknown event type 'order.lost'",
        "first[2] the type of an event needs a map",
    ):
        assert any(sentence in problem for problem in reported), reported


def test_a_record_in_an_envelope_equals_the_record_alone() -> None:
    envelope = "read: {format: json, envelope: {record: data, if: {object: Event}}}"
    ignore = "ignore: [{if: {^kind: {not_begins: order.}}, reason: no order}]"
    text = changed(("read: {format: json}", f"{envelope}\n{ignore}"))
    kind = {"kind": "order.created"}
    alone = events(text, {**BASE, **kind})
    assert alone == events(changed(), BASE)
    wrapped = {"object": "Event", "data": BASE}
    assert events(text, {**wrapped, **kind}) == alone
    assert events(text, [{**wrapped, **kind}]) == alone
    assert parse(text, {**wrapped, "kind": "stock.changed"}).ignored == "no order"
    assert parse(text, {"object": "Event", "kind": "stock.changed"}).ignored == "no order"
    for data in (None, "S1", [BASE]):
        with pytest.raises(PayloadError) as caught:
            parse(text, {**wrapped, **kind, "data": data})
        assert (caught.value.reason, caught.value.path) == (ParkReason.SCHEMA, "data")


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        ("{format: csv, envelope: {record: a}}", "read.envelope envelope belongs to json"),
        ("{format: json, records: b, envelope: {record: a}}", "give either records or an envelope"),
        ("{format: json, envelope: {record: a..b}}", "read.envelope.record 'a..b' is not a path"),
    ],
)
def test_problems_of_envelopes(read: str, problem: str) -> None:
    reported = problems(changed(("read: {format: json}", f"read: {read}")))
    assert any(problem in text for text in reported), reported


def test_a_record_without_a_required_number_is_parked_with_its_sentence() -> None:
    text = changed(
        ("number}]}", "number, required: no order number}, {scheme: source_id, value: id}]}"),
    )
    assert len(events(text, BASE)) == 1
    with pytest.raises(PayloadError) as caught:
        parse(text, {**BASE, "number": "N/A"})
    assert str(caught.value) == "reference: number: no order number"


def test_the_time_of_a_report_is_flagged() -> None:
    text = changed(('zone: "{$zone}"}', 'zone: "{$zone}", of: report}'))
    assert events(text, BASE)[0].flags == (*events(changed(), BASE)[0].flags, Flag.TIME_OF_REPORT)
    assert events(text, {**BASE, "at": ""})[0].flags == (Flag.TIME_RECEIVED,)


def test_a_key_can_contain_converted_times_of_its_event() -> None:
    text = changed(
        ('key: "order {id}"', 'key: "{id} by {@ship_by} {@at?}"'),
        (
            "    lines: {ordered",
            "    attributes: {ship_by: {value: due, offset: included}}\n    lines: {ordered",
        ),
    )
    utc, local = "2026-03-05T08:00:00Z", "2026-03-05T09:00:00+01:00"
    first, same = (events(text, {**BASE, "due": due})[0].key for due in (utc, local))
    assert first == "1 by 2026-03-05T08:00:00.000000Z 2026-03-02T16:00:00.000000Z"
    assert same == first
    without_time = events(text, {**BASE, "due": utc, "at": ""})[0].key
    assert without_time == "1 by 2026-03-05T08:00:00.000000Z"
    with pytest.raises(PayloadError, match="the event has no ship_by"):
        parse(text, BASE)


@pytest.mark.parametrize(
    "replacement",
    [
        ('key: "order {id}"', 'key: "{id} {@eta}"'),
        ('key: "order {id}"', 'key: "{id}"\n    scope: "{@at}"'),
    ],
)
def test_only_keys_can_contain_what_their_event_has(replacement: tuple[str, str]) -> None:
    (problem,) = problems(changed(replacement))
    assert "is only known in the key of an event with it" in problem


def test_services_complete_measures_and_types_taken_back() -> None:
    text = changed(
        ("sku: sku}", "sku: sku, goods: {kind: {not: [fee, tip]}}}"),
        (
            "    lines: {ordered",
            "    complete_measures: [ordered]\n    takes_back: [order.released]\n"
            "    lines: {ordered",
        ),
    )
    lines = [{"id": 1, "qty": 1}, {"id": 2, "qty": 1, "kind": "fee"}]
    (event,) = events(text, {**BASE, "lines": lines})
    assert [line.is_goods for line in event.lines] == [True, False]
    assert event.complete_measures == (Measure.ORDERED,)
    assert event.takes_back == (EventType.ORDER_RELEASED,)
    (plain,) = events(changed(), {**BASE, "lines": lines})
    assert all(line.is_goods for line in plain.lines)
    assert (plain.complete_measures, plain.takes_back) == ((), ())
