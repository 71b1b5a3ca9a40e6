"""Choices of enum columns, as callables.

A migration refers to these functions by name, so a new event type, scheme, reason or status makes
no migration.
"""

from collections.abc import Iterable
from enum import Enum

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType, IdentifierScheme, ObjectKind
from connectors.sdk.payload import ParkReason
from connectors.sdk.telemetry import TelemetryKind, TelemetryResult
from visibility.timeline.model import MilestoneCode, Status
from visibility.timeline.state_and_flag_enums import ComparedField, LineState

Choices = list[tuple[str, str]]


def _choices_from_enum(members: Iterable[Enum]) -> Choices:
    return [(member.value, member.value) for member in members]


def source_roles() -> Choices:
    return _choices_from_enum(SourceRole)


def object_kinds() -> Choices:
    return _choices_from_enum(ObjectKind)


def identifier_schemes() -> Choices:
    return _choices_from_enum(IdentifierScheme)


def event_types() -> Choices:
    return _choices_from_enum(EventType)


def parking_reasons() -> Choices:
    return _choices_from_enum(ParkReason)


def telemetry_kinds() -> Choices:
    return _choices_from_enum(TelemetryKind)


def telemetry_results() -> Choices:
    return _choices_from_enum(TelemetryResult)


def order_statuses() -> Choices:
    return _choices_from_enum(Status)


def line_states() -> Choices:
    return _choices_from_enum(LineState)


def milestone_codes() -> Choices:
    return _choices_from_enum(MilestoneCode)


def conflict_fields() -> Choices:
    return _choices_from_enum(ComparedField)
