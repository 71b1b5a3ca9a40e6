"""Check the guarantees after a fault: nothing lost, nothing stored twice, same derived state."""

import base64
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from tests.processes.faults.installation import FaultInstallation
from tests.processes.faults.order_messages import FaultMessage
from tests.processes.faults.product_process import ProductProcess
from tests.processes.faults.senders import SenderLog

PENDING_COUNTS = """
SELECT (SELECT count(*) FROM visibility_inbound_message WHERE state = 'waiting'),
    (SELECT count(*) FROM visibility_refoldrequest WHERE due_at <= clock_timestamp()),
    (SELECT count(*) FROM visibility_slaclock WHERE state = 'running' AND stopped_at IS NULL
        AND due_at < clock_timestamp())
"""
# Message counts by source: received = applied + parked + waiting.
MESSAGE_COUNTS = """
SELECT s.slug, count(k.id), coalesce(sum(k.duplicate_count), 0),
    (SELECT count(*) FILTER (WHERE m.state = 'applied') FROM visibility_inbound_message m
        WHERE m.source_id = s.id),
    (SELECT count(*) FILTER (WHERE m.state = 'parked') FROM visibility_inbound_message m
        WHERE m.source_id = s.id),
    (SELECT count(*) FILTER (WHERE m.state = 'waiting') FROM visibility_inbound_message m
        WHERE m.source_id = s.id)
FROM visibility_source s LEFT JOIN visibility_messagekey k ON k.source_id = s.id
GROUP BY s.id, s.slug
"""
RECEIVED = """
SELECT s.slug, m.id, m.received_at, b.body, m.reason FROM visibility_inbound_message m
JOIN visibility_source s ON s.id = m.source_id
JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
"""
# Superseded versions are not compared: whether they were parsed depends on the order of arrival.
EVENTS = "SELECT count(*) FROM visibility_event WHERE NOT superseded"
# Withdrawn alerts are not compared: whether they were opened depends on the order of arrival.
ALERTS = """
SELECT i.value, r.code, a.subject_key, a.due_at, count(*), min(a.state)
FROM visibility_alert a JOIN visibility_slarule r ON r.id = a.rule_id
JOIN visibility_identifier i
    ON i.object_id = a.order_id AND i.scheme = 'sales_order' AND i.is_identity
WHERE a.state <> 'withdrawn' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
ALERTS_WITHOUT_NOTIFICATION = """
SELECT count(*) FROM visibility_alert a WHERE a.state = 'open' AND a.rule_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM visibility_notification n WHERE n.alert_id = a.id
    AND n.episode = a.episode)
