"""What a receiver says of the documents it was sent: 997 and 999."""

from collections.abc import Iterator

from connectors.systems.x12.document import Document

# AK501, AK901: whatever else is written there is a refusal.
WORDS = {
    "A": "accepted",
    "E": "accepted with errors",
    "P": "accepted in part",
    "M": "rejected (message authentication)",
    "R": "rejected",
    "W": "rejected (assurance)",
    "X": "rejected (unreadable)",
}


def acknowledged(doc: Document) -> str:
    """The sentence a person reads: which group, what of it, and each set that was not accepted.

    A control number names a document of ours, not an order, so there is no event to make.
    """
    group = doc.first("AK1")
    name = " ".join(filter(None, (group[1], group[2]))) or "without a number"
    answer = _word(doc.first("AK9")[1]) or "no answer for the group"
    return "; ".join((f"{doc.set.code} of group {name}: {answer}", *_refused(doc)))


def _refused(doc: Document) -> Iterator[str]:
    named = ""
    for segment in doc.set.segments:
        if segment.tag == "AK2":
            named = f"set {segment[1]} {segment[2]}".strip()
        # 999 closes a set by IK5.
        elif segment.tag in {"AK5", "IK5"} and segment[1] != "A":
            yield f"{named} {_word(segment[1])}".strip()


def _word(code: str) -> str:
    return WORDS.get(code, code[:20])
