"""Propose a manifest from a sample: its format, its fields by their usual names, its codes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sdk.connector import RawMessage
from connectors.sdk.manifest.check_examples import example_body
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.detect_sample_format import (
    SampleFormat,
    describe_sample,
    detect_time_format,
    is_number,
)
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest
from connectors.sdk.manifest.yaml_texts import placeholder, quote_yaml
from connectors.sdk.payload import PayloadError

MAX_CODES = 12
# The result of the example until the draft can be interpreted.
UNCHECKED = "CHECK"
# Only plausibility checks use it.
RECEIVED_AT = datetime(2026, 1, 1, tzinfo=UTC)
# What a field is, by its usual names. The first pattern that matches decides.
USUAL_NAMES: Mapping[str, str] = {
    "line_id": r"(line|item|position|pos)[ _.-]?(id|no|nr|number|num)|line|linenumber|pos",
    "customer_po": r"(customer[ _.-]?)?(po|purchase[ _.-]?order)([ _.-]?(no|nr|number|num))?",
    "order": r"(sales[ _.-]?)?order([ _.-]?(no|nr|number|num|id))?|so[ _.-]?(no|number)|number",
    "shipment": r"ship(ment)?[ _.-]?(no|nr|number|num|id)|shipment|delivery([ _.-]?(no|number))?",
    "tracking": r"tracking([ _.-]?(no|nr|number|num|code))?|track[ _.-]?no|awb",
    "sscc": r"sscc(18)?",
    "sku": r"sku|item|article|material|part([ _.-]?(no|number))?|product([ _.-]?code)?",
    "quantity": r"qty|quantity|(shipped|ordered|picked|packed)([ _.-]?(qty|quantity))?"
    r"|qty[ _.-]?(shipped|ordered|picked|packed)",
    "unit": r"uom|unit([ _.-]?of[ _.-]?measure)?",
    "description": r"description|item[ _.-]?name|product[ _.-]?name",
    "price": r"(unit[ _.-]?)?price",
    "status": r"(order[ _.-]?|line[ _.-]?)?(status|state)([ _.-]?code)?",
    "customer_no": r"cust(omer)?([ _.-]?(no|nr|number|num|id))?",
    "carrier": r"carrier|scac|ship[ _.-]?via",
    "warehouse": r"warehouse([ _.-]?(id|code|no|name))?|wh|whse|facility",
    "time": r".*(date|time|shipped|_at|_on)([ _.-]?(utc|gmt))?|(date|created|updated|modified).*",
    "id": r"id|uuid|guid",
}
LIST_NAMES = re.compile(r"(order[ _-]?)?(line[ _-]?items?|lines|items|details|positions)", re.I)


@dataclass(frozen=True, slots=True)
class SampleFields:
    """The fields of a record by what they are, and those of its lines."""

    record: Mapping[str, str] = field(default_factory=dict)
    lines_path: str = ""
    line: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def draft_manifest(body: bytes, name: str) -> str:
    """Return the text of a manifest to start from. Raises PayloadError for an unreadable sample."""
    sample = describe_sample(body)
    fields = _guess_fields(sample)
    lines = [
        "# Drafted from a sample. Check every line marked with CHECK.",
        f"connector: {name}",
        'version: "1"',
        f"title: {name.replace('_', ' ').title()}",
        "role: other                     # CHECK: shop, erp, wms, 3pl, carrier, ...",
        "description: Drafted from a sample.",
        *_receive_section_lines(sample),
        *_read_section_lines(sample, fields),
        *_object_lines(fields),
        *_attribute_lines(fields),
        *_order_line_lines(fields),
        *_events_section_lines(sample, fields),
        *_codes_section_lines(fields),
        *_example_lines(sample),
    ]
    return _fill_in_example_result("\n".join(lines) + "\n")


def _fill_in_example_result(text: str) -> str:
    """State what the example gives now, if the draft can be interpreted already."""
    try:
        connector = make_connector_class_of_manifest(
            parse_manifest(text.replace(UNCHECKED, "unmapped")), Path()
        )
        body = example_body(connector, connector.manifest.examples[0])
        parsed = connector({"source": connector.slug}).parse(RawMessage(body, {}, RECEIVED_AT))
    except (InvalidManifest, PayloadError):
        return text
    types = ", ".join(event.type.value for event in parsed.events)
    return text.replace(f"[{UNCHECKED}] ", f"[{types}] ")


def _guess_fields(sample: SampleFormat) -> SampleFields:
    record = _field_names_by_meaning(sample.records)
    if sample.is_table:
        line_meanings = ("line_id", "sku", "quantity", "unit")
        line: dict[str, str] = {name: record[name] for name in line_meanings if name in record}
        return SampleFields(
            record, "rows" if line else "", line, _status_codes_of_sample(sample.records, record)
        )
    first = sample.records[0]
    lists = [name for name, item in first.items() if _is_list_of_objects(item)]
    preferred = sorted(lists, key=lambda name: not _is_usual_list_name(name))
    lines_path = preferred[0] if preferred else ""
    of_line = _field_names_by_meaning(first[lines_path]) if lines_path else {}
    return SampleFields(
        record, lines_path, of_line, _status_codes_of_sample(sample.records, record)
    )


def _field_names_by_meaning(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return {meaning: field name}. A field has one meaning."""
    meanings: dict[str, str] = {}
    names = [name for name, item in records[0].items() if not isinstance(item, dict | list)]
    # Of several times, those in UTC are clearer.
    names.sort(key=lambda name: not re.search(r"(utc|gmt)$", name, re.I))
    for meaning, pattern in USUAL_NAMES.items():
        for name in names:
            own_name = name.rpartition(".")[2].strip(" @")
            if name in meanings.values() or not re.fullmatch(pattern, own_name, re.I):
                continue
            values = [str(record.get(name) or "").strip() for record in records]
            if meaning == "time" and not any(map(detect_time_format, values)):
                continue
            if meaning == "quantity" and not any(map(is_number, values)):
                continue
            meanings[meaning] = name
            break
    if "time" not in meanings:
        for name in names:
            values = [str(record.get(name) or "").strip() for record in records]
            if name not in meanings.values() and any(map(_is_time, values)):
                meanings["time"] = name
                break
    return meanings


