"""Facts about the segments of a transaction set as a whole: digest, count and characters."""

import hashlib

from connectors.sdk.x12_interchanges import TransactionSet

# The segments that CTT01 counts.
COUNTED_SEGMENTS = {"850": "PO1", "855": "PO1", "856": "HL", "860": "POC", "810": "IT1"}


def content_digest(transaction_set: TransactionSet) -> str:
    """Return 12 hexadecimal digits that only another copy of the same content has.

    ST, SE and the envelopes are no content: a copy has other control numbers.
    """
    text = "\n".join("\t".join((s.tag, *s.elements)) for s in transaction_set.segments)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def ctt01_line_count_finding(transaction_set: TransactionSet) -> str:
    """Return how CTT01, the number of line items, differs from the lines; "" if it does not."""
    counted = COUNTED_SEGMENTS.get(transaction_set.code)
    reported = next((s[1] for s in transaction_set.segments if s.tag == "CTT"), "")
    count = sum(s.tag == counted for s in transaction_set.segments)
    if not reported or counted is None or (reported.lstrip("0") or "0") == str(count):
        return ""
    return f"CTT01 is {reported[:20]!r}, expected '{count}' ({counted} segments)"


def has_replaced_characters(transaction_set: TransactionSet) -> bool:
    """Whether an element has U+FFFD, which replaces what PostgreSQL cannot store."""
    return any("\ufffd" in element for s in transaction_set.segments for element in s.elements)
