"""Propose a manifest from a sample: its format, its fields by their usual names, its codes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from connectors.sdk.connector import RawMessage
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.detect_sample_format import (
    SampleFormat,
    describe_sample,
    detect_time_format,
)
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest
from connectors.sdk.manifest.usual_field_names import SampleFields, guess_fields
from connectors.sdk.manifest.usual_status_texts import event_types_of_status_texts
from connectors.sdk.manifest.yaml_texts import placeholder, quote_yaml
from connectors.sdk.payload import PayloadError

# The result of the example until the draft can be interpreted.
UNCHECKED = "CHECK"
# Only plausibility checks use it.
RECEIVED_AT = datetime(2026, 1, 1, tzinfo=UTC)
# The measure that an event reports, and the quantities of a line that may be it.
MEASURES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "order.received": ("ordered", ("ordered", "quantity")),
    "pack.completed": ("packed", ("quantity", "shipped")),
    "shipment.confirmed": ("shipped", ("shipped", "quantity")),
}


@dataclass(frozen=True, slots=True)
class DraftContext:
    """What is known about a sample besides its text.

    `file_name`: the name of its file. `stored_as`: the name under which examples find it.
    A message that is short enough is in the manifest, for the test event of the source.
    `zone`: the time zone of the organization. `orders`: the number range that a warehouse probably
    repeats, such as web_order@shop.
    """

    file_name: str = ""
    stored_as: str = ""
    zone: str = "UTC"
    orders: str = "sales_order@erp"


def draft_manifest(body: bytes, name: str, context: DraftContext = DraftContext()) -> str:
    """Return the text of a manifest to start from. Raises PayloadError for an unreadable sample."""
    sample = describe_sample(body)
    fields = guess_fields(sample)
    role = "3pl" if fields.is_shipment else "other"
    lines = [
        "# Drafted from a sample. Check every line marked with CHECK.",
        f"connector: {name}",
        'version: "1"',
        f"title: {name.replace('_', ' ').title()}",
        f"role: {role}".ljust(32) + "# CHECK: shop, erp, wms, 3pl, carrier, ...",
        "description: Drafted from a sample.",
        *_settings_section_lines(sample, fields, context),
        *_receive_section_lines(sample, fields, context),
        *_read_section_lines(sample, fields),
        *_object_lines(fields),
        *_attribute_lines(fields),
        *_order_line_lines(fields),
        *_events_section_lines(sample, fields),
        *_codes_section_lines(fields),
        *_example_lines(sample, context),
    ]
    return _fill_in_example_result(
        "\n".join(lines) + "\n", body if context.stored_as and sample.is_table else b""
    )


def _fill_in_example_result(text: str, stored: bytes) -> str:
    """State what the example gives now, if the draft can be interpreted already."""
    try:
        connector = make_connector_class_of_manifest(
            parse_manifest(text.replace(UNCHECKED, "unmapped")), Path()
        )
        manifest = connector.manifest
        body = stored or manifest.examples[0].text.encode(manifest.read.charset, "replace")
        parsed = connector({"source": connector.slug}).parse(RawMessage(body, {}, RECEIVED_AT))
    except (InvalidManifest, PayloadError):
        return text
    if parsed.errors:
        detail = quote_yaml(parsed.errors[0].detail)
        return re.sub(r"gives: \[CHECK\].*", f"parked: {detail}", text)
    types = ", ".join(event.type.value for event in parsed.events)
    return text.replace(f"[{UNCHECKED}] ", f"[{types}] ")


def _settings_section_lines(
    sample: SampleFormat, fields: SampleFields, context: DraftContext
) -> Iterator[str]:
    settings: list[str] = []
    if fields.is_shipment and "order" in fields.record:
        settings += (
            "  # CHECK default: the kind of the order numbers, and the source that issues them",
            f"  orders: {{default: {quote_yaml(context.orders)}, type: scheme_at_issuer, "
            "label: Number range of orders, "
            'help: "Whose order numbers it sends, such as web_order@shop."}',
        )
    if "time" in fields.record and _time_format(sample, fields.record["time"]) != "offset":
        settings += (
            "  # CHECK default: the time zone of its times",
            f"  zone: {{default: {quote_yaml(context.zone)}, type: zone, label: Time zone, "
            'help: "The time zone of its times."}',
        )
    if settings:
        yield from ("settings:", *settings)


def _receive_section_lines(
    sample: SampleFormat, fields: SampleFields, context: DraftContext
) -> Iterator[str]:
    yield "receive:"
    if sample.is_table:
        pattern = re.sub(r"\d[\d_.-]*(?=\.\w+$)", "*", context.file_name)
        if "*" not in pattern:
            pattern = "*.csv"
        yield f"  file: {{pattern: {quote_yaml(pattern)}}}   # CHECK: the names of the files"
        return
    yield "  webhook:"
    yield "    # CHECK: how the sender proves who it is. Signed requests, for example:"
    yield '    # verify: {hmac: sha256, encoding: hex, header: x-signature, prefix: "sha256="}'
    yield "    verify: {bearer: yes}"
    if "message_id" in fields.record:
        yield f"    delivery_id: {{field: {quote_yaml(fields.record['message_id'])}}}"


def _read_section_lines(sample: SampleFormat, fields: SampleFields) -> Iterator[str]:
    yield "read:"
    yield f"  format: {sample.format}"
    for name, text in sample.options.items():
        yield f"  {name}: {quote_yaml(text)}"
    group = [fields.record[k] for k in ("order", "shipment") if k in fields.record]
    if sample.is_table and group and fields.line:
        yield "  # The rows that agree in these columns are one record."
        yield f"  group: [{', '.join(map(quote_yaml, group))}]"


def _object_lines(fields: SampleFields) -> Iterator[str]:
    record = fields.record
    order = record.get("order") or record.get("id")
    if order:
        yield "order:"
        yield "  numbers:"
        if fields.is_shipment and "order" in record:
            yield f"    - {{range: orders, value: {quote_yaml(order)}}}"
        else:
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
        name = record["shipment"]
        scheme = "delivery" if re.search(r"deliver|liefer", name, re.I) else "shipment"
        yield "shipment:"
        yield f"  numbers: [{{scheme: {scheme}, value: {quote_yaml(name)}}}]"
    numbers = [
        f"{{scheme: {scheme}, value: {quote_yaml(fields.package[scheme])}}}"
        for scheme in ("tracking", "sscc")
        if scheme in fields.package
    ]
    if numbers:
        yield "packages:"
        if fields.packages_path:
            yield f"  each: {quote_yaml(fields.packages_path)}"
        yield f"  numbers: [{', '.join(numbers)}]"


def _attribute_lines(fields: SampleFields) -> Iterator[str]:
    paths = {
        name: fields.record[name]
        for name in ("customer_no", "carrier", "warehouse", "status")
        if name in fields.record
    }
    if "carrier" not in paths and "carrier" in fields.package:
        paths["carrier"] = f"{fields.packages_path}[0].{fields.package['carrier']}"
    if paths:
        yield "attributes:"
        yield from (f"  {name}: {quote_yaml(path)}" for name, path in paths.items())


def _order_line_lines(fields: SampleFields) -> Iterator[str]:
    if not fields.has_lines:
        return
    line_id = next(fields.line[k] for k in ("line_id", "id", "sku") if k in fields.line)
    yield "lines:"
    yield f"  each: {quote_yaml(fields.lines_path)}"
    yield f"  line_id: {quote_yaml(line_id)}"
    for name in ("sku", "description", "unit", "price"):
        if name not in fields.line or fields.line[name] == line_id:
            continue
        value = quote_yaml(fields.line[name])
        if name == "unit":
            yield "  # CHECK: units by the names of the other systems; EA is a piece"
            codes = "{PCE: EA, PCS: EA, ST: EA, CTN: CA}"
            value = f"{{value: {value}, map: {codes}, else: unchanged}}"
        yield f"  {name}: {value}"


def _events_section_lines(sample: SampleFormat, fields: SampleFields) -> Iterator[str]:
    yield "events:"
    for name, codes in fields.codes.items():
        if by_type := event_types_of_status_texts(codes):
            comment = "   # CHECK: the type of these codes"
            for kind, texts in by_type.items():
                yield f"  - type: {kind}{comment}"
                yield from _condition_lines(name, texts)
                yield from _event_member_lines(kind, sample, fields, has_siblings=True)
            return
    kind = "shipment.confirmed" if fields.is_shipment else "order.received"
    yield f"  - type: {kind}        # CHECK: the type, and the codes it applies to"
    for name, codes in fields.codes.items():
        yield from _condition_lines(name, codes)
    yield from _event_member_lines(kind, sample, fields, has_siblings=False)


def _condition_lines(name: str, codes: Sequence[str]) -> Iterator[str]:
    yield f"    if: {{{quote_yaml(name)}: [{', '.join(map(quote_yaml, codes))}]}}"


def _event_member_lines(
    kind: str, sample: SampleFormat, fields: SampleFields, *, has_siblings: bool
) -> Iterator[str]:
    record = fields.record
    ids = [record[k] for k in ("order", "id") if k in record][:1]
    shipment = record.get("shipment", "")
    is_optional = "" if kind == "shipment.confirmed" or not ids else "?"
    if shipment and not kind.startswith(("order.", "pick.")):
        ids.append(shipment + is_optional)
    beginning = kind if has_siblings else kind.partition(".")[0]
    key = " ".join(placeholder(name) for name in ids or ["CHECK"])
    yield f"    key: {quote_yaml(f'{beginning} {key}')}"
    if "time" in record:
        time_format = _time_format(sample, record["time"])
        given = f", format: {quote_yaml(time_format)}" if time_format.startswith("%") else ""
        zone = "offset: included" if time_format == "offset" else 'zone: "{$zone}"'
        yield f"    at: {{value: {quote_yaml(record['time'])}{given}, {zone}}}"
    measure, names = MEASURES.get(kind, ("", ()))
    quantity = next((fields.line[name] for name in names if name in fields.line), "")
    if not (fields.has_lines and quantity):
        return
    if not kind.startswith("order."):
        of_scope = placeholder(shipment + is_optional if shipment else (ids or ["CHECK"])[0])
        yield f"    scope: {quote_yaml(f'shipment {of_scope}')}"
    yield f"    lines: {{{measure}: {quote_yaml(quantity)}}}"
    if sample.is_table or "[]" in fields.lines_path:
        yield "    sum: yes                    # a line in several packages"


def _time_format(sample: SampleFormat, name: str) -> str:
    texts = (str(record.get(name) or "").strip() for record in sample.records)
    return next((kind for text in texts if (kind := detect_time_format(text))), "")


def _codes_section_lines(fields: SampleFields) -> Iterator[str]:
    for name, codes in fields.codes.items():
        by_type = event_types_of_status_texts(codes)
        known = list(dict.fromkeys(text for texts in by_type.values() for text in texts))
        yield "codes:                          # CHECK: every code that the system can send"
        yield f"  {quote_yaml(name)}: [{', '.join(map(quote_yaml, known or codes))}]"
        if others := [text for text in codes if known and text not in known]:
            yield f"  # CHECK: without an event yet, so unmapped: {', '.join(others)}"


def _example_lines(sample: SampleFormat, context: DraftContext) -> Iterator[str]:
    yield "examples:"
    if context.stored_as and sample.is_table:
        yield f"  - file: {quote_yaml(context.stored_as)}"
    else:
        yield f"  - text: {quote_yaml(sample.excerpt)}"
    yield f"    gives: [{UNCHECKED}]              # CHECK: the event types"
