"""The keyset condition in PostgreSQL: ties, nulls and both directions."""

from datetime import UTC, datetime

import pytest

from visibility.db.keyset import condition_for_rows_after_sort_key
from visibility.models import BusinessObject, Order

AT = datetime(2026, 3, 7, tzinfo=UTC)
LATER = datetime(2026, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize("keys", [("-last_event_at", "-pk"), ("-last_event_at", "pk")])
def test_rows_after_each_row_are_the_following_rows(db: None, keys: tuple[str, str]) -> None:
    for index, at in enumerate((None, AT, LATER, AT, None, LATER, None)):
        row = BusinessObject.objects.create(kind="order")
        Order.objects.create(object=row, key=f"N-{index}", number=f"N-{index}", last_event_at=at)
    rows = list(Order.objects.order_by(*keys))
    for index, order in enumerate(rows):
        following = Order.objects.filter(
            condition_for_rows_after_sort_key(keys, [order.last_event_at, order.pk])
        )
        assert list(following.order_by(*keys)) == rows[index + 1 :]
