"""Element 368, shipment/order status code (W1201, TD506): what happens to what was not shipped."""

# The rest is not shipped later.
CLOSED_CODES = {
    "CK": "cancelled from previous order",
    "CP": "partially shipped, balance not back-ordered",
    "CU": "line cancelled",
    "DE": "order deleted",
    "DI": "discontinued",
    "IC": "item cancelled",
}
# The rest is back-ordered.
BACKORDERED_CODES = {
    "BK": "back-ordered from previous order",
    "BM": "back-ordered, manufacturer out of stock",
    "BO": "back-ordered",
    "BP": "partially shipped, balance back-ordered",
}


def shortage_reason_of_status_code(code: str) -> str:
    """Return the reason of a shortage, such as `item cancelled (IC)` or `status DS`."""
    text = CLOSED_CODES.get(code) or BACKORDERED_CODES.get(code)
    return f"{text} ({code})" if text else f"status {code[:20]}"
