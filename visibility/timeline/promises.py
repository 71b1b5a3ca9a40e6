"""The promise ledger: what was asked for, what was promised first, and who moved it to when."""

from collections.abc import Iterable, Iterator

from connectors.sdk.events import Attribute
from visibility.timeline.authority import CARRIERS
from visibility.timeline.claims import Promise
from visibility.timeline.model import Spoken, moment

REQUESTED, FIRST, MOVED = "requested", "first", "moved"


def promises(heard: Iterable[Spoken]) -> Iterator[Promise]:
    """Every word that changed when the goods are expected, in the order they were said.

    A source that repeats its own date, or that comes to agree with the last one said, moves
    nothing.
    """
    asked: dict[str, str] = {}
    given: dict[str, str] = {}
    current = last_asked = ""
    for spoken in heard:
        if spoken.role in CARRIERS:
            continue
        texts = spoken.event.attributes
        text = texts.get(Attribute.REQUESTED_AT, "")
        if text and asked.get(spoken.source) != text:
            asked[spoken.source] = text
            if text[:10] != last_asked[:10]:
                yield _said(spoken, REQUESTED, text, last_asked)
                last_asked = text
        text = texts.get(Attribute.PROMISED_AT, "")
        if text and given.get(spoken.source) != text:
            given[spoken.source] = text
            if text[:10] != current[:10]:
                yield _said(spoken, MOVED if current else FIRST, text, current)
                current = text


def _said(spoken: Spoken, kind: str, text: str, old: str) -> Promise:
    return Promise(
        kind=kind,
        source=spoken.source,
        role=spoken.role,
        said_at=spoken.occurred_at,
        date=moment(text) or spoken.occurred_at,
        old=moment(old),
        reason=spoken.event.attributes.get(Attribute.REASON, ""),
    )
