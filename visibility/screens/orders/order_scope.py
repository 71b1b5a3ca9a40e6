"""A part of the orders: of a warehouse, a sales channel, a customer group, or of several."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q

from visibility.formatting import sales_channel_label

MAX_VALUE_LENGTH = 100
# Parameter of the query string: column of the order.
COLUMNS = {"warehouse": "warehouse", "channel": "channel", "group": "customer_group"}
# The inbox calls the parameters like the columns: there, `group` is a group of alerts.
INBOX_PATH = "/alerts"
SCOPE_PARAMETERS_OF_INBOX = frozenset(COLUMNS.values())


@dataclass(frozen=True, slots=True)
class OrderScope:
    """Which orders count; an empty value means all."""

    warehouse: str = ""
    channel: str = ""
    group: str = ""

    @classmethod
    def from_query(cls, values: Mapping[str, Any]) -> "OrderScope":
        """Read the scope from a query string or a stored board; other names are ignored."""
        return cls(**{name: str(values.get(name) or "")[:MAX_VALUE_LENGTH] for name in COLUMNS})

    @classmethod
    def from_inbox_query(cls, values: Mapping[str, Any]) -> "OrderScope":
        """Read the scope from a query string of the inbox."""
        return cls.from_query({name: values.get(column) for name, column in COLUMNS.items()})

    def __bool__(self) -> bool:
        return bool(self.values)

    @property
    def values(self) -> dict[str, str]:
        """The values that are set, by parameter."""
        return {name: getattr(self, name) for name in COLUMNS if getattr(self, name)}

    @property
    def inbox_values(self) -> dict[str, str]:
        """The values that are set, by parameter of the inbox."""
        return {COLUMNS[name]: value for name, value in self.values.items()}

    @property
    def text(self) -> str:
        """`Dallas, EDI`; empty for all orders."""
        texts = (self.warehouse, sales_channel_label(self.channel), self.group)
        return ", ".join(filter(None, texts))

    def condition(self, prefix: str = "") -> Q:
        """The scope as a condition; `prefix` leads to the order."""
        return Q(**{f"{prefix}{COLUMNS[name]}": value for name, value in self.values.items()})

    def sql(self, alias: str) -> tuple[str, list[str]]:
        """The scope as ` AND o.warehouse = %s ...`, for the table of orders with this alias."""
        text = "".join(f" AND {alias}.{COLUMNS[name]} = %s" for name in self.values)
        return text, list(self.values.values())

    def link(self, href: str) -> str:
        """The address of a list, limited to this scope."""
        if not self:
            return href
        values = self.inbox_values if href.partition("?")[0] == INBOX_PATH else self.values
        return f"{href}{'&' if '?' in href else '?'}{urlencode(values)}"


ALL_ORDERS = OrderScope()
