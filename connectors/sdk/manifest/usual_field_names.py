"""Guess what the fields of a sample are, by their usual English and German names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk.manifest.detect_sample_format import (
    SampleFormat,
    detect_time_format,
    is_number,
)

MAX_CODES = 12
NUMBER = r"(_?(no|nr|num|number|nummer|id|code|ref|reference))*"
# Names that mean something only with the name of the object around them.
GENERIC_NAME = re.compile(r"no|nr|num|number|nummer|id|code|name|ref|reference|status|state|date")
# What a field is. The names are in snake case; the first pattern that matches decides.
USUAL_NAMES: Mapping[str, str] = {
    "message_id": r"(message|msg|event|notification|webhook)_?id",
    "line_id": r"(order_?)?(line|item|position|pos|zeile|row)s?_?(id|no|nr|num|number)"
    r"|line|pos|position|zeile",
    "customer_po": rf"(customer_?|client_?)?(po|purchase_?order){NUMBER}|kunden_?bestell(ung|_?nr)",
    "order": rf"(sales_?|web_?|shop_?|client_?|customer_?|external_?|kunden_?)?order{NUMBER}"
    r"|so_?(no|nr|number)|number|(kunden_?)?(auftrags?|bestell)_?(nr|no|nummer)|auftrag",
    "shipment": rf"(ship|shipment|delivery|delivery_?note|despatch){NUMBER}"
    r"|liefer(schein|ung)s?_?(nr|no|nummer)?",
    "tracking": rf"(parcel_?)?track(ing)?{NUMBER}|awb|(sendungs?|paket)_?(nr|no|nummer)",
    "sscc": r"sscc(_?18)?|nve",
    "sku": rf"sku|item|(article|artikel|material|part|product){NUMBER}|item_?code",
    "shipped": r"(qty|quantity)_?shipped|shipped(_?(qty|quantity))?|liefer_?menge|menge_?geliefert",
    "ordered": r"(qty|quantity)_?ordered|ordered(_?(qty|quantity))?|(bestell|auftrags)_?menge",
    "quantity": r"qty|quantity|(picked|packed)(_?(qty|quantity))?|(qty|quantity)_?(picked|packed)"
    r"|menge|anzahl",
    "unit": r"uom|unit(_?of_?measure)?|(mengen_?)?einheit",
    "description": r"description|(item|product)_?name|(artikel_?)?(bezeichnung|text)",
    "price": r"(unit_?)?price|(einzel)?preis",
    "status": r"((order|line|shipment|delivery|auftrags?)_?)?(status|state)(_?code)?",
    "customer_no": rf"(cust|customer|client|kunden?){NUMBER}",
    "carrier": r"(carrier|scac|ship_?via|frachtf(ü|ue)hrer|spedit(eur|ion)|paketdienst)"
    r"(_?(name|code))?",
    "warehouse": rf"(warehouse|wh|whse|facility|lager|lagerort)(_?name)?{NUMBER}",
    "id": r"id|uuid|guid",
}
TIME_NAME = re.compile(
    r".*(date|time|shipped|_at|_on|datum|zeit)(_?(utc|gmt))?|(date|created|updated|modified).*"
)
TIME_OF_STATUS = re.compile(r".*(status|state|event|occur|changed).*")
# When a message was sent, and dates in the future.
OTHER_TIME = re.compile(
    r".*(sent|export|print|generated|promis|request|due|expect|estimat|plan|eta|termin|birth).*"
)
LIST_NAMES = re.compile(r"(order_?)?(line_?items?|lines?|items?|details?|positions?|positionen)")
QUANTITIES = ("shipped", "ordered", "quantity")
NUMERIC = {*QUANTITIES, "price"}
LINE_MEANINGS = ("line_id", "sku", *QUANTITIES, "unit", "description", "price", "id")


@dataclass(frozen=True, slots=True)
class SampleFields:
    """The fields of a record by what they are, those of its lines and of its packages."""

    record: Mapping[str, str] = field(default_factory=dict)
    lines_path: str = ""
    line: Mapping[str, str] = field(default_factory=dict)
    packages_path: str = ""
    package: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_shipment(self) -> bool:
        """Whether the records are about shipments, rather than orders."""
        return "shipment" in self.record or "tracking" in {**self.record, **self.package}

    @property
    def has_lines(self) -> bool:
        """Whether the lines have ids or item numbers."""
        return bool(self.lines_path) and not {"line_id", "id", "sku"}.isdisjoint(self.line)


def guess_fields(sample: SampleFormat) -> SampleFields:
    """Return what the fields of a sample are, as far as their names say so."""
    record = _field_names_by_meaning(sample.records)
    codes = _status_codes_of_sample(sample.records, record)
    if sample.is_table:
        line: dict[str, str] = {name: record[name] for name in LINE_MEANINGS[:-1] if name in record}
        package: dict[str, str] = {
            name: record[name] for name in ("tracking", "sscc") if name in record
        }
        return SampleFields(
            record, "rows" if line else "", line, "rows" if package else "", package, codes
        )
    lists = {
        path: _field_names_by_meaning(items)
        for record_of_lists in reversed(sample.records)
        for path, items in record_of_lists.items()
        if isinstance(items, list) and items and isinstance(items[0], dict)
    }
    lines_path = max(lists, key=lambda path: _likeness_to_lines(path, lists[path]), default="")
    packages_path = next((p for p, of in lists.items() if {"tracking", "sscc"} & of.keys()), "")
    return SampleFields(
        record,
        lines_path,
        lists.get(lines_path, {}),
        packages_path,
        lists.get(packages_path, {}) if packages_path else record,
        codes,
    )


def snake_case(name: str) -> str:
    """`clientOrderRef` and `Client Order-Ref` as `client_order_ref`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip(" @#"))
    return re.sub(r"[\s.\-/]+", "_", spaced).lower().strip("_")


