"""Deadlines that pass while nobody looks, and hosts whose clocks lie (F11, F12, F28, F29)."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.faults.bed import WITHIN, Bed
from tests.faults.sending import until
from tests.faults.story import Message, told

# Alerts of the orders whose number begins so: due, opened, how many notifications.
OPENED = """
SELECT i.value, a.due_at, a.opened_at, a.state, (SELECT count(*) FROM visibility_notification n
    WHERE n.alert_id = a.id)
FROM visibility_alert a JOIN visibility_identifier i ON i.object_id = a.order_id
    AND i.scheme = 'sales_order' AND i.strong
WHERE i.value LIKE %s
"""
# The messages in which those who subscribed were told of them, and the alerts told of.
MESSAGES = """
SELECT count(DISTINCT coalesce(n.batch, n.token)), count(*)
FROM visibility_notification n JOIN visibility_alert a ON a.id = n.alert_id
JOIN visibility_identifier i ON i.object_id = a.order_id AND i.scheme = 'sales_order' AND i.strong
WHERE i.value LIKE %s AND n.state = 'sent'
"""


def released(bed: Bed, prefix: str, *, count: int, due_in: float) -> dict[str, datetime]:
    """Orders by their deadlines, which pass one after the other, the last so many seconds ahead."""
    now = datetime.fromisoformat(bed.court.under_test.ask("now")).replace(microsecond=0)
    return {
        f"{prefix}-{n}": now + timedelta(seconds=due_in * (n + 1) / count) for n in range(count)
    }


def messages_of(deadlines: dict[str, datetime]) -> list[Message]:
    """One release each, as long ago as the promise lasts."""
    return [
        told(
            "erp",
            "order.released",
            {"order": {"number": name}},
            identity=f"{name}-released",
            at=due - timedelta(hours=WITHIN),
        )
        for name, due in deadlines.items()
    ]


def judged(bed: Bed, prefix: str, deadlines: dict[str, datetime]) -> Sequence[tuple[Any, ...]]:
    """Every alert is there once, with its true deadline and one notification."""
    until(
        lambda: len(bed.court.ask(OPENED, [f"{prefix}-%"])) >= len(deadlines),
        seconds=60,
        what="every deadline has its alert",
    )
    rows = bed.court.ask(OPENED, [f"{prefix}-%"])
    assert {name: due for name, due, *_ in rows} == deadlines
    assert len(rows) == len(deadlines)
    assert {row[4] for row in rows} == {1}
    return rows


def test_f11_deadlines_pass_while_nobody_is_there_to_judge(bed: Bed) -> None:
    deadlines = released(bed, "F11", count=60, due_in=6)
    sending = bed.send(messages_of(deadlines), rate=200)
    sending.finish()
    bed.court.quiet_but_due()
    for name in ("beat", "worker"):
        bed.installation.kill(name)
    time.sleep(max(0.0, (max(deadlines.values()) - bed.now()).total_seconds() + 1))
    for name in ("worker", "beat"):
        bed.installation.restart(name)
    judged(bed, "F11", deadlines)
    until(
        lambda: bed.court.ask(MESSAGES, ["F11-%"])[0][1] == len(deadlines),
        seconds=60,
        what="everybody has been told",
    )
    assert bed.court.ask(MESSAGES, ["F11-%"]) == [(1, len(deadlines))]
    assert bed.settle(sending).broken == []


def test_f12_two_schedulers_and_three_workers_judge_as_one(bed: Bed) -> None:
    for name in ("beat-2", "worker-2", "worker-3"):
        bed.installation.add(name)
    deadlines = released(bed, "F12", count=60, due_in=8)
    sending = bed.send(messages_of(deadlines), rate=200)
    judged(bed, "F12", deadlines)
    assert bed.settle(sending).broken == []


def test_f28_the_clock_of_the_application_jumps_an_hour(bed: Bed) -> None:
    """Signatures are fresh for five minutes by the database's clock, and nobody else's."""
    clock = bed.folder / "clock"
    clock.write_text("0")
    for name in ("worker", "web"):
        bed.installation.kill(name)
        bed.installation.add(name, FAULT_CLOCK=str(clock))
    try:
        messages = bed.stories("F28", count=200)
        sending = bed.send(messages, rate=40)
        for share, shift in ((0.2, 3600), (0.4, -3600), (0.6, 0), (0.8, 3600)):
            sending.reach(share)
            clock.write_text(str(shift))
        verdict = bed.settle(sending)
        # Nobody was told 401.
        assert verdict.broken == []
    finally:
        for name in ("worker", "web"):
            bed.installation.remove(name)
            bed.installation.add(name)


def test_f29_two_hosts_that_disagree_judge_each_deadline_once(bed: Bed) -> None:
    ahead, behind = bed.folder / "ahead", bed.folder / "behind"
    ahead.write_text("90")
    behind.write_text("-90")
    for clock in (ahead, behind):
        bed.installation.add(f"worker-{clock.name}", FAULT_CLOCK=str(clock))
        bed.installation.add(f"beat-{clock.name}", FAULT_CLOCK=str(clock))
    deadlines = released(bed, "F29", count=40, due_in=8)
    sending = bed.send(messages_of(deadlines), rate=200)
    rows = judged(bed, "F29", deadlines)
    assert all(opened >= due for _, due, opened, *_ in rows)
    assert bed.settle(sending).broken == []


def test_the_shift_of_the_clock_is_real(bed: Bed, tmp_path: Path) -> None:
    """Else the two above would show nothing."""
    clock = tmp_path / "clock"
    clock.write_text("3600")
    said = bed.installation.python(
        "import time, datetime; print(time.time(), datetime.datetime.now().timestamp())",
        FAULT_CLOCK=str(clock),
    )
    for word in said.split():
        assert 3590 < float(word) - time.time() < 3610
