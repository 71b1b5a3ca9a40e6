"""Parse and check the section `telemetry` of a manifest."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.manifest.problems import Position
from connectors.sdk.manifest.telemetry_rule import (
    OPTIONAL_MEMBERS,
    REQUIRED_MEMBERS,
    TelemetryRule,
)
from connectors.sdk.telemetry import TelemetryKind


def parse_telemetry_rules(
    parser: OperatorParser, data: Mapping[str, Any]
) -> tuple[TelemetryRule, ...]:
    """Parse the rules; report values that their types do not have or need."""
    return tuple(
        _parse_rule(parser, item, ("telemetry", index))
        for index, item in enumerate(data.get("telemetry", []))
    )


def _parse_rule(parser: OperatorParser, data: Mapping[str, Any], at: Position) -> TelemetryRule:
    kind = TelemetryKind(data["type"])
    names = data["values"].keys()
    required, optional = REQUIRED_MEMBERS[kind], OPTIONAL_MEMBERS[kind]
    for name in required:
        if name not in names:
            parser.report((*at, "values"), f"{kind} needs the value {name}")
    for name in names - {*required, *optional}:
        known = ", ".join((*required, *optional))
        parser.report((*at, "values", name), f"{kind} has no value {name}; known: {known}")
    if kind is TelemetryKind.CALL and not {"result", "http_status"} & names:
        parser.report((*at, "values"), f"{kind} needs the value result or http_status")
    if "at" not in data and not {"ended_at", "started_at"} & names:
        parser.report(at, "the telemetry has no time; give `at`")
    return TelemetryRule(
        kind=kind,
        key=parser.template(data["key"], (*at, "key")),
        condition=parser.condition(data.get("if", {}), (*at, "if")),
        elements=parser.parse_list_path(data["for"], (*at, "for")) if "for" in data else None,
        at=parser.parse_time_operator(data["at"], (*at, "at")) if "at" in data else None,
        values={
            name: parser.value_or_time(item, (*at, "values", name))
            for name, item in data["values"].items()
        },
    )
