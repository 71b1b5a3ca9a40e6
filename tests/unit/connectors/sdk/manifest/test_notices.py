"""Webhooks that only say that something changed: no events, and a poll that is due."""

from tests.unit.connectors.sdk.manifest.samples import changed, events, parse, problems

REASON = "the message has no data; changes are polled"
NOTICE = (
    f"notice: {{if: [{{topic: {{begins: order.}}}}, {{look: {{present: yes}}}}], reason: {REASON}}}"
)
POLL = 'poll: {every: 5 min, get: "https://erp.test/orders"}'
BEFORE = "receive: {webhook: {verify: {bearer: yes}}}"
WITH_NOTICE = changed(
    (BEFORE, f"receive: {{webhook: {{verify: {{bearer: yes}}, {NOTICE}}}, {POLL}}}")
)
ORDER = {"id": 1, "number": "S1", "at": "2026-03-02 10:00:00", "lines": []}


def test_a_notice_makes_the_poll_due_and_says_why_it_has_no_events() -> None:
    for body in ({"topic": "order.changed", "id": 7}, {"look": [1]}):
        result = parse(WITH_NOTICE, body)
        assert (result.events, result.errors) == ((), ())
        assert (result.ignored, result.poll_due) == (REASON, True)


def test_other_messages_and_polled_records_are_read() -> None:
    assert parse(WITH_NOTICE, ORDER).poll_due is False
    assert len(events(WITH_NOTICE, {**ORDER, "topic": "invoice.changed"})) == 1


def test_a_notice_needs_a_poll_and_json() -> None:
    no_poll = changed((BEFORE, f"receive: {{webhook: {{verify: {{bearer: yes}}, {NOTICE}}}}}"))
    assert ["a notice needs receive.poll" in text for text in problems(no_poll)] == [True]
    of_csv = WITH_NOTICE.replace("read: {format: json}", "read: {format: csv}")
    assert any("a notice needs the format json" in text for text in problems(of_csv))
    assert any(
        "'reason' is missing" in t for t in problems(WITH_NOTICE.replace(f", reason: {REASON}", ""))
    )