"""


@dataclass
class CheckResult:
    """The result of a check; `broken` is empty if every guarantee holds."""

    accepted: int = 0
    lost: int = 0
    stored_twice: int = 0
    identical: bool = False
    violations: list[str] = field(default_factory=list)


class GuaranteeChecker:
    """Compares the installation under test with a reference that got the same messages in order."""

    def __init__(self, installation: FaultInstallation, *, reference: str) -> None:
        self.installation, self.cluster = installation, installation.cluster
        self.reference = reference
        environment = installation.environment
        self.under_test = ProductProcess(environment)
        self.reference_process = ProductProcess(
            {
                **environment,
                "DATABASE_URL": self.cluster.url(reference),
                "REDIS_PREFIX": f"tl-{reference}",
            }
        )
        self._before: dict[str, tuple[int, int]] = {}
        self._given_up = 0

    def close(self) -> None:
        """End both child processes."""
        self.under_test.close()
        self.reference_process.close()

    def query(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Query the database under test."""
        return self.cluster.query(self.installation.database, query, parameters)

    def wait_until_processed(self, *, seconds: float = 60) -> None:
        """Wait until no message is waiting and no order must be folded."""
        deadline = time.monotonic() + seconds
        while any(self.query(PENDING_COUNTS)[0][:2]):
            assert time.monotonic() < deadline, "messages are waiting or orders must be folded"
            time.sleep(0.1)

    def wait_until_idle(self, *, seconds: float = 60) -> float:
        """Wait until nothing is waiting, to be folded or due; return the seconds this took."""
        started = time.monotonic()
        counts: tuple[Any, ...] = ()
        while time.monotonic() - started < seconds:
            self.installation.restart_exited()
            with suppress(psycopg.OperationalError):
                counts = self.query(PENDING_COUNTS)[0]
                if not any(counts):
                    return time.monotonic() - started
            time.sleep(0.2)
        worker = next(name for name in self.installation.processes if name.startswith("worker"))
        raise AssertionError(
            f"after {seconds} s (waiting, to fold, due): {counts}\n{self.installation.log(worker)}"
        )

    def check(
        self, messages: Sequence[FaultMessage], responses: SenderLog, *, given_up: int = 0
    ) -> CheckResult:
        """Send the same messages in order to the reference installation and compare.

        `given_up` is the number of messages that were parked because they crash their worker.
        """
        verdict = CheckResult(accepted=len(responses.accepted))
        rows = self.query(RECEIVED)
        received = {(slug, bytes(body)): at for slug, _, at, body, _ in rows}
        ids = {str(row[1]) for row in rows}
        self._check_messages(verdict, messages, responses, received, ids, rows)
        self._check_counts(verdict, responses)
        self._compare(verdict, messages, received)
        crashed = sum(row[4] == "crash" for row in rows) - self._given_up
        self._given_up += crashed
        if crashed != given_up:
            verdict.violations.append(f"{crashed} messages were parked after crashes")
        verdict.violations += self.under_test.call("invariants")
        return verdict

    def _check_messages(
        self,
        verdict: CheckResult,
        messages: Sequence[FaultMessage],
        responses: SenderLog,
        received: dict[tuple[str, bytes], datetime],
        ids: set[str],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        lost = [m.identity for m in messages if (m.slug, m.body) not in received]
        lost += [number for number in responses.accepted.values() if number not in ids]
        verdict.lost, verdict.stored_twice = (
            len(lost),
            len(rows) - len(received) + len(responses.stored_twice),
        )
        if verdict.lost:
            verdict.violations.append(f"lost: {lost[:5]}")
        if verdict.stored_twice:
            verdict.violations.append(f"stored twice: {verdict.stored_twice}")
        unexpected = {
            status: n for status, n in responses.rejected.items() if status not in {429, 503}
        }
        if unexpected:
            verdict.violations.append(f"unexpected response statuses: {unexpected}")

    def _check_counts(self, verdict: CheckResult, responses: SenderLog) -> None:
        """I4: received = applied + duplicate + parked + waiting, and matches the responses."""
        received, before = 0, sum(k + r for k, r in self._before.values())
        for slug, keys, repeats, applied, parked, waiting in self.query(MESSAGE_COUNTS):
            if keys != applied + parked + waiting:
                verdict.violations.append(
                    f"{slug}: {keys} stored, {applied} applied, {parked} parked, {waiting} waiting"
                )
            self._before[slug] = (keys, int(repeats))
            received += keys + int(repeats)
        answered = sum(responses.accepted_statuses.values())
        # 503 is also returned if the outcome of the commit is unknown.
        unknown = responses.unanswered + responses.rejected[503]
        if not answered <= received - before <= answered + unknown:
            verdict.violations.append(
                f"{received - before} counted, {answered} accepted, {unknown} unknown"
            )

    def _compare(
        self,
        verdict: CheckResult,
        messages: Sequence[FaultMessage],
        received: dict[tuple[str, bytes], datetime],
    ) -> None:
        now = self.under_test.call("now")
        folder = self.installation.folder
        with (folder / "messages.jsonl").open("w") as file:
            for message in messages:
                at = received.get((message.slug, message.body))
                row = {
                    "slug": message.slug,
                    "headers": dict(message.headers(at or datetime.fromisoformat(now))),
                    "body": base64.b64encode(message.body).decode(),
                    "received_at": (at or datetime.fromisoformat(now)).isoformat(),
                }
                file.write(json.dumps(row) + "\n")
        self.reference_process.call("replay", path=str(folder / "messages.jsonl"))
        self.under_test.call("catch_up")
        self._compare_state(verdict, now)
        self._compare_rows(verdict)

    def _compare_state(self, verdict: CheckResult, now: str) -> None:
        actual, expected = (self.installation.folder / f"state.{n}" for n in ("actual", "expected"))
        digests = {
            self.under_test.call("dump_state", as_of=now, path=str(actual)),
            self.reference_process.call("dump_state", as_of=now, path=str(expected)),
        }
        verdict.identical = len(digests) == 1
        if not verdict.identical:
            verdict.violations.append(f"derived state differs:\n{difference(actual, expected)}")

    def _compare_rows(self, verdict: CheckResult) -> None:
        for what, query in (("events", EVENTS), ("alerts", ALERTS)):
            actual, expected = self.query(query), self.cluster.query(self.reference, query)
            if actual != expected:
                sides = [
                    sorted(map(str, set(a) - set(b)))
                    for a, b in ((actual, expected), (expected, actual))
                ]
                extra = [f"{len(side)} {side[:3]}" for side in sides]
                verdict.violations.append(
                    f"{what} differ: unexpected {extra[0]}, missing {extra[1]}"
                )
        unsent = self.query(ALERTS_WITHOUT_NOTIFICATION)[0][0]
        if unsent:
            verdict.violations.append(f"{unsent} open alerts have no notification")


def difference(actual: Path, expected: Path) -> str:
    """The first lines that only one of the two dumps contains."""
    lines, reference = (set(path.read_text().splitlines()) for path in (actual, expected))
    return "\n".join(
        f"{label}: {line[:1500]}"
        for label, extra in (("actual", lines - reference), ("expected", reference - lines))
        for line in sorted(extra)[:2]
    )
