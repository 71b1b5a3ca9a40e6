"""Check an event as a sender would send it: what is wrong, what is ignored. Nothing is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from connectors.sdk.connector import RawMessage
from connectors.sdk.payload import load_json
from connectors.sdk.published_schemas import VERSION, published_documents, version_in_address
from connectors.sdk.required_and_ignored_event_members import MemberUse
from connectors.systems.cloudevents.connector import CloudEvents
from visibility.ingest.parse_payload_without_storing import try_message

MAX_FINDINGS = 100
MAX_TEXT = 300
JSON_EVENT = {"content-type": "application/cloudevents+json"}


class FindingSeverity(StrEnum):
    """An event with an error is parked. A warning is about a member without effect."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class EventFinding:
    """One finding at a path, such as `data.lines[0].sku`."""

    severity: FindingSeverity
    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class EventCheck:
    """The result: the event as it would be stored, or why it would be parked."""

    version: int
    events: Sequence[Mapping[str, Any]]
    findings: Sequence[EventFinding]

    @property
    def is_accepted(self) -> bool:
        """Whether the event would be applied."""
        return bool(self.events) and not any(
            finding.severity is FindingSeverity.ERROR for finding in self.findings
        )


def check_event(body: bytes, now: datetime) -> EventCheck:
    """Check one CloudEvent in JSON. Raises PayloadError if it is no JSON object."""
    root = load_json(body)
    if not isinstance(root.value, dict):
        root.required_object("data")
    document: dict[str, Any] = orjson.loads(body)
    address = document.get("dataschema")
    named = version_in_address(address) if isinstance(address, str) else None
    version = named or VERSION
    result = try_message(CloudEvents({"source": "check"}), RawMessage(body, JSON_EVENT, now))
    findings = []
    if "parked" in result:
        findings.append(EventFinding(FindingSeverity.ERROR, "", result["parked"][:MAX_TEXT]))
    findings += _schema_findings(document, version, is_parked=bool(findings))
    return EventCheck(version, result.get("events", ()), findings[:MAX_FINDINGS])


def _schema_findings(
    document: Mapping[str, Any], version: int, *, is_parked: bool
) -> Iterator[EventFinding]:
    """What the published schemas say. They are stricter than the reader, which is the judge."""
    try:
        documents = published_documents(version)
    except FileNotFoundError:
        return
    of_type = documents.get(f"events/{document.get('type')}")
    schemas = [("", documents["cloudevent"], document)]
    if isinstance(document.get("data"), dict):
        data_schema = of_type or documents["event-data"]
        schemas.append(("data", data_schema, document["data"]))
    severity = FindingSeverity.ERROR if is_parked else FindingSeverity.WARNING
    for prefix, schema, value in schemas:
        for error in Draft202012Validator(schema).iter_errors(value):
            path = _path([*([prefix] if prefix else []), *error.absolute_path])
            yield EventFinding(severity, path, error.message[:MAX_TEXT])
    if of_type is None:
        detail = "no event type of Throughline; it is stored as unmapped until it is mapped"
        yield EventFinding(FindingSeverity.WARNING, "type", detail)
    for prefix, schema, value in schemas[1:]:
        yield from _members_without_effect(schema, value, prefix)


def _members_without_effect(schema: Any, value: Any, path: str) -> Iterator[EventFinding]:
    """Members that the schema does not have, and those that change nothing for this type."""
    for alternative in schema.get("anyOf", ()):
        if "properties" in alternative and isinstance(value, dict):
            yield from _members_without_effect(alternative, value, path)
            return
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _members_without_effect(schema["items"], item, f"{path}[{index}]")
    if not isinstance(value, dict) or "properties" not in schema:
        return
    for name, child in value.items():
        below = f"{path}.{name}"[:MAX_TEXT]
        member = schema["properties"].get(name)
        if member is None:
            yield EventFinding(FindingSeverity.WARNING, below, "not in the schema, and not read")
        elif member.get("x-use") == MemberUse.IGNORED:
            detail = "stored and shown; it changes nothing for this event type"
            yield EventFinding(FindingSeverity.WARNING, below, detail)
        else:
            yield from _members_without_effect(member, child, below)


def _path(keys: Sequence[str | int]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")[:MAX_TEXT]
