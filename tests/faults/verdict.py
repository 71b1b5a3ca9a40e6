"""After a fault: was anything lost or doubled, and is it as if nothing had happened?"""

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

from tests.faults.examiner import Examiner
from tests.faults.installation import Installation
from tests.faults.sending import Heard
from tests.faults.story import Message

QUIET = """
SELECT (SELECT count(*) FROM visibility_inbound_message WHERE state = 'waiting'),
    (SELECT count(*) FROM visibility_refold WHERE touched_at <= clock_timestamp()),
    (SELECT count(*) FROM visibility_slaclock WHERE state = 'running' AND stopped_at IS NULL
        AND due_at < clock_timestamp())
"""
# Each source's ledger: what came = what became of it.
LEDGER = """
SELECT s.slug, count(k.id), coalesce(sum(k.repeats), 0),
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
SELECT s.slug, m.id, m.received_at, m.body, m.reason FROM visibility_inbound_message m
JOIN visibility_source s ON s.id = m.source_id
"""
# A version that lost to another may have been read before it or never: it counts for nothing.
EVENTS = "SELECT count(*) FROM visibility_event WHERE NOT withdrawn"
# Withdrawn ones were no breach; whether one was opened meanwhile depends on what came when.
ALERTS = """
SELECT i.value, r.code, a.obligation, a.due_at, count(*), min(a.state)
FROM visibility_alert a JOIN visibility_slarule r ON r.id = a.rule_id
JOIN visibility_identifier i ON i.object_id = a.order_id AND i.scheme = 'sales_order' AND i.strong
WHERE a.state <> 'withdrawn' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
UNTOLD = """
SELECT count(*) FROM visibility_alert a WHERE a.state = 'open' AND a.rule_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM visibility_notification n WHERE n.alert_id = a.id
    AND n.episode = a.episode)
