"""Load the scopes of people: which orders they see."""

from collections.abc import Iterable

from django.contrib.auth.models import User

from visibility.db.data_scope import DataScope
from visibility.models import PersonScope


def load_group_names_and_scope(user_id: int) -> tuple[set[str], DataScope | None]:
    """The groups of a user, and the scope. One statement."""
    rows = list(
        User.objects.filter(pk=user_id).values_list(
            "groups__name",
            "order_scope__channels",
            "order_scope__warehouses",
            "order_scope__customers",
        )
    )
    scopes = [_scope(user_id, *values) for _, *values in rows if values[0] is not None]
    return {name for name, *_ in rows if name is not None}, scopes[0] if scopes else None


def load_scopes(user_ids: Iterable[int]) -> dict[int, DataScope]:
    """The scopes of those of these people who have one. One statement."""
    rows = PersonScope.objects.filter(user__in=set(user_ids))
    return {
        row.user_id: _scope(row.user_id, row.channels, row.warehouses, row.customers)
        for row in rows
    }


def load_scope(user_id: int) -> DataScope | None:
    """The scope of one person; None: all orders. One statement."""
    return load_scopes([user_id]).get(user_id)


def _scope(
    user_id: int, channels: list[str], warehouses: list[str], customers: list[str]
) -> DataScope:
    return DataScope(user_id, tuple(channels), tuple(warehouses), tuple(customers))
