"""From the bytes of a message to its records."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.sdk.encode_json import encode_json
from connectors.sdk.fixed_width import read_fixed_width
from connectors.sdk.manifest.definition import ReadRule
from connectors.sdk.manifest.paths import Scope
from connectors.sdk.message_shape import MessageShape
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.read_paths import recording, recording_object
from connectors.sdk.tabular import (
    Table,
    TableDialect,
    TableRow,
    decode_table_text,
    group_rows,
    read_table,
)
from connectors.sdk.text_shapes import fixed_width_shape, table_shape, xml_shape
from connectors.sdk.xml_documents import ROOT_MEMBER, XmlElement, load_xml, write_element

DOCUMENT_FORMATS = frozenset({"json", "xml"})


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a message, and the errors of those that cannot be read."""

    scopes: Sequence[Scope]
    errors: tuple[PayloadError, ...] = ()
    # Whether the message is a list of records: then one invalid record does not affect the others.
    is_list: bool = False
    document: Node | None = None
    was_sanitized: bool = False


def read_records(rule: ReadRule, body: bytes, settings: Mapping[str, str]) -> Records:
    """Read the records of a message. Raises PayloadError."""
    if rule.format in DOCUMENT_FORMATS:
        return _read_document(rule, body, settings)
    table = read_rows(rule, body)
    if missing := [name for name in rule.group if name not in table.columns]:
        raise PayloadError(ParkReason.SCHEMA, "line 1", f"the column {missing[0]!r} is missing")
    lines = [TableRow(row.line, recording(row.fields)) for row in table.rows]
    rows = (
        group_rows(lines, rule.group) if rule.group else [(row.line, row.fields) for row in lines]
    )
    scopes = [
        Scope(
            Node(recording_object(fields) if rule.group else fields, f"line {line}", [False]),
            settings,
            rule.reading,
        )
        for line, fields in rows
    ]
    return Records(scopes, table.errors, is_list=True, was_sanitized=table.was_sanitized)


def count_records(rule: ReadRule, body: bytes) -> int:
    """Count the rows of a table, or the records of a document. Raises PayloadError.

    Rows that cannot be read count too. An empty message has none.
    """
    if not body.strip():
        return 0
    if rule.format in DOCUMENT_FORMATS:
        return len(_read_document(rule, body, {}).scopes)
    table = read_rows(rule, body)
    return len(table.rows) + len(table.errors)


def load_document(rule: ReadRule, body: bytes) -> Node:
    """Parse a message as JSON, or as XML if the format is that. Raises PayloadError."""
    return load_xml(body) if rule.format == "xml" else load_json(body)


def encode_record(node: Node) -> bytes:
    """Write a record of a larger document as a message of its own, in the same format."""
    if not isinstance(node.value, XmlElement):
        return encode_json(node.value)
    name = node.value.get(ROOT_MEMBER) or re.sub(r"\[\d+\]$", "", node.path).rpartition(".")[2]
    return write_element(name, node.value).encode()


def read_rows(rule: ReadRule, body: bytes) -> Table:
    """Read the rows of a table or of a file of fixed width. Raises PayloadError."""
    if rule.layout:
        return read_fixed_width(body, rule.layout)
    dialect = TableDialect(
        rule.delimiter,
        rule.quote,
        rule.charset,
        rule.has_header,
        rule.columns,
        rule.skip_rows,
        rule.skip_begins,
    )
    return read_table(body, dialect)


def shape_of_records(rule: ReadRule, body: bytes) -> MessageShape | None:
    """The shape of a message that is no JSON, or None. Raises PayloadError."""
    if rule.format == "json":
        return None
    if rule.format == "xml":
        return xml_shape(body)
    rows = (row.fields for row in read_rows(rule, body).rows)
    if rule.layout:
        text, _ = decode_table_text(body, rule.layout.charset)
        return fixed_width_shape(text, rows, rule.layout)
    return table_shape(rows)


def _read_document(rule: ReadRule, body: bytes, settings: Mapping[str, str]) -> Records:
    document = load_document(rule, body)
    top = Scope(document, settings, rule.reading)
    if isinstance(document.value, list) and rule.records is None:
        scopes = [
            _record_in_envelope(rule, top.scope_of_inner_value(node)) for node in document.as_list()
        ]
        return Records(scopes, is_list=True, document=document)
    if not isinstance(document.value, dict | list):
        raise PayloadError(ParkReason.SCHEMA, "$", "expected an object or a list")
    if rule.records is None:
        rows = _rows_of_answer(rule, top)
        if rows is None:
            return Records([_record_in_envelope(rule, top)], document=document)
        scopes = [_record_in_envelope(rule, row) for row in rows]
        return Records(scopes, is_list=True, document=document)
    return Records(rule.records.elements(top), is_list=True, document=document)


def _rows_of_answer(rule: ReadRule, top: Scope) -> Sequence[Scope] | None:
    """Return the rows of an answer of the API, None if the message is no such answer."""
    for path in rule.answers:
        try:
            if path.has_list_even_if_null_or_empty(top):
                return path.elements(top)
        except PayloadError:
            continue  # members of these names have another content here
    return None


def _record_in_envelope(rule: ReadRule, message: Scope) -> Scope:
    """Return the record of a message. With an envelope rule, `^` is the message in any case."""
    envelope = rule.envelope
    if envelope is None:
        return message
    node = envelope.record.resolve(message) if envelope.condition.holds(message) else message.node
    return message.scope_of_inner_value(node)
