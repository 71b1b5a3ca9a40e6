"""The view that the page of Infor SX.e describes, in a real PostgreSQL database, is polled."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from connectors.catalog import connectors_by_slug
from connectors.sdk.events import IdentifierScheme
from tests.builders.tcp_to_socket import postgresql_over_tcp
from tests.product import database_url
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.models import (
    Identifier,
    InboundMessage,
    MessageState,
    Order,
    OrderLine,
    Source,
)
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db(transaction=True)
# The columns that the view reads, with the types of a copy of the SX.e database.
TABLES = """
CREATE TABLE oeeh (cono int, orderno int, ordersuf int, transtype text, stagecd int, approvty text,
  custno numeric, custpo text, whse text, shipviaty text, totinvord numeric, enterdt date,
  entertm text, reqshipdt date, promisedt date, pickeddt date, shipdt date, invoicedt date,
  paiddt date, canceldt date, transdt date, transtm text);
CREATE TABLE oeel (cono int, orderno int, ordersuf int, lineno int, shipprod text, unit text,
  price numeric, qtyord numeric, qtyship numeric, statustype text, botype text, bono int,
  specnstype text, returnfl int, transdt date, transtm text);
CREATE TABLE oeehp (cono int, orderno int, ordersuf int, pkgno int, trackerno text, transdt date,
  transtm text);
CREATE TABLE arsc (cono int, custno numeric, name text);
INSERT INTO arsc VALUES (1, 20450, 'Hartwell Electric');
"""


def example_view() -> str:
    """The statement of the setup steps."""
    setup = connectors_by_slug()["infor_sxe"].setup
    return setup[setup.index("CREATE VIEW") :]


@pytest.fixture
def erp(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with (
        postgresql_over_tcp() as port,
        psycopg.connect(database_url(), autocommit=True) as database,
    ):
        settings.OUTGOING_ALLOWED = [f"127.0.0.1:{port}"]
        database.execute("DROP SCHEMA IF EXISTS reporting CASCADE; CREATE SCHEMA reporting")
        database.execute("SET search_path TO reporting")
        database.execute(TABLES)
        database.execute(example_view())
        d = connection.settings_dict
        config = {"host": "127.0.0.1", "port": str(port), "database": d["NAME"], "user": d["USER"]}
        secret = str(d["PASSWORD"])
        add_source("sxe", connector="infor_sxe", config=config, secret=secret, now=database_now())
        yield database
        database.execute("DROP SCHEMA reporting CASCADE")


def write_document(
    erp: psycopg.Connection[Any],
    at: str,
    suffix: int,
    stage: int,
    *,
    ordered: int,
    ship: int,
    back_order: int = 0,
) -> None:
    """Write a document with one line, which changes at `at` (HHMM). `ship`: to ship, or shipped."""
    for table in ("oeeh", "oeel"):
        erp.execute(f"DELETE FROM {table} WHERE ordersuf = %s", [suffix])  # noqa: S608
    shipped = "CURRENT_DATE - 1" if stage in {3, 4, 5} else "NULL"
    invoiced = "CURRENT_DATE - 1" if stage in {4, 5} else "NULL"
    erp.execute(
        "INSERT INTO oeeh SELECT 1, 40811, %s, 'so', %s, 'y', 20450, 'HE-7719', 'CHI1', 'UPSG',"
        " 525, CURRENT_DATE - 3, '0914', CURRENT_DATE, CURRENT_DATE + 2,"
        f" CURRENT_DATE - 2, {shipped}, {invoiced}, NULL, NULL, CURRENT_DATE - 1, %s",
        [suffix, stage, at],
    )
    erp.execute(
        "INSERT INTO oeel VALUES (1, 40811, %s, 1, 'BRK-20A', 'EA', 8.75, %s, %s, 'a', 'y', %s,"
        " '', 0, CURRENT_DATE - 1, '')",
        [suffix, ordered, ship, back_order],
    )


def poll() -> None:
    Source.objects.update(next_poll_at=database_now() - timedelta(minutes=1))
    now = database_now()
    (claimed,) = polling.claim_due_polls(now, limit=1, slow_limit=1)
    polling.poll_source(claimed, now=now)
    job_functions.process_messages_and_refold()
    assert Source.objects.get().poll_error == ""
    assert not InboundMessage.objects.exclude(state=MessageState.APPLIED).exists()


def quantities() -> dict[str, int]:
    line = OrderLine.objects.get()
    names = ("ordered", "backordered", "shipped", "invoiced")
    return {name: int(getattr(line, name) or 0) for name in names}


def test_an_order_and_its_back_order_are_one_order_with_two_shipments(
    erp: psycopg.Connection[Any],
) -> None:
    write_document(erp, "0800", 0, 1, ordered=60, ship=40)
    poll()
    assert Order.objects.get().number == "40811"
    # The quantity to ship is only reserved.
    assert quantities() == {"ordered": 60, "backordered": 0, "shipped": 0, "invoiced": 0}

    write_document(erp, "0810", 0, 4, ordered=60, ship=40, back_order=1)
    erp.execute(
        "INSERT INTO oeehp VALUES (1, 40811, 0, 1, '1Z4E88W20311720016', CURRENT_DATE - 1, '0809')"
    )
    write_document(erp, "0811", 1, 1, ordered=20, ship=0)
    poll()
    assert quantities() == {"ordered": 60, "backordered": 20, "shipped": 40, "invoiced": 40}
    names = Identifier.objects.filter(scheme=IdentifierScheme.TRACKING)
    assert [name.value for name in names] == ["1Z4E88W20311720016"]

    write_document(erp, "0820", 1, 3, ordered=20, ship=20)
    poll()
    assert quantities() == {"ordered": 60, "backordered": 0, "shipped": 60, "invoiced": 40}

    # Unshipped, and shipped again with less.
    write_document(erp, "0830", 1, 2, ordered=20, ship=20)
    poll()
    assert quantities()["shipped"] == 40
    write_document(erp, "0840", 1, 3, ordered=20, ship=15)
    poll()
    assert quantities()["shipped"] == 55
    assert Order.objects.count() == 1

    before = InboundMessage.objects.count()
    poll()
    assert InboundMessage.objects.count() == before, "the overlap repeats rows, not messages"
