"""What a batch contains: how many records, which number it has, and which count it declares.

A batch is a message of a source with a schedule. Where its number and its count are is a text:

- `interchange`: the control number of an X12 or EDIFACT interchange.
- `SHIP_*_{number}.csv`: in the name of the file; `*` and `?` stand for other characters.
- `row TRL 2`: the second field of the row whose first field is TRL.
- `row TRL 5-12`: the characters 5 to 12 of the row that begins with TRL.
- `field batch.id`: a member of a JSON or XML document.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO

from connectors.sdk.payload import PayloadError, load_json
from connectors.sdk.xml_documents import TEXT_MEMBER, XmlElement, load_xml

INTERCHANGE = "interchange"
NUMBER_PLACEHOLDER = "{number}"
FILE_NAME_HEADER = "x-file-name"
MAX_NUMBER_LENGTH = 60
MAX_DETAIL_LENGTH = 300
# Interchanges are counted to this number, and then from 1.
LARGEST_INTERCHANGE_NUMBER = 999_999_999
ROW = re.compile(r"row (\S{1,20}) (\d{1,3})(?:-(\d{1,4}))?\Z")
FIELD = re.compile(r"field (\w[\w-]{0,59}(?:\.\w[\w-]{0,59}){0,9})\Z")


@dataclass(frozen=True, slots=True)
class BatchContents:
    """The contents of one batch.

    `records`: rows, documents or elements. `mismatch`: which declared count differs, in words.
    `series`: what the numbers belong to, such as the sender and receiver of interchanges.
    `number`: of the interchange, if there is one.
    """

    records: int
    mismatch: str = ""
    series: str = ""
    number: str = ""


def check_number_location(text: str) -> None:
    """Raise ValueError unless the text says where a number is."""
    if text == INTERCHANGE:
        return
    if NUMBER_PLACEHOLDER in text:
        if text.count(NUMBER_PLACEHOLDER) > 1 or "/" in text:
            raise ValueError(
                f"{text[:40]!r} is not the name of a file with one {NUMBER_PLACEHOLDER}."
            )
        return
    check_count_location(text)


def check_count_location(text: str) -> None:
    """Raise ValueError unless the text says where a count is."""
    if not FIELD.match(text) and not (match := ROW.match(text)):
        raise ValueError(
            f"{text[:40]!r} says no position: enter row TRL 2, row TRL 5-12 or field batch.count."
        )
    if match := ROW.match(text):
        first, last = int(match[2]), int(match[3] or match[2])
        if not 1 <= first <= last:
            raise ValueError(f"{text[:40]!r} ends before it begins; positions count from 1.")


def read_located_text(
    location: str, body: bytes, headers: Mapping[str, str], charset: str = "utf-8"
) -> str:
    """Return the text at a location; empty if there is none. `interchange` is none."""
    if NUMBER_PLACEHOLDER in location:
        return _read_from_file_name(location, headers.get(FILE_NAME_HEADER, ""))
    if match := ROW.match(location):
        last = int(match[3]) if match[3] else None
        return _read_from_row(body.decode(charset, "replace"), match[1], int(match[2]), last)
    if match := FIELD.match(location):
        return _read_from_document(body, match[1].split("."))
    return ""


def count_records_of_text_or_json(body: bytes) -> int:
    """Count the elements of a JSON list, or the lines of another text that are not blank."""
    if not body.strip():
        return 0
    try:
        document = load_json(body).value
    except PayloadError:
        return sum(1 for line in body.splitlines() if line.strip())
    if isinstance(document, list):
        return len(document)
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        return len(lists[0]) if len(lists) == 1 else int(bool(document))
    return 1


def describe_mismatch(declared: str, records: int) -> str:
    """`the file declares 120 records and has 118`; empty if both are equal."""
    digits = declared.strip()
    if digits.isdecimal() and int(digits) == records:
        return ""
    return f"it declares {digits[:20] or 'no number of'} records and has {records}"


def contents_of_interchanges(
    findings_by_document: Sequence[tuple[str, Sequence[str]]],
    errors: Sequence[PayloadError],
    counts: tuple[str, ...],
    *,
    series: str = "",
    number: str = "",
) -> BatchContents:
    """Return the contents of a file of X12 or EDIFACT interchanges.

    `findings_by_document`: the name and the findings of each document; those that begin with one
    of `counts` are about the counts of envelopes. `errors`: those of the envelopes.
    """
    mismatches = [
        f"{name}: {finding}"
        for name, findings in findings_by_document
        for finding in findings
        if finding.startswith(counts)
    ]
    if findings_by_document:
        mismatches += [error.detail for error in errors]
    mismatch = "; ".join(dict.fromkeys(mismatches))[:MAX_DETAIL_LENGTH]
    return BatchContents(len(findings_by_document), mismatch, series, number)


def _read_from_file_name(pattern: str, name: str) -> str:
    pieces = re.split(r"(\{number\}|\*|\?)", pattern)
    expressions = {NUMBER_PLACEHOLDER: r"(\w+?)", "*": ".*", "?": "."}
    expression = "".join(expressions.get(piece) or re.escape(piece) for piece in pieces)
    match = re.fullmatch(expression, name[:200], re.IGNORECASE)
    return match[1][:MAX_NUMBER_LENGTH] if match else ""


def _read_from_row(text: str, tag: str, first: int, last: int | None) -> str:
    for line in text.splitlines():
        start = line.lstrip("\ufeff")
        if not start.lstrip('"').startswith(tag):
            continue
        if last is not None:
            return start[first - 1 : last].strip()[:MAX_NUMBER_LENGTH]
        # The field separator is the character behind the tag.
        separator = start.lstrip('"')[len(tag) :].lstrip('"')[:1]
        if not separator or separator in "\r\n" or separator.isalnum():
            continue
        fields = next(csv.reader(StringIO(start), delimiter=separator), [])
        return fields[first - 1].strip()[:MAX_NUMBER_LENGTH] if first <= len(fields) else ""
    return ""


def _read_from_document(body: bytes, path: Sequence[str]) -> str:
    try:
        document = load_xml(body) if body.lstrip()[:1] == b"<" else load_json(body)
    except PayloadError:
        return ""
    value = document.value
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, XmlElement):
        value = value.get(TEXT_MEMBER)
    is_scalar = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
    return str(value).strip()[:MAX_NUMBER_LENGTH] if is_scalar else ""