def _qualified_name(path: str) -> str:
    """The last name of a path, with the one before it if it says nothing alone."""
    names = [snake_case(name) for name in path.split(".")]
    if len(names) > 1 and GENERIC_NAME.fullmatch(names[-1]):
        return "_".join(names[-2:])
    return names[-1]


def _field_names_by_meaning(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return {meaning: field name}. A field has one meaning."""
    meanings: dict[str, str] = {}
    every = {name: item for record in reversed(records) for name, item in record.items()}
    names = [name for name in _names_in_order(records) if not isinstance(every[name], dict | list)]
    for meaning, pattern in USUAL_NAMES.items():
        for name in names:
            if name in meanings.values() or not re.fullmatch(pattern, _qualified_name(name)):
                continue
            if meaning in NUMERIC and not any(map(is_number, _texts(records, name))):
                continue
            meanings[meaning] = name
            break
    times = [
        name
        for name in names
        if name not in meanings.values() and _is_time_field(name, _texts(records, name))
    ]
    if times:
        meanings["time"] = min(times, key=_order_of_time_fields)
    return meanings


def _names_in_order(records: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


def _texts(records: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    return [str(record.get(name) or "").strip() for record in records]


def _is_time_field(name: str, texts: Sequence[str]) -> bool:
    """Whether a field has times: a plain number is one only if its name says so."""
    if TIME_NAME.fullmatch(snake_case(name)):
        return any(map(detect_time_format, texts))
    return any(detect_time_format(text) and not is_number(text) for text in texts)


def _order_of_time_fields(path: str) -> tuple[bool, bool, bool, bool]:
    """The time of a status first; of several times, those in UTC are clearer."""
    name = _qualified_name(path)
    return (
        bool(OTHER_TIME.fullmatch(name)),
        not TIME_OF_STATUS.fullmatch(name),
        not TIME_NAME.fullmatch(name),
        not name.endswith(("utc", "gmt")),
    )


def _likeness_to_lines(path: str, meanings: Mapping[str, str]) -> tuple[int, bool]:
    """How much a list looks like the lines of an order; in XML, Lines contains Line."""
    names = (snake_case(name) for name in path.replace("[]", "").split("."))
    is_usual = any(LIST_NAMES.fullmatch(name) for name in names)
    return len({"sku", *QUANTITIES} & meanings.keys()), is_usual


def _status_codes_of_sample(
    records: Iterable[Mapping[str, Any]], meanings: Mapping[str, str]
) -> dict[str, list[str]]:
    """The values of the status field in the sample."""
    if "status" not in meanings:
        return {}
    name = meanings["status"]
    known = [text for text in dict.fromkeys(_texts(records, name)) if text][:MAX_CODES]
    return {name: known} if known else {}
