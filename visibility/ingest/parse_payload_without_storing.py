"""Parse a payload as the pipeline would, without storing anything."""

from typing import Any

from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.number_issuers import with_issuers_of_setting
from connectors.sdk.payload import PayloadError


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
    return {**parked, **ignored, **({"events": events} if events or not problems else {})}
