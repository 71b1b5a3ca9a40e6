"""Parse a payload as the pipeline would, without storing anything."""

from typing import Any

from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.event_codec import event_to_dict, format_rfc3339
from connectors.sdk.number_issuers import with_issuers_of_setting
from connectors.sdk.payload import PayloadError
from connectors.sdk.telemetry import TelemetryRecord


def try_message(connector: Connector, message: RawMessage) -> dict[str, Any]:
    """Parse a message as the pipeline would: its events, and what of it is ignored or parked."""
    try:
        parsed = connector.parse(message)
    except PayloadError as error:
        return {"parked": str(error)}
    ignored = {"ignored": parsed.ignored} if parsed.ignored else {}
    if ignored and not parsed.events and not parsed.errors:
        return ignored
    problems, events = list(parsed.errors), []
    for event in with_issuers_of_setting(parsed.events, connector):
        try:
            events.append(event_to_dict(validate_and_flag_event(event, message.received_at)))
        except PayloadError as error:
            problems.append(error)
    parked = {"parked": "; ".join(str(p) for p in problems)} if problems else {}
    observed = list(map(_telemetry_to_dict, parsed.telemetry))
    if observed:
        shown = {"events": events} if events else {}
        return {**parked, **ignored, **shown, "telemetry": observed}
    return {**parked, **ignored, **({"events": events} if events or not problems else {})}


def _telemetry_to_dict(record: TelemetryRecord) -> dict[str, Any]:
    """What was observed, without empty members."""
    values = {
        "type": record.kind.value,
        "name": record.name,
        "operation": record.operation,
        "result": record.result.value,
        "at": format_rfc3339(record.at) if record.at else "",
        "run_id": record.run_id,
        "milliseconds": record.milliseconds,
        "depth": record.depth,
        "text": record.text,
        "trace_id": record.trace_id,
        "numbers": [i.value for ref in record.objects for i in ref.identifiers],
    }
    return {name: value for name, value in values.items() if value not in ("", None, [])}
