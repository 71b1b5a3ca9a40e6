"""A view of a real PostgreSQL database is polled over TCP: nothing is lost, nothing is written."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from connectors.catalog import connectors_by_slug
from connectors.sdk.encode_json import encode_json
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.sql_poller import json_value
from connectors.sdk.sql_rows import DatabaseAddress, RowQuery
from tests.builders.tcp_to_socket import postgresql_over_tcp
from tests.product import database_url
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import add_source, change_settings
from visibility.models import Cursor, Event, InboundMessage, MessageState, Order, Source
from visibility.outbound.sql_rows import DatabaseRows
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
MANIFEST = """
connector: legacy_erp
version: 1
title: Legacy ERP
role: erp
description: Order lines of a view.
settings:
  host: {{help: The database server.}}
  port: {{help: Its port., type: integer, default: "5432"}}
  database: {{help: The name of the database.}}
  user: {{help: An account that can only read the view.}}
receive:
  sql:
    every: 1 min
    database:
      kind: postgresql
      host: "{{$host}}"
      port: "{{$port}}"
      name: "{{$database}}"
      user: "{{$user}}"
      password: "{{$secret}}"
    view: legacy.order_lines
    watermark: changed_at
    key: [order_no, line_no]
    {group}
    size: "{size}"
    overlap: 10 min
read: {{format: json}}
order: {{numbers: [{{scheme: sales_order, value: order_no}}]}}
lines: {{each: rows, line_id: line_no, sku: item}}
events:
  - type: order.received
    key: "order {{order_no}}"
    at: {{value: ordered_at, offset: included}}
    lines: {{ordered: qty}}
examples:
  - {{text: '{{"order_no": "1", "ordered_at": "2026-03-02T10:00:00Z"}}', gives: [order.received]}}
