"""A few messages are linked and refolded in one transaction, unless others work on the order."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, transaction

from tests.builders.identity import (
    SourceMessage,
    create_sources,
    process_messages,
    source_message,
)
from visibility.models import InboundMessage, Order, RefoldRequest
from visibility.models.objects_and_identifiers import BusinessObject
from visibility.pipeline import job_functions
from visibility.projection import fold_and_write_orders
from visibility.storage import lock_order_families
from visibility.storage.lock_order_families import lock_all_order_families_or_none

pytestmark = pytest.mark.django_db(transaction=True)
LINES = [{"line_id": "1", "sku": "A", "ordered": 5}]
SHIPPED = source_message(
    "wms",
    "shipment.confirmed",
    1,
    order="SO-1",
    shipment={"number": "S1"},
    part="S1",
    tracking="1Z001",
    lines=[{"line_id": "1", "sku": "A", "shipped": 5}],
)
DELIVERED = source_message("carrier", "shipment.delivered", 2, tracking="1Z001")


@pytest.fixture(autouse=True)
def shipped_order() -> None:
    create_sources()
    process_messages(
        [source_message("erp", "order.received", 0, order="SO-1", lines=LINES), SHIPPED]
    )
    assert not RefoldRequest.objects.exists()


@contextmanager
def key_share_lock(kind: str) -> Iterator[None]:
    """Another transaction that works on an object, as one that links an event to it."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT FROM visibility_businessobject WHERE kind = %s FOR KEY SHARE NOWAIT", [kind]
            )
        yield
    finally:
        other.rollback()
        other.close()


def _process_without_refold_job(message: SourceMessage) -> None:
    process_messages([message], fold=False)
    job_functions.parse_and_correlate_waiting_messages()
    assert not InboundMessage.objects.exclude(state="applied").exists()


def test_order_is_refolded_in_the_transaction_of_its_message() -> None:
    _process_without_refold_job(DELIVERED)
    assert not RefoldRequest.objects.exists()
    assert Order.objects.get().status == "delivered"


@pytest.mark.parametrize("kind", ["order", "shipment", "package"])
def test_refold_waits_for_the_queue_while_another_transaction_works_on_the_order(kind: str) -> None:
    with key_share_lock(kind):
        _process_without_refold_job(DELIVERED)
    assert RefoldRequest.objects.exists()
    assert Order.objects.get().status != "delivered"
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert Order.objects.get().status == "delivered"


@pytest.mark.parametrize("kind", ["order", "shipment", "package"])
def test_no_other_transaction_links_to_a_locked_family(kind: str) -> None:
    package = BusinessObject.objects.get(kind="package")
    with transaction.atomic():
        assert lock_all_order_families_or_none([package.pk]) is not None
        with pytest.raises(OperationalError), key_share_lock(kind):
            pass


def test_order_with_too_many_events_is_left_to_the_queue() -> None:
    Order.objects.update(event_count=lock_order_families.MAX_EVENTS + 1)
    _process_without_refold_job(DELIVERED)
    assert RefoldRequest.objects.exists()


def test_failed_refold_leaves_the_message_applied_and_the_order_to_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(fold_and_write_orders, "fold_and_write_orders", fail)
    _process_without_refold_job(DELIVERED)
    assert RefoldRequest.objects.exists()
    monkeypatch.undo()
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert Order.objects.get().status == "delivered"


def test_object_without_an_order_needs_no_refold() -> None:
    _process_without_refold_job(
        source_message("carrier", "shipment.delivered", 2, tracking="1Z999")
    )
    assert not RefoldRequest.objects.exists()
    process_messages(
        [source_message("wms", "shipment.confirmed", 1, order="SO-1", part="S2", tracking="1Z999")]
    )
    assert BusinessObject.objects.filter(kind="package").count() == 2
