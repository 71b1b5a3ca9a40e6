"""Find out how a sample is written: JSON, XML, or a table with its delimiter, charset and signs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sdk.encode_json import encode_json
from connectors.sdk.manifest.describe_xml_sample import describe_xml_sample
from connectors.sdk.payload import ParkReason, PayloadError, load_json
from connectors.sdk.tabular import Table, TableDialect, read_table

DELIMITERS = (";", "\t", "|", ",")
TIME_FORMATS = (
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y",
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y%m%d%H%M%S", "%Y%m%d",
)  # fmt: skip
NUMBER = re.compile(r"-?\d{1,3}([.,' ]?\d{3})*([.,]\d+)?|-?\d+([.,]\d+)?")
MAX_SAMPLE_ROWS = 500
EXCERPT_ROWS = 3
# Deeper objects of a JSON sample are not looked at.
MAX_FLATTENED_LEVELS = 5
# XLSX files are ZIP archives.
XLSX_BEGINNING = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """The format of a sample, how it is read, its records and a short excerpt."""

    format: str
    options: Mapping[str, str]
    records: Sequence[Mapping[str, Any]]
    excerpt: str

    @property
    def is_table(self) -> bool:
        """Whether it is CSV or TSV."""
        return self.format in {"csv", "tsv"}


def describe_sample(body: bytes) -> SampleFormat:
    """Describe a sample. Raises PayloadError if it is neither JSON, XML nor a table."""
    beginning = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:4]
    if not beginning:
        raise PayloadError(ParkReason.EMPTY, "", "the sample is empty")
    if beginning[:1] in (b"{", b"["):
        return _describe_json(body)
    if beginning[:1] == b"<":
        return SampleFormat("xml", *describe_xml_sample(body, MAX_SAMPLE_ROWS))
    if beginning == XLSX_BEGINNING:
        raise PayloadError(ParkReason.MEDIA, "", "manifests do not read XLSX; save it as CSV")
    return _describe_table(body)


def is_number(text: str) -> bool:
    """Whether a text is a number, with any usual signs."""
    return bool(NUMBER.fullmatch(text.strip()))


def detect_time_format(text: str) -> str:
    """Return `offset` or `local` for ISO 8601, the format of another time, or "" for none."""
    text = text.strip()
    if not text or re.fullmatch(r"\d{1,7}|\d{9,13}", text):
        return ""
    try:
        if not text.isdecimal():
            return "offset" if datetime.fromisoformat(text).tzinfo else "local"
    except ValueError:
        pass
    for text_format in TIME_FORMATS:
        try:
            parsed = datetime.strptime(text, text_format)  # noqa: DTZ007  # the zone is unknown
        except ValueError:
            continue
        if 2000 <= parsed.year <= 2100:
            return text_format
    return ""


def _describe_json(body: bytes) -> SampleFormat:
    document = load_json(body)
    options: dict[str, str] = {}
    value = document.value
    if isinstance(value, dict):
        lists = [
            k for k, v in value.items() if isinstance(v, list) and v and isinstance(v[0], dict)
        ]
        scalars = [k for k, v in value.items() if not isinstance(v, dict | list)]
        # An envelope around a list has few members of its own.
        if len(lists) == 1 and len(scalars) <= 2 and "id" not in value:
            options, value = {"records": lists[0]}, value[lists[0]]
    objects = value if isinstance(value, list) else [value]
    records = [
        flatten_json_object(_json_values_with_numbers_as_text(record))
        for record in objects[:MAX_SAMPLE_ROWS]
        if isinstance(record, dict)
    ]
    if not records:
        raise PayloadError(ParkReason.SCHEMA, "$", "the sample has no objects")
    shown = document.value if len(body) < 2_000 or not isinstance(value, list) else value[0]
    excerpt = encode_json(shown).decode()
    return SampleFormat("json", options, records, excerpt)


def flatten_json_object(
    members: Mapping[str, Any], levels: int = MAX_FLATTENED_LEVELS
) -> dict[str, Any]:
    """Name the values of an object by their paths, and the lists of objects in it by theirs."""
    fields: dict[str, Any] = {}
    for name, item in members.items():
        if isinstance(item, dict) and levels:
            inner = flatten_json_object(item, levels - 1)
            fields |= {f"{name}.{path}": value for path, value in inner.items()}
        elif isinstance(item, list) and item and isinstance(item[0], dict) and levels:
            elements = [
                flatten_json_object(element, levels - 1)
                for element in item
                if isinstance(element, dict)
            ]
            fields[name] = elements
            lists = {
                path for element in elements for path in element if _has_objects(element[path])
            }
            for path in sorted(lists):
                fields[f"{name}[].{path}"] = [o for e in elements for o in e.get(path) or ()]
        else:
            fields[name] = item
    return fields


def _has_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _json_values_with_numbers_as_text(value: Any) -> Any:
    """JSON values without decimals, so that texts can be looked at."""
    return json.loads(encode_json(value), parse_float=str, parse_int=str)


def _describe_table(body: bytes) -> SampleFormat:
    charset = "utf-8"
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        charset = "cp1252"
        text = body.decode(charset, "replace")
    first_line = text.lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    if not first_line.count(delimiter):
        raise PayloadError(ParkReason.SYNTAX, "", "the sample is neither JSON, XML nor a table")
    table = read_table(body, TableDialect(delimiter=delimiter, charset=charset))
    options = {"delimiter": delimiter} if delimiter not in ",\t" else {}
    options |= {"charset": charset} if charset != "utf-8" else {}
    if delimiter != "," and _has_decimal_comma(table):
        options["decimal"] = ","
    if "decimal" in options and any(
        re.fullmatch(r"-?\d{1,3}(\.\d{3})+,\d+", text.strip())
        for row in table.rows
        for text in row.fields.values()
    ):
        options["thousands"] = "."
    records = [row.fields for row in table.rows[:MAX_SAMPLE_ROWS]]
    if not records:
        raise PayloadError(ParkReason.EMPTY, "", "the sample has no rows")
    excerpt = "".join(text.splitlines(keepends=True)[: EXCERPT_ROWS + 1])
    return SampleFormat("tsv" if delimiter == "\t" else "csv", options, records, excerpt)


def _has_decimal_comma(table: Table) -> bool:
    texts = [text.strip() for row in table.rows for text in row.fields.values()]
    commas = sum(bool(re.fullmatch(r"-?[\d.' ]*\d,\d+", text)) for text in texts)
    points = sum(bool(re.fullmatch(r"-?[\d' ]*\d\.\d+", text)) for text in texts)
    return commas > points
