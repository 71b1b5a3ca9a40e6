"""All lists with sort orders, columns, saved views and exports, by their code."""

from collections.abc import Mapping

from visibility.screens.alerts.alert_columns import ALERT_LIST
from visibility.screens.identity.unmatched_columns import UNMATCHED_LIST
from visibility.screens.lists.list_definition import ListDefinition
from visibility.screens.messages.message_columns import MESSAGE_LIST
from visibility.screens.orders.order_columns import ORDER_LIST

LISTS: Mapping[str, ListDefinition] = {
    definition.code: definition
    for definition in (ORDER_LIST, ALERT_LIST, MESSAGE_LIST, UNMATCHED_LIST)
}