"""


@dataclass
class Verdict:
    """What was found; `broken` is empty when every promise was kept."""

    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    identical: bool = False
    broken: list[str] = field(default_factory=list)


class Court:
    """The installation under test, and an undisturbed one that is told the same in order."""

    def __init__(self, installation: Installation, *, reference: str) -> None:
        self.installation, self.cluster = installation, installation.cluster
        self.reference = reference
        environment = installation.environment
        self.under_test = Examiner(environment)
        self.undisturbed = Examiner(
            {
                **environment,
                "DATABASE_URL": self.cluster.url(reference),
                "REDIS_PREFIX": f"tl-{reference}",
            }
        )
        self._before: dict[str, tuple[int, int]] = {}
        self._given_up = 0

    def close(self) -> None:
        """Both examiners go."""
        self.under_test.close()
        self.undisturbed.close()

    def ask(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Of the database under test."""
        return self.cluster.ask(self.installation.database, query, parameters)

    def quiet_but_due(self, *, seconds: float = 60) -> None:
        """Until nothing waits and nothing is to be folded."""
        until = time.monotonic() + seconds
        while any(self.ask(QUIET)[0][:2]):
            assert time.monotonic() < until, "messages wait or orders are to be folded"
            time.sleep(0.1)

    def quiet(self, *, seconds: float = 60) -> float:
        """Until nothing waits, nothing is to be folded, nothing is due; how long it took."""
        began = time.monotonic()
        found: tuple[Any, ...] = ()
        while time.monotonic() - began < seconds:
            self.installation.revive()
            with suppress(psycopg.OperationalError):
                found = self.ask(QUIET)[0]
                if not any(found):
                    return time.monotonic() - began
            time.sleep(0.2)
        worker = next(name for name in self.installation.processes if name.startswith("worker"))
        raise AssertionError(
            f"after {seconds} s waiting, touched, due: {found}\n{self.installation.log(worker)}"
        )

    def judge(self, messages: Sequence[Message], heard: Heard, *, given_up: int = 0) -> Verdict:
        """Tell the undisturbed installation the same, in order, and compare.

        `given_up`: so many messages killed whoever read them.
        """
        verdict = Verdict(accepted=len(heard.accepted))
        rows = self.ask(RECEIVED)
        kept = {(slug, bytes(body)): at for slug, _, at, body, _ in rows}
        ids = {str(row[1]) for row in rows}
        self._count(verdict, messages, heard, kept, ids, rows)
        self._balance(verdict, heard)
        self._compare(verdict, messages, kept)
        crashed = sum(row[4] in {"crash", "timeout"} for row in rows) - self._given_up
        self._given_up += crashed
        if crashed != given_up:
            verdict.broken.append(f"{crashed} messages were given up")
        verdict.broken += self.under_test.ask("invariants")
        return verdict

    def _count(
        self,
        verdict: Verdict,
        messages: Sequence[Message],
        heard: Heard,
        kept: dict[tuple[str, bytes], datetime],
        ids: set[str],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        gone = [m.identity for m in messages if (m.slug, m.body) not in kept]
        gone += [number for number in heard.accepted.values() if number not in ids]
        verdict.lost, verdict.doubled = len(gone), len(rows) - len(kept) + len(heard.doubled)
        if verdict.lost:
            verdict.broken.append(f"lost: {gone[:5]}")
        if verdict.doubled:
            verdict.broken.append(f"doubled: {verdict.doubled}")
        odd = {status: n for status, n in heard.refused.items() if status not in {429, 503}}
        if odd:
            verdict.broken.append(f"senders were told {odd}")

    def _balance(self, verdict: Verdict, heard: Heard) -> None:
        """I4 exactly: what came = applied + duplicate + parked + waiting, and what was answered."""
        came, before = 0, sum(k + r for k, r in self._before.values())
        for slug, keys, repeats, applied, parked, waiting in self.ask(LEDGER):
            if keys != applied + parked + waiting:
                verdict.broken.append(
                    f"{slug}: {keys} kept, {applied} applied, {parked} parked, {waiting} waiting"
                )
            self._before[slug] = (keys, int(repeats))
            came += keys + int(repeats)
        answered = sum(heard.answers.values())
        # Told 503 because nobody knew whether the commit had come through.
        unknown = heard.unanswered + heard.refused[503]
        if not answered <= came - before <= answered + unknown:
            verdict.broken.append(
                f"{came - before} were counted, {answered} answered, {unknown} unknown"
            )

    def _compare(
        self,
        verdict: Verdict,
        messages: Sequence[Message],
        kept: dict[tuple[str, bytes], datetime],
    ) -> None:
        now = self.under_test.ask("now")
        folder = self.installation.folder
        with (folder / "told.jsonl").open("w") as file:
            for message in messages:
                at = kept.get((message.slug, message.body))
                row = {
                    "slug": message.slug,
                    "headers": dict(message.headers(at or datetime.fromisoformat(now))),
                    "body": base64.b64encode(message.body).decode(),
                    "received_at": (at or datetime.fromisoformat(now)).isoformat(),
                }
                file.write(json.dumps(row) + "\n")
        self.undisturbed.ask("told", path=str(folder / "told.jsonl"))
        self.under_test.ask("catch_up")
        self._facts(verdict, now)
        self._rows(verdict)

    def _facts(self, verdict: Verdict, now: str) -> None:
        mine, theirs = (self.installation.folder / f"facts.{n}" for n in ("mine", "theirs"))
        digests = {
            self.under_test.ask("facts", as_of=now, path=str(mine)),
            self.undisturbed.ask("facts", as_of=now, path=str(theirs)),
        }
        verdict.identical = len(digests) == 1
        if not verdict.identical:
            verdict.broken.append(f"facts differ:\n{difference(mine, theirs)}")

    def _rows(self, verdict: Verdict) -> None:
        for what, query in (("events", EVENTS), ("alerts", ALERTS)):
            mine, theirs = self.ask(query), self.cluster.ask(self.reference, query)
            if mine != theirs:
                sides = [
                    sorted(map(str, set(a) - set(b))) for a, b in ((mine, theirs), (theirs, mine))
                ]
                told = [f"{len(side)} {side[:3]}" for side in sides]
                verdict.broken.append(f"{what} differ: mine {told[0]}, theirs {told[1]}")
        untold = self.ask(UNTOLD)[0][0]
        if untold:
            verdict.broken.append(f"{untold} open alerts have told nobody")


def difference(mine: Path, theirs: Path) -> str:
    """The first lines that only one of them has."""
    one, other = (set(path.read_text().splitlines()) for path in (mine, theirs))
    return "\n".join(
        f"{who}: {line[:1500]}"
        for who, lines in (("mine", one - other), ("theirs", other - one))
        for line in sorted(lines)[:2]
    )
