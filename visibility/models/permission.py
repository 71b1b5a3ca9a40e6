"""The permissions that roles grant; `visibility/web/permissions.py` has the roles."""

from enum import StrEnum


class Permission(StrEnum):
    """A permission that roles grant."""

    ORDERS = "orders"  # search and open orders
    ORDERS_NOTE = "orders_note"  # write notes on orders
    ORDERS_SHARE = "orders_share"  # create and revoke tracking links for customers
    CONTACTS = "contacts"
    PRICES = "prices"
    BOARDS = "boards"
    BOARDS_EDIT = "boards_edit"
    KPIS = "kpis"
    KPIS_NOTE = "kpis_note"  # write notes on KPI charts
    ALERTS_SEE = "alerts_see"
    ALERTS_NOTE = "alerts_note"
    ALERTS_MANAGE = "alerts_manage"  # acknowledge, snooze, assign
    ALERTS_RESOLVE = "alerts_resolve"
    EXPORT = "export"  # download event logs
    MESSAGE_BODIES = "message_bodies"  # read message bodies; audited
    SOURCES_SEE = "sources_see"
    SOURCES_EDIT = "sources_edit"
    PARKED_SEE = "parked_see"
    PARKED_REPLAY = "parked_replay"
    MATCHING_SEE = "matching_see"
    MATCHING_EDIT = "matching_edit"  # merge, split, mark different, undo
    MAPPINGS_SEE = "mappings_see"
    MAPPINGS_EDIT = "mappings_edit"
    RULES_SEE = "rules_see"
    RULES_EDIT = "rules_edit"
    SUBSCRIPTIONS_SEE = "subscriptions_see"
    SUBSCRIPTIONS_EDIT = "subscriptions_edit"  # also sends test messages
    ADMINISTER = "administer"
