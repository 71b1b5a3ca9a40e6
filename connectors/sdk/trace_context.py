"""W3C Trace Context: the trace that a request or an event says it is part of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# version-traceid-parentid-flags; a later version may say more after that.
FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
REQUEST = "traceparent"
STATE = "tracestate"
# The trace of an event itself, where it came through others: the extension of CloudEvents.
EVENT = "ce-traceparent"
EVENT_STATE = "ce-tracestate"
HEADERS = frozenset({REQUEST, STATE, EVENT, EVENT_STATE})
LONGEST = 512


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace, and the span within it that spoke to us."""

    trace_id: str
    parent_id: str


def parse(text: str) -> Trace | None:
    """The trace of a `traceparent`, None where it is not valid: then it is as if it were absent."""
    found = FORM.fullmatch(text.strip())
    if found is None:
        return None
    version, trace_id, parent_id, _, more = found.groups()
    if version == "ff" or (version == "00" and more):
        return None
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return Trace(trace_id, parent_id)


def valid(headers: Mapping[str, str]) -> dict[str, str]:
    """Of these headers those of a trace: a state counts only beside its valid parent."""
    found = {}
    for parent, state in ((REQUEST, STATE), (EVENT, EVENT_STATE)):
        if parse(headers.get(parent, "")):
            found[parent] = headers[parent].strip()[:LONGEST]
            if headers.get(state):
                found[state] = headers[state][:LONGEST]
    return found


def traces(headers: Mapping[str, str]) -> tuple[Trace, ...]:
    """The traces of a kept message, that of the event first, each trace once."""
    found: dict[str, Trace] = {}
    for name in (EVENT, REQUEST):
        if one := parse(headers.get(name, "")):
            found.setdefault(one.trace_id, one)
    return tuple(found.values())