def _is_usual_list_name(path: str) -> bool:
    """Whether a name of the path is usual for lines; in XML, Lines contains Line."""
    return any(
        LIST_NAMES.fullmatch(name) or LIST_NAMES.fullmatch(f"{name}s") for name in path.split(".")
    )


def _is_time(text: str) -> bool:
    """Whether a text of any field is a time: a plain number is not, whatever its value."""
    return not is_number(text) and bool(detect_time_format(text))


def _status_codes_of_sample(
    records: Iterable[Mapping[str, Any]], meanings: Mapping[str, str]
) -> dict[str, list[str]]:
    """The values of the status field in the sample."""
    if "status" not in meanings:
        return {}
    name = meanings["status"]
    texts = dict.fromkeys(str(record.get(name) or "").strip() for record in records)
    known = [text for text in texts if text][:MAX_CODES]
    return {name: known} if known else {}


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _receive_section_lines(sample: SampleFormat) -> Iterator[str]:
    yield "receive:"
    if sample.is_table:
        yield '  file: {pattern: "*.csv"}      # CHECK: the names of the files'
    else:
        yield "  webhook:"
        yield "    verify: {bearer: yes}        # CHECK: how the sender signs its requests"


def _read_section_lines(sample: SampleFormat, fields: SampleFields) -> Iterator[str]:
    yield "read:"
    yield f"  format: {sample.format}"
    for name, text in sample.options.items():
        yield f"  {name}: {quote_yaml(text)}"
    group = [fields.record[k] for k in ("order", "shipment") if k in fields.record]
    if sample.is_table and group and fields.line:
        yield f"  group: [{', '.join(map(quote_yaml, group))}]"


