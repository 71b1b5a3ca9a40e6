"""Functional and implementation acknowledgments: 997 and 999."""

from collections.abc import Iterator

from connectors.systems.x12.document import X12Document

# AK501 and AK901. All other codes are rejections.
STATUS_TEXTS = {
    "A": "accepted",
    "E": "accepted with errors",
    "P": "partially accepted",
    "M": "rejected (message authentication)",
    "R": "rejected",
    "W": "rejected (assurance)",
    "X": "rejected (unreadable)",
}


def summarize_acknowledgment(doc: X12Document) -> str:
    """Summarize an acknowledgment: group, status, and each set that was not accepted.

    There is no event, because a control number identifies a document and not an order.
    """
    group = doc.first_segment("AK1")
    name = " ".join(filter(None, (group[1], group[2]))) or "without a number"
    status = _status_text(doc.first_segment("AK9")[1]) or "no group status"
    return "; ".join(
        (f"{doc.transaction_set.code} of group {name}: {status}", *_describe_sets_with_errors(doc))
    )


def _describe_sets_with_errors(doc: X12Document) -> Iterator[str]:
    set_name = ""
    for segment in doc.transaction_set.segments:
        if segment.tag == "AK2":
            set_name = f"set {segment[1]} {segment[2]}".strip()
        # A 999 ends a set with IK5, a 997 with AK5.
        elif segment.tag in {"AK5", "IK5"} and segment[1] != "A":
            yield f"{set_name} {_status_text(segment[1])}".strip()


def _status_text(code: str) -> str:
    return STATUS_TEXTS.get(code, code[:20])
