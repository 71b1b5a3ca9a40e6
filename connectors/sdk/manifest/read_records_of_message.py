"""From the bytes of a message to its records."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.sdk.encode_json import encode_json
from connectors.sdk.fixed_width import read_fixed_width
from connectors.sdk.manifest.definition import ReadRule
from connectors.sdk.manifest.paths import Scope
from connectors.sdk.payload import Node, ParkReason, PayloadError, load_json
from connectors.sdk.tabular import Table, TableDialect, group_rows, read_table
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
    table = _read_rows(rule, body)
    if missing := [name for name in rule.group if name not in table.columns]:
        raise PayloadError(ParkReason.SCHEMA, "line 1", f"the column {missing[0]!r} is missing")
    rows = (
        group_rows(table.rows, rule.group)
        if rule.group
        else [(row.line, row.fields) for row in table.rows]
    )
    scopes = [
        Scope(Node(fields, f"line {line}", [False]), settings, rule.reading)
        for line, fields in rows
    ]
    return Records(scopes, table.errors, is_list=True, was_sanitized=table.was_sanitized)


def load_document(rule: ReadRule, body: bytes) -> Node:
    """Parse a message as JSON, or as XML if the format is that. Raises PayloadError."""
    return load_xml(body) if rule.format == "xml" else load_json(body)


def encode_record(node: Node) -> bytes:
    """Write a record of a larger document as a message of its own, in the same format."""
    if not isinstance(node.value, XmlElement):
        return encode_json(node.value)
    name = node.value.get(ROOT_MEMBER) or re.sub(r"\[\d+\]$", "", node.path).rpartition(".")[2]
    return write_element(name, node.value).encode()


def _read_rows(rule: ReadRule, body: bytes) -> Table:
    if rule.layout:
        return read_fixed_width(body, rule.layout)
    dialect = TableDialect(
        rule.delimiter, rule.quote, rule.charset, rule.has_header, rule.columns, rule.skip_rows
    )
    return read_table(body, dialect)


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
