"""W3C Trace Context of requests and CloudEvents."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# version-traceid-parentid-flags; later versions may append fields.
TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
TRACEPARENT_HEADER = "traceparent"
TRACESTATE_HEADER = "tracestate"
# CloudEvents extension attributes: the trace in which the event was created.
EVENT_TRACEPARENT_HEADER = "ce-traceparent"
EVENT_TRACESTATE_HEADER = "ce-tracestate"
MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace id and the id of the calling span."""

    trace_id: str
    parent_id: str


def parse_traceparent(text: str) -> TraceContext | None:
    """Parse a `traceparent`. Returns None if it is invalid; the W3C says to ignore it then."""
    match = TRACEPARENT.fullmatch(text.strip())
    if match is None:
        return None
    version, trace_id, parent_id, _, suffix = match.groups()
    if version == "ff" or (version == "00" and suffix):
        return None
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return TraceContext(trace_id, parent_id)


def valid_trace_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the trace headers. A `tracestate` is dropped without its valid `traceparent`."""
    selected = {}
    for parent, state in (
        (TRACEPARENT_HEADER, TRACESTATE_HEADER),
        (EVENT_TRACEPARENT_HEADER, EVENT_TRACESTATE_HEADER),
    ):
        if parse_traceparent(headers.get(parent, "")):
            selected[parent] = headers[parent].strip()[:MAX_LENGTH]
            if headers.get(state):
                selected[state] = headers[state][:MAX_LENGTH]
    return selected


def distinct_traces(headers: Mapping[str, str]) -> tuple[TraceContext, ...]:
    """Return the distinct traces of a stored message, the event's own trace first."""
    contexts: dict[str, TraceContext] = {}
    for name in (EVENT_TRACEPARENT_HEADER, TRACEPARENT_HEADER):
        if context := parse_traceparent(headers.get(name, "")):
            contexts.setdefault(context.trace_id, context)
    return tuple(contexts.values())
