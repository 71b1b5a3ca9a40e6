"""Run functions of the product on one database in a child process.

Each request is a line {"do": name, ...}, each response one line of JSON.
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

from tests.processes.faults.installation import ROOT

SOURCES = {
    "shop": "standard_webhooks",
    "erp": "standard_webhooks",
    "wms": "cloudevents",
    "carrier": "cloudevents",
    "finance": "standard_webhooks",
}
ROLES = {"wms": "wms", "carrier": "carrier", "erp": "erp", "finance": "finance"}
SECRET = "a-secret-of-the-faults-of-more-than-24-bytes"


class ProductProcess:
    """The parent's side: starts the child process and calls its functions."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.faults.product_process"],
            cwd=ROOT,
            env={**environment, "FAULT_CLOCK": "", "DATABASE_POOL": "2", "LOG_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, function: str, **more: Any) -> Any:
        """Call a function and return its result. Raises AssertionError if it fails."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": function, **more}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(
            self._process.stdout.readline() or '{"error": "the process has exited"}'
        )
        if "error" in answer:
            raise AssertionError(f"{function}() failed in the child process: {answer['error']}")
        return answer["answer"]

    def close(self) -> None:
        """End the child process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


def setup(within: float) -> dict[str, int]:
    """Create five signed sources, one SLA rule without business hours, and a subscriber."""
    from django.contrib.auth.models import User

    from tests.builders.sla_rules import always_open, create_rule
    from visibility.db.database_time import database_now
    from visibility.ingest import add_source_and_rotate_secret
    from visibility.models import Source, Subscription

    for slug, connector in SOURCES.items():
        created = add_source_and_rotate_secret.add_source(
            slug,
            connector=connector,
            config={"order_number": "sales_order@erp"},
            secret=SECRET,
            now=database_now(),
        )
        created.source.role = ROLES.get(slug, created.source.role)
        # No alert about a silent source.
        created.source.expect_every = None
        created.source.save()
    rule = create_rule(always_open(), params={"within": within})
    person = User.objects.create_superuser("faults", password=None)
    Subscription.objects.create(user=person, address="faults@example.test", rule=rule)
    return {source.slug: source.pk for source in Source.objects.all()}


def session() -> str:
    """The session cookie of a signed-in user."""
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


def dump_state(as_of: str, path: str) -> str:
    """Write the canonical dump and return its SHA-256."""
    from visibility.operations.canonical_dump import dump_lines as lines

    digest = hashlib.sha256()
    with Path(path).open("wb") as file:
        for line in lines(as_of=datetime.fromisoformat(as_of)):
            file.write(line + b"\n")
            digest.update(line + b"\n")
    return digest.hexdigest()


def invariants() -> list[str]:
    """The violations that `manage.py check_invariants` reports."""
    from visibility.operations.invariants import CHECKS

    return [sentence for check in CHECKS.values() for sentence in check()]


def replay(path: str) -> int:
    """Store the messages of a file in order, with their times of receipt, and process them."""
    from django.db import connection

    from connectors.sdk.webhook_and_poll_types import WebhookRequest
    from visibility.ingest import insert_messages
    from visibility.ingest.message_of_request import build_message_to_store
    from visibility.models import Source
    from visibility.pipeline.job_functions import (
        enqueue_due_refolds_and_update_due_alerts,
        process_messages_and_refold,
    )
    from visibility.web.intake.source_cache import IntakeSource

    doors = {
        s.slug: IntakeSource(s.pk, s.slug, s.build_connector(), []) for s in Source.objects.all()
    }
    count = 0
    for chunk in _chunks(Path(path)):
        arrivals = []
        for row in chunk:
            door, body = doors[row["slug"]], base64.b64decode(row["body"])
            request = WebhookRequest("POST", f"/hooks/{row['slug']}", {}, row["headers"], body)
            key = door.connector.dedupe_key(request)
            arrivals.append(build_message_to_store(door.source_id, door.connector, key, request))
        stored = insert_messages.store_messages(arrivals)
        numbers = [k.message_id for k in stored]
        times = [row["received_at"] for row in chunk]
        with connection.cursor() as cursor:
            for table, key in (
                ("inbound_message", "id"),
                ("message_body", "message_id"),
                ("messagekey", "message_id"),
            ):
                cursor.execute(
                    f"UPDATE visibility_{table} m SET received_at = t.at "  # noqa: S608
                    f"FROM unnest(%s::bigint[], %s::timestamptz[]) AS t (id, at) "
                    f"WHERE m.{key} = t.id",
                    [numbers, times],
                )
        count += sum(k.is_new for k in stored)
        process_messages_and_refold()
    while enqueue_due_refolds_and_update_due_alerts():
        pass
    return count


def catch_up() -> int:
    """Evaluate all due clocks and fold all requested orders now."""
    from visibility.pipeline.job_functions import (
        enqueue_due_refolds_and_update_due_alerts,
        process_messages_and_refold,
    )

    return process_messages_and_refold() + enqueue_due_refolds_and_update_due_alerts()


def now() -> str:
    """The current time of the database."""
    from visibility.db.database_time import database_now

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


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    f.__name__: f for f in (setup, session, dump_state, invariants, replay, catch_up, now)
}


def main() -> None:
    """Serve requests until stdin ends."""
    import django

    django.setup()
    from django.db import close_old_connections

    out = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            close_old_connections()
            answer = {"answer": FUNCTIONS[request.pop("do")](**request)}
        except Exception as error:  # reported to the parent process
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
