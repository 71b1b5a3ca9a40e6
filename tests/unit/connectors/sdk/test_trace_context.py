"""W3C Trace Context: invalid headers are ignored."""

import pytest

from connectors.sdk.trace_context import (
    TraceContext,
    distinct_traces,
    parse_traceparent,
    valid_trace_headers,
)

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{ID}-{SPAN}-01"


def test_a_valid_traceparent_has_trace_and_span() -> None:
    assert parse_traceparent(GOOD) == TraceContext(ID, SPAN)
    assert parse_traceparent(f"01-{ID}-{SPAN}-00-more.of-it") == TraceContext(ID, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ff-{ID}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID[:-1]}-{SPAN}-01",
        f"00-{ID}-{SPAN}-1",
        f"00-{ID}-{SPAN}-01<script>",
    ],
)
def test_an_invalid_traceparent_is_ignored(text: str) -> None:
    assert parse_traceparent(text) is None
    assert valid_trace_headers({"traceparent": text, "tracestate": "a=1"}) == {}


def test_tracestate_is_returned_with_its_traceparent() -> None:
    assert valid_trace_headers({"traceparent": GOOD, "tracestate": "a=1", "x": "y"}) == {
        "traceparent": GOOD,
        "tracestate": "a=1",
    }


def test_the_trace_of_the_event_comes_first() -> None:
    other = GOOD.replace(ID, "1" * 32)
    contexts = distinct_traces({"traceparent": GOOD, "ce-traceparent": other})
    assert [t.trace_id for t in contexts] == ["1" * 32, ID]
    assert len(distinct_traces({"traceparent": GOOD, "ce-traceparent": GOOD})) == 1
