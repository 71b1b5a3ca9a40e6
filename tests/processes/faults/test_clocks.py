"""Deadlines that pass during an outage, and hosts with wrong clocks (F11, F12, F28, F29)."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.processes.faults.environment import SLA_HOURS, FaultEnvironment
from tests.processes.faults.order_messages import FaultMessage, event_message
from tests.processes.faults.senders import wait_until

# Alerts of the orders with a number prefix: due, opened, state, number of notifications.
ALERTS = """
SELECT i.value, a.due_at, a.opened_at, a.state, (SELECT count(*) FROM visibility_notification n
    WHERE n.alert_id = a.id)
FROM visibility_alert a JOIN visibility_identifier i ON i.object_id = a.order_id
    AND i.scheme = 'sales_order' AND i.is_identity
WHERE i.value LIKE %s
"""
# The number of notification messages sent, and of the alerts in them.
NOTIFICATIONS = """
SELECT count(DISTINCT coalesce(n.batch, n.message_id)), count(*)
FROM visibility_notification n JOIN visibility_alert a ON a.id = n.alert_id
JOIN visibility_identifier i
    ON i.object_id = a.order_id AND i.scheme = 'sales_order' AND i.is_identity
WHERE i.value LIKE %s AND n.state = 'written'
"""


def order_deadlines(
    environment: FaultEnvironment, prefix: str, *, count: int, due_in: float
) -> dict[str, datetime]:
    """Order number -> deadline. The deadlines pass one by one within `due_in` seconds."""
    now = datetime.fromisoformat(environment.checker.under_test.call("now")).replace(microsecond=0)
    return {
        f"{prefix}-{n}": now + timedelta(seconds=due_in * (n + 1) / count) for n in range(count)
    }


def release_messages(deadlines: dict[str, datetime]) -> list[FaultMessage]:
    """One release per order, timed so that its SLA is due at the deadline."""
    return [
        event_message(
            "erp",
            "order.released",
            {"order": {"number": name}},
            identity=f"{name}-released",
            at=due - timedelta(hours=SLA_HOURS),
        )
        for name, due in deadlines.items()
    ]


def assert_alerts(
    environment: FaultEnvironment, prefix: str, deadlines: dict[str, datetime]
) -> Sequence[tuple[Any, ...]]:
    """Check that each order has one alert with the right due time and one notification."""
    wait_until(
        lambda: len(environment.checker.query(ALERTS, [f"{prefix}-%"])) >= len(deadlines),
        seconds=60,
        what="every deadline has its alert",
    )
    rows = environment.checker.query(ALERTS, [f"{prefix}-%"])
    assert {name: due for name, due, *_ in rows} == deadlines
    assert len(rows) == len(deadlines)
    assert {row[4] for row in rows} == {1}
    return rows


def test_f11_deadlines_that_pass_while_workers_are_down_open_alerts_later(
    environment: FaultEnvironment,
) -> None:
    deadlines = order_deadlines(environment, "F11", count=60, due_in=6)
    sending = environment.send(release_messages(deadlines), rate=200)
    sending.finish()
    environment.checker.wait_until_processed()
    for name in ("beat", "worker"):
        environment.installation.kill(name)
    time.sleep(max(0.0, (max(deadlines.values()) - environment.now()).total_seconds() + 1))
    for name in ("worker", "beat"):
        environment.installation.restart(name)
    assert_alerts(environment, "F11", deadlines)
    wait_until(
        lambda: environment.checker.query(NOTIFICATIONS, ["F11-%"])[0][1] == len(deadlines),
        seconds=60,
        what="all notifications are sent",
    )
    assert environment.checker.query(NOTIFICATIONS, ["F11-%"]) == [(1, len(deadlines))]
    assert environment.settle(sending).violations == []


def test_f12_two_schedulers_and_three_workers_open_each_alert_once(
    environment: FaultEnvironment,
) -> None:
    for name in ("beat-2", "worker-2", "worker-3"):
        environment.installation.add(name)
    deadlines = order_deadlines(environment, "F12", count=60, due_in=8)
    sending = environment.send(release_messages(deadlines), rate=200)
    assert_alerts(environment, "F12", deadlines)
    assert environment.settle(sending).violations == []


def test_f28_signatures_are_accepted_when_the_application_clock_jumps_an_hour(
    environment: FaultEnvironment,
) -> None:
    """Signatures are valid for five minutes by the clock of the database."""
    clock = environment.folder / "clock"
    clock.write_text("0")
    for name in ("worker", "web"):
        environment.installation.kill(name)
        environment.installation.add(name, FAULT_CLOCK=str(clock))
    try:
        messages = environment.order_messages("F28", count=200)
        sending = environment.send(messages, rate=40)
        for share, shift in ((0.2, 3600), (0.4, -3600), (0.6, 0), (0.8, 3600)):
            sending.wait_for_fraction(share)
            clock.write_text(str(shift))
        verdict = environment.settle(sending)
        # No message was rejected with 401.
        assert verdict.violations == []
    finally:
        for name in ("worker", "web"):
            environment.installation.remove(name)
            environment.installation.add(name)


def test_f29_hosts_with_different_clocks_open_each_alert_once(
    environment: FaultEnvironment,
) -> None:
    ahead, behind = environment.folder / "ahead", environment.folder / "behind"
    ahead.write_text("90")
    behind.write_text("-90")
    for clock in (ahead, behind):
        environment.installation.add(f"worker-{clock.name}", FAULT_CLOCK=str(clock))
        environment.installation.add(f"beat-{clock.name}", FAULT_CLOCK=str(clock))
    deadlines = order_deadlines(environment, "F29", count=40, due_in=8)
    sending = environment.send(release_messages(deadlines), rate=200)
    rows = assert_alerts(environment, "F29", deadlines)
    assert all(opened >= due for _, due, opened, *_ in rows)
    assert environment.settle(sending).violations == []


def test_clock_shim_shifts_the_clock(environment: FaultEnvironment, tmp_path: Path) -> None:
    """Without this, the two tests above would prove nothing."""
    clock = tmp_path / "clock"
    clock.write_text("3600")
    output = environment.installation.run_python(
        "import time, datetime; print(time.time(), datetime.datetime.now().timestamp())",
        FAULT_CLOCK=str(clock),
    )
    for timestamp in output.split():
        assert 3590 < float(timestamp) - time.time() < 3610
