"""The amount of a refund."""

from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Attribute
from connectors.sdk.payload import Node


def refund_amount_attributes(refund: Node) -> dict[Attribute, str]:
    """The money that went back: the sum of the successful refund transactions, and its currency.

    Empty if there is none yet, or if the transactions are in several currencies.
    """
    amounts: dict[str, Decimal] = {}
    for transaction in refund.list_at("transactions"):
        is_done = transaction.text_at("kind") == "refund"
        is_done &= transaction.text_at("status") == "success"
        amount = transaction.decimal_at("amount")
        if is_done and amount is not None:
            currency = transaction.text_at("currency")
            amounts[currency] = amounts.get(currency, Decimal(0)) + amount
    if len(amounts) != 1:
        return {}
    ((currency, total),) = amounts.items()
    return {Attribute.TOTAL: format_decimal(total), Attribute.CURRENCY: currency}
