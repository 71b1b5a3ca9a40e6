"""Acknowledgments of files: functional (997), implementation (999) and interchange (TA1)."""

from collections.abc import Iterator

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.x12_segments import Segment
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


ACCEPTED_CODES = frozenset({"A", "E", "P"})
# AK502, element 718, why a set was rejected.
SET_ERRORS = {
    "1": "set not supported",
    "2": "set trailer missing",
    "3": "control numbers do not match",
    "4": "number of segments does not match",
    "5": "segments in error",
    "6": "invalid set identifier",
    "7": "invalid set control number",
}


def summarize_and_add_rejection_errors(doc: X12Document) -> str:
    """Summarize an acknowledgment: group, status, and each set that was not accepted.

    There is no event, because a control number identifies a document and not an order. A rejection
    is an error of the document: it parks the message, so that a person sends the set again.
    """
    group = doc.first_segment("AK1")
    name = " ".join(filter(None, (group[1], group[2]))) or "without a number"
    group_status = doc.first_segment("AK9")[1]
    status = _status_text(group_status) or "no group status"
    rejections = list(_rejections_of_sets(doc, name))
    if not rejections and group_status and group_status not in ACCEPTED_CODES:
        rejections = [
            _document_rejected_error(doc, "AK9", f"{doc.sender_id} rejected group {name}")
        ]
    doc.line_errors.extend(rejections)
    return "; ".join(
        (f"{doc.transaction_set.code} of group {name}: {status}", *_describe_sets_with_errors(doc))
    )


def summarize_ta1_or_raise_if_rejected(segment: Segment) -> str:
    """Summarize a TA1. Raises PayloadError if it rejects the interchange (TA104 = R).

    TA101 is the control number of the acknowledged interchange, TA105 the note code.
    """
    text = f"TA1 of interchange {segment[1]}: {_status_text(segment[4]) or 'no status'}"
    if segment[4] in ACCEPTED_CODES:
        return text
    raise PayloadError(ParkReason.DOCUMENT_REJECTED, "TA1", f"{text}, note {segment[5]}")


def _rejections_of_sets(doc: X12Document, group: str) -> Iterator[PayloadError]:
    acknowledged = Segment("", ())
    for segment in doc.transaction_set.segments:
        if segment.tag == "AK2":
            acknowledged = segment
        elif segment.tag in {"AK5", "IK5"} and segment[1] not in ACCEPTED_CODES:
            name = " ".join(filter(None, ("set", acknowledged[1], acknowledged[2])))
            reasons = [SET_ERRORS.get(code, code) for code in segment.elements[1:] if code]
            text = f"{doc.sender_id} rejected {name} of group {group}"
            yield _document_rejected_error(
                doc, segment.tag, ": ".join(filter(None, (text, ", ".join(reasons))))
            )


def _document_rejected_error(doc: X12Document, tag: str, detail: str) -> PayloadError:
    return PayloadError(ParkReason.DOCUMENT_REJECTED, doc.element_path(tag), detail[:200])


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
