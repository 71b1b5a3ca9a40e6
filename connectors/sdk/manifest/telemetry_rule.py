"""Telemetry of a manifest: how records become calls, runs and readings of queues."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import ObjectReference
from connectors.sdk.manifest.operators import (
    FieldCondition,
    ListOperator,
    TimeOperator,
    ValueOperator,
)
from connectors.sdk.manifest.paths import Scope, Template
from connectors.sdk.manifest.time_limit import raise_if_time_is_up
from connectors.sdk.payload import Node
from connectors.sdk.telemetry import TelemetryKind, TelemetryRecord
from connectors.sdk.telemetry_parser import parse_telemetry

# The members of the data of each type, see docs/events.md; the first ones are required.
REQUIRED_MEMBERS: Mapping[TelemetryKind, tuple[str, ...]] = {
    TelemetryKind.CALL: ("service",),
    TelemetryKind.RUN: ("flow", "run_id", "status"),
    TelemetryKind.QUEUE: ("queue", "depth"),
}
OPTIONAL_MEMBERS: Mapping[TelemetryKind, tuple[str, ...]] = {
    TelemetryKind.CALL: (
        *("operation", "result", "http_status", "latency_ms", "sample_rate", "detail"),
        *("trace_id", "traceparent"),
    ),
    TelemetryKind.RUN: (
        *("started_at", "ended_at", "records_read", "records_written", "records_failed"),
        *("error", "url", "trace_id", "traceparent"),
    ),
    TelemetryKind.QUEUE: ("oldest_age_seconds",),
}
MEMBERS = sorted(
    {name for names in (*REQUIRED_MEMBERS.values(), *OPTIONAL_MEMBERS.values()) for name in names}
)


@dataclass(frozen=True, slots=True)
class TelemetryRule:
    """One call, run or reading of a record, or of each element of one of its lists."""

    kind: TelemetryKind
    key: Template
    condition: FieldCondition = field(default_factory=FieldCondition)
    elements: ListOperator | None = None
    at: TimeOperator | None = None
    values: Mapping[str, ValueOperator | TimeOperator] = field(default_factory=dict)

    def records(
        self, record: Scope, objects: tuple[ObjectReference, ...], headers: Mapping[str, str]
    ) -> Iterator[TelemetryRecord]:
        """Yield the telemetry of a record. Raises PayloadError."""
        for scope in self.elements.elements(record) if self.elements else [record]:
            raise_if_time_is_up()
            if not self.condition.holds(scope):
                continue
            texts = {name: _text(value, scope) for name, value in self.values.items()}
            yield parse_telemetry(
                Node({name: text for name, text in texts.items() if text}, "", [False]),
                kind=self.kind,
                key=self.key.render(scope),
                at=self.at.evaluate(scope) if self.at else None,
                zone=None,
                objects=objects,
                headers=headers,
            )


def _text(value: ValueOperator | TimeOperator, scope: Scope) -> str:
    if isinstance(value, ValueOperator):
        return value.evaluate(scope)
    time = value.evaluate(scope)
    return format_rfc3339(time.time) if time else ""
