"""Limit what the database shows to the orders of one person, for the current request or block.

`limited_to()` only notes the scope for the current context. The database backend
(`visibility/db/scoped_postgresql`) applies it to each connection before its next statement.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

# Each dimension of a scope, and its column of the order.
DIMENSIONS = {"channels": "channel", "warehouses": "warehouse", "customers": "customer_no"}


@dataclass(frozen=True, slots=True)
class DataScope:
    """The orders that a person sees: those with one of the values of each dimension.

    An empty dimension does not limit.
    """

    user_id: int
    channels: tuple[str, ...] = ()
    warehouses: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()

    def covers(self, order: Mapping[str, Any]) -> bool:
        """Whether an order with these values, by column, is in the scope."""
        return all(
            not values or order[DIMENSIONS[name]] in values
            for name, values in self.by_dimension().items()
        )

    def by_dimension(self) -> dict[str, tuple[str, ...]]:
        """The values of each of DIMENSIONS."""
        return {name: getattr(self, name) for name in DIMENSIONS}

    def describe(self) -> str:
        """The limits in words, such as "channel b2b; warehouses DAL and HOU"."""
        return "; ".join(
            f"{name.removesuffix('s') if len(values) == 1 else name} {_join(values)}"
            for name, values in self.by_dimension().items()
            if values
        )


_active: ContextVar[DataScope | None] = ContextVar("data_scope", default=None)


def active_scope() -> DataScope | None:
    """The scope of the current context; None: all rows."""
    return _active.get()


def set_active_scope(scope: DataScope | None) -> None:
    """Limit the rest of a block that `limited_to` began: an API token names its owner late."""
    _active.set(scope)


@contextmanager
def limited_to(scope: DataScope | None) -> Iterator[None]:
    """Limit the statements of a block to a scope. None: all rows, also inside a limited block."""
    before = _active.get()
    _active.set(scope)
    try:
        yield
    finally:
        _active.set(before)


def _join(values: tuple[str, ...]) -> str:
    if len(values) < 2:
        return "".join(values)
    return f"{', '.join(values[:-1])} and {values[-1]}"