def _object_lines(fields: SampleFields) -> Iterator[str]:
    record = fields.record
    order = record.get("order") or record.get("id")
    if order:
        yield "order:"
        yield "  numbers:"
        scheme = "order_number" if "order" in record else "source_id"
        number = f"{{scheme: {scheme}, value: {quote_yaml(order)}}}"
        yield f"    - {number}   # CHECK: scheme and issuer"
        if "customer_po" in record:
            issuer = record.get("customer_no")
            given = f", issuer: {quote_yaml(placeholder(issuer + '?'))}" if issuer else ""
            value = quote_yaml(record["customer_po"])
            yield f"    - {{scheme: customer_po, value: {value}{given}}}"
        if "id" in record and "order" in record:
            yield f"    - {{scheme: source_id, value: {quote_yaml(record['id'])}}}"
    if "shipment" in record:
        yield "shipment:"
        yield f"  numbers: [{{scheme: shipment, value: {quote_yaml(record['shipment'])}}}]"
    packages = {**record, **fields.line}
    numbers = [
        f"{{scheme: {scheme}, value: {quote_yaml(packages[scheme])}}}"
        for scheme in ("tracking", "sscc")
        if scheme in packages
    ]
    if numbers:
        yield "packages:"
        if fields.lines_path == "rows" or (numbers and "tracking" in fields.line):
            yield f"  each: {quote_yaml(fields.lines_path)}"
        yield f"  numbers: [{', '.join(numbers)}]"


def _attribute_lines(fields: SampleFields) -> Iterator[str]:
    names = [
        name for name in ("customer_no", "carrier", "warehouse", "status") if name in fields.record
    ]
    if names:
        yield "attributes:"
        yield from (f"  {name}: {quote_yaml(fields.record[name])}" for name in names)


def _order_line_lines(fields: SampleFields) -> Iterator[str]:
    line_id = next((fields.line[k] for k in ("line_id", "id", "sku") if k in fields.line), "")
    if not (line_id and fields.lines_path):
        return
    yield "lines:"
    yield f"  each: {quote_yaml(fields.lines_path)}"
    yield f"  line_id: {quote_yaml(line_id)}"
    for name in ("sku", "description", "unit", "price"):
        if name in fields.line and fields.line[name] != line_id:
            yield f"  {name}: {quote_yaml(fields.line[name])}"


def _events_section_lines(sample: SampleFormat, fields: SampleFields) -> Iterator[str]:
    record = fields.record
    is_shipment = "shipment" in record or "tracking" in {**record, **fields.line}
    kind = "shipment.confirmed" if is_shipment else "order.received"
    ids = [record[k] for k in ("order", "shipment", "id") if k in record][:2] or ["CHECK"]
    key = " ".join(placeholder(name) for name in ids)
    yield "events:"
    yield f"  - type: {kind}        # CHECK: the type, and the codes it applies to"
    for name, codes in fields.codes.items():
        yield f"    if: {{{quote_yaml(name)}: [{', '.join(map(quote_yaml, codes))}]}}"
    yield f"    key: {quote_yaml(kind.partition('.')[0] + ' ' + key)}"
    if "time" in record:
        yield from _time_lines(sample, record["time"])
    if any(k in fields.line for k in ("line_id", "id", "sku")) and "quantity" in fields.line:
        if is_shipment:
            shipment = placeholder(record.get("shipment", ids[0]))
            yield f"    scope: {quote_yaml(f'shipment {shipment}')}"
        measure = "shipped" if is_shipment else "ordered"
        yield f"    lines: {{{measure}: {quote_yaml(fields.line['quantity'])}}}"
        if sample.is_table:
            yield "    sum: yes"


def _time_lines(sample: SampleFormat, name: str) -> Iterator[str]:
    text = next((str(r[name]) for r in sample.records if str(r.get(name) or "").strip()), "")
    kind = detect_time_format(text)
    if kind == "offset":
        yield f"    at: {{value: {quote_yaml(name)}, offset: included}}"
    else:
        given = f", format: {quote_yaml(kind)}" if kind.startswith("%") else ""
        yield f"    at: {{value: {quote_yaml(name)}{given}, zone: UTC}}   # CHECK: the zone"


def _codes_section_lines(fields: SampleFields) -> Iterator[str]:
    if fields.codes:
        yield "codes:                          # CHECK: every code that the system can send"
        for name, codes in fields.codes.items():
            yield f"  {quote_yaml(name)}: [{', '.join(map(quote_yaml, codes))}]"


def _example_lines(sample: SampleFormat) -> Iterator[str]:
    yield "examples:"
    yield f"  - text: {quote_yaml(sample.excerpt)}"
    yield f"    gives: [{UNCHECKED}]              # CHECK: the event types"