"""


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    with postgresql_over_tcp() as number:
        settings.OUTGOING_ALLOWED = [f"127.0.0.1:{number}"]
        yield number


@pytest.fixture
def legacy() -> Iterator[psycopg.Connection[Any]]:
    """The legacy database: a table, a view of it, and an account that can only read the view."""
    with psycopg.connect(database_url(), autocommit=True) as admin:
        admin.execute(
            "DROP SCHEMA IF EXISTS legacy CASCADE; CREATE SCHEMA legacy;"
            "CREATE TABLE legacy.lines (order_no text, line_no int, item text, qty numeric(12, 3),"
            " ordered_at timestamptz, changed_at timestamptz, PRIMARY KEY (order_no, line_no));"
            "CREATE VIEW legacy.order_lines AS SELECT * FROM legacy.lines"
        )
        yield admin
        admin.execute("DROP SCHEMA legacy CASCADE")


def connect(
    port: int, monkeypatch: pytest.MonkeyPatch, *, group: bool = True, size: int = 3
) -> None:
    text = MANIFEST.format(group="group: order_no" if group else "", size=size)
    kind = make_connector_class_of_manifest(parse_manifest(text), Path("legacy_erp.yaml"))
    known = {**connectors_by_slug(), "legacy_erp": kind}
    for module in (
        "visibility.ingest.add_source_and_rotate_secret",
        "visibility.models.sources_and_messages",
    ):
        monkeypatch.setattr(f"{module}.connectors_by_slug", lambda: known)
    d = connection.settings_dict
    config = {"host": "127.0.0.1", "port": str(port), "database": d["NAME"], "user": d["USER"]}
    add_source("erp", connector="legacy_erp", config=config, secret=password(), now=database_now())


def password() -> str:
    return str(connection.settings_dict["PASSWORD"])


def add(
    legacy: psycopg.Connection[Any], order: str, line: int, minutes: float, qty: str = "1"
) -> None:
    changed = AT + timedelta(minutes=minutes)
    legacy.execute(
        "INSERT INTO legacy.lines VALUES (%s, %s, 'A-1', %s, %s, %s) ON CONFLICT"
        " (order_no, line_no) DO UPDATE SET qty = excluded.qty, changed_at = excluded.changed_at",
        [order, line, qty, AT, changed],
    )


def poll() -> Source:
    Source.objects.update(next_poll_at=database_now() - timedelta(minutes=1))
    now = database_now()
    (claimed,) = polling.claim_due_polls(now, limit=1, slow_limit=1)
    polling.poll_source(claimed, now=now)
    job_functions.process_messages_and_refold()
    return Source.objects.get()


def bodies() -> list[dict[str, Any]]:
    return [json.loads(m.body) for m in InboundMessage.objects.order_by("id")]


def test_every_order_of_the_view_is_read_with_all_its_lines(
    port: int, legacy: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # More rows with one time than a page has, and orders whose lines are on several pages.
    for number in range(5):
        for line in (1, 2):
            add(legacy, f"SO-{number}", line, 0, qty="2.500")
    connect(port, monkeypatch)
    row = poll()
    assert row.poll_error == ""
    assert {order.number for order in Order.objects.all()} == {f"SO-{n}" for n in range(5)}
    assert all(len(body["rows"]) == 2 for body in bodies())
    assert bodies()[0]["order_no"] == "SO-0"
    assert not InboundMessage.objects.exclude(state=MessageState.APPLIED).exists()
    assert all(
        event.data["lines"][0]["quantities"]["ordered"] == "2.5" for event in Event.objects.all()
    )
    before = InboundMessage.objects.count()
    poll()
    assert InboundMessage.objects.count() == before, "the overlap repeats rows, not messages"

    # One line of one order changes: the message has the other line as well.
    add(legacy, "SO-3", 2, 30, qty="4")
    poll()
    changed = bodies()[-1]
    assert [line["line_no"] for line in changed["rows"]] == [1, 2]
    assert changed["rows"][1]["qty"] == 4


def test_a_row_whose_transaction_was_committed_late_is_read(
    port: int, legacy: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(port, monkeypatch, group=False)
    with psycopg.connect(database_url()) as slow:
        add(slow, "SO-LATE", 1, 1)
        add(legacy, "SO-1", 1, 5)
        poll()
        assert [b["order_no"] for b in bodies()] == ["SO-1"]
        slow.commit()
    poll()
    assert [b["order_no"] for b in bodies()] == ["SO-1", "SO-LATE"]


def test_rows_that_change_between_pages_hide_no_others(
    port: int, legacy: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        add(legacy, f"SO-{number}", 1, number)
    connect(port, monkeypatch, group=False, size=2)
    read = DatabaseRows.read
    pages = []

    def change_then_read(rows: DatabaseRows, query: RowQuery) -> Any:
        page_rows = read(rows, query)
        pages.append(len(page_rows))
        if len(pages) == 1:  # rows of the first page move to the end
            add(legacy, "SO-0", 1, 50, qty="9")
            add(legacy, "SO-1", 1, 51, qty="9")
        return page_rows

    monkeypatch.setattr(DatabaseRows, "read", change_then_read)
    poll()
    assert {b["order_no"] for b in bodies()} == {f"SO-{n}" for n in range(6)}
    assert [b["qty"] for b in bodies() if b["order_no"] == "SO-0"] == [1, 9]
    assert len(pages) == 5


def test_a_round_continues_after_the_last_stored_page(
    port: int, legacy: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        add(legacy, f"SO-{number}", 1, 0)
    connect(port, monkeypatch, group=False, size=2)
    monkeypatch.setattr(polling, "MAX_PAGES", 2)
    poll()
    assert len(bodies()) == 4
    assert json.loads(Cursor.objects.get().value)["after"]
    poll()
    assert [b["order_no"] for b in bodies()] == [f"SO-{n}" for n in range(7)]


def test_nothing_can_be_written_and_failures_do_not_show_the_password(
    port: int,
    legacy: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    # A view with a function that writes: the transaction refuses it.
    legacy.execute(
        "CREATE FUNCTION legacy.write() RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO legacy.lines VALUES ('X', 1, 'A', 1, now(), now()); RETURN 1; END $$;"
        "CREATE OR REPLACE VIEW legacy.order_lines AS"
        " SELECT *, legacy.write() AS w FROM legacy.lines"
    )
    add(legacy, "SO-1", 1, 0)
    connect(port, monkeypatch, group=False)
    row = poll()
    assert "read-only transaction" in row.poll_error
    assert legacy.execute("SELECT count(*) FROM legacy.lines").fetchone() == (1,)
    assert Cursor.objects.get().value == ""

    change_settings(row, {"user": "nobody_here"}, now=database_now())
    row = poll()
    assert "nobody_here" in row.poll_error
    assert password() not in row.poll_error

    settings.OUTGOING_ALLOWED = []
    row = poll()
    assert "an administrator must allow" in row.poll_error


def test_a_statement_that_takes_too_long_is_ended(
    port: int, legacy: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visibility.outbound.sql_rows.STATEMENT_SECONDS", 0.3)
    legacy.execute(
        "CREATE OR REPLACE VIEW legacy.order_lines AS SELECT lines.*, pg_sleep(20)::text AS w"
        " FROM legacy.lines"
    )
    add(legacy, "SO-1", 1, 0)
    connect(port, monkeypatch, group=False)
    assert "statement timeout" in poll().poll_error


def test_values_of_every_type_are_written_as_json(
    port: int, legacy: psycopg.Connection[Any]
) -> None:
    legacy.execute(
        "CREATE VIEW legacy.types AS SELECT 1 AS id, 12345678901234567890 AS big,"
        " 0.10::numeric AS n,"
        " 'x'::bytea AS b, date '2026-03-02' AS d, timestamp '2026-03-02 10:00' AS t,"
        " true AS yes, NULL::text AS nothing"
    )
    d = connection.settings_dict
    address = DatabaseAddress("postgresql", "127.0.0.1", port, d["NAME"], d["USER"], password())
    with DatabaseRows() as rows:
        (row,) = rows.read(RowQuery(address, "legacy.types", ("id",), 10))

    assert encode_json(json_value(row)) == (
        b'{"id":1,"big":12345678901234567890,"n":0.10,"b":"78","d":"2026-03-02",'
        b'"t":"2026-03-02T10:00:00","yes":true,"nothing":null}'
    )
