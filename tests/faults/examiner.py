"""Looks into one database with the product's own eyes: a child process that is asked by lines.

Each line is {"do": name, ...}; each answer one line of JSON.
"""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.faults.installation import ROOT

SOURCES = {
    "shop": "standard_webhooks",
    "erp": "standard_webhooks",
    "wms": "cloudevents",
    "carrier": "cloudevents",
    "finance": "standard_webhooks",
}
ROLES = {"wms": "wms", "carrier": "carrier", "erp": "erp", "finance": "finance"}
SECRET = "a-secret-of-the-faults-of-more-than-24-bytes"


class Examiner:
    """The caller's end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.examiner"],
            cwd=ROOT,
            env={**environment, "FAULT_CLOCK": "", "DATABASE_POOL": "2", "LOG_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **more: Any) -> Any:
        """One question; its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "it has ended"}')
        if "error" in answer:
            raise AssertionError(f"the examiner failed at {do}: {answer['error']}")
        return answer["answer"]

    def close(self) -> None:
        """No more questions."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


def setup(within: float) -> dict[str, int]:
    """Five signed sources, one rule with everlasting hours, somebody who is told."""
    from django.contrib.auth.models import User

    from tests.rules import promise
    from visibility.db.clock import database_now
    from visibility.ingest import source_setup
    from visibility.models import Source, Subscription, WorkCalendar
    from visibility.sla.calendar import DAYS

    for slug, connector in SOURCES.items():
        made = source_setup.add(
            slug,
            connector=connector,
            config={"order_number": "sales_order@erp"},
            secret=SECRET,
            now=database_now(),
        )
        made.source.role = ROLES.get(slug, made.source.role)
        # Its silence would be an alert of its own, and no fault of ours.
        made.source.expect_every = None
        made.source.save()
    hours = {day: [["00:00", "24:00"]] for day in DAYS}
    calendar = WorkCalendar.objects.create(code="always", title="Always", hours=hours)
    rule = promise(calendar, params={"within": within})
    person = User.objects.create_superuser("faults", password=None)
    Subscription.objects.create(user=person, address="faults@example.test", rule=rule)
    return {source.slug: source.pk for source in Source.objects.all()}


def session() -> str:
    """The cookie of somebody who is signed in."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    person = User.objects.get(username="faults")
    store = SessionStore()
    store[SESSION_KEY] = str(person.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = person.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def facts(as_of: str, path: str) -> str:
    """Write the canonical export; its SHA-256."""
    from visibility.operations.canonical_dump import facts as lines

    digest = hashlib.sha256()
    with Path(path).open("wb") as file:
        for line in lines(as_of=datetime.fromisoformat(as_of)):
            file.write(line + b"\n")
            digest.update(line + b"\n")
    return digest.hexdigest()


def invariants() -> list[str]:
    """What `manage.py check_invariants` would say."""
    from visibility.operations.invariants import CHECKS

    return [sentence for check in CHECKS.values() for sentence in check()]


def told(path: str) -> int:
    """Keep the messages of a file in its order, as received when it says; process them all."""
    from django.db import connection

    from connectors.sdk.connector import Request
    from visibility.ingest import inbox
    from visibility.models import Source
    from visibility.pipeline.stages import advance, sweep_once
    from visibility.web.intake.sources import Door
    from visibility.web.intake.webhooks import arrival

    doors = {s.slug: Door(s.pk, s.slug, s.system(), []) for s in Source.objects.all()}
    count = 0
    for some in _chunks(Path(path)):
        arrivals = []
        for row in some:
            door, body = doors[row["slug"]], base64.b64decode(row["body"])
            request = Request("POST", f"/hooks/{row['slug']}", {}, row["headers"], body)
            key = door.connector.dedupe_key(request)
            arrivals.append(arrival(door, key, request))
        kept = inbox.keep(arrivals)
        numbers = [k.message_id for k in kept]
        times = [row["received_at"] for row in some]
        with connection.cursor() as cursor:
            for table, key in (("inbound_message", "id"), ("messagekey", "message_id")):
                cursor.execute(
                    f"UPDATE visibility_{table} m SET received_at = t.at "  # noqa: S608
                    f"FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (id, at) "
                    f"WHERE m.{key} = t.id",
                    [numbers, times],
                )
        count += sum(k.new for k in kept)
        advance()
    while sweep_once():
        pass
    return count


def catch_up() -> int:
    """Judge whatever is due and fold whatever was touched, here and now."""
    from visibility.pipeline.stages import advance, sweep_once

    return advance() + sweep_once()


def now() -> str:
    """The database's time."""
    from visibility.db.clock import database_now

    return database_now().isoformat()


def _chunks(path: Path) -> Iterable[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with path.open() as file:
        for line in file:
            rows.append(json.loads(line))
            if len(rows) == 1000:
                yield rows
                rows = []
    if rows:
        yield rows


ACTS: Mapping[str, Callable[..., Any]] = {
    f.__name__: f for f in (setup, session, facts, invariants, told, catch_up, now)
}


def main() -> None:
    """Answer until there are no more questions."""
    import django

    django.setup()
    from django.db import close_old_connections

    out = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        try:
            close_old_connections()
            answer = {"answer": ACTS[question.pop("do")](**question)}
        except Exception as error:  # the asker decides
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
