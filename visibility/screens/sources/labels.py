"""Words for what sources are and how they are."""

from enum import StrEnum

from connectors.sdk.connector import Role


class State(StrEnum):
    """A feed's state in one word, the worst first."""

    FAILING = "Failing"
    SILENT = "Silent"
    WAITING = "Waiting for first message"
    LIVE = "Live"
    PAUSED = "Paused"


TONES = {
    State.FAILING: "late",
    State.SILENT: "unknown",
    State.WAITING: "waiting",
    State.LIVE: "ok",
    State.PAUSED: "waiting",
}
ROLES = {
    Role.SHOP: "shop",
    Role.EDI: "EDI",
    Role.CRM: "CRM",
    Role.ERP: "ERP",
    Role.WMS: "WMS",
    Role.THIRD_PARTY_LOGISTICS: "3PL",
    Role.CARRIER: "carrier",
    Role.FINANCE: "finance",
    Role.OTHER: "other",
}
REFUSED_WORDS = {
    400: "with headers that can't be read",
    401: "with a signature that does not fit",
    404: "at an address that does not exist",
    405: "with the wrong method",
    413: "too large",
    415: "in an encoding we don't take",
    429: "over the rate it may send",
    503: "while the database was away",
}
