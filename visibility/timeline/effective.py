"""What was said, put in order: the tellings that count, the list people read, names and numbers."""

from collections.abc import Sequence
from datetime import datetime

from connectors.sdk.connector import Role
from connectors.sdk.events import Attribute, EventType, Flag, Scheme
from visibility.timeline.authority import BELIEVED
from visibility.timeline.claims import Claim
from visibility.timeline.interpretation import of_others
from visibility.timeline.lines import rounded
from visibility.timeline.model import Entry, Spoken
from visibility.timeline.quantity_claims import ZERO
from visibility.timeline.quantity_ledger import Ledger
from visibility.timeline.source_states import Stands

# At one and the same instant, the trade's own order decides.
RANK = {event_type: rank for rank, event_type in enumerate(EventType)}
# States an order can be in, and be said to be in again.
STATES = frozenset(
    {
        EventType.ORDER_RECEIVED,
        EventType.ORDER_ACCEPTED,
        EventType.ORDER_HELD,
        EventType.ORDER_RELEASED,
        EventType.INVOICE_ISSUED,
    }
)
# These describe one event, not the order.
OF_ONE_EVENT = (Attribute.STATUS, Attribute.DETAIL, Attribute.REASON, Attribute.LOCATION)
TAKEN_IN_BY = (Role.SHOP, Role.EDI, Role.CRM, Role.ERP)


def order_of(spoken: Spoken) -> tuple[datetime, int, str, str, str]:
    """The sort key of a timeline: nothing in it depends on arrival."""
    event = spoken.event
    return (spoken.occurred_at, RANK[event.type], spoken.source, event.key, spoken.content_hash)


def effective(visible: Sequence[Spoken]) -> tuple[list[Spoken], list[Spoken]]:
    """Of several tellings of one fact the one that counts; the withdrawn ones apart; sorted."""
    best: dict[tuple[str, str], Spoken] = {}
    losers: dict[tuple[str, str, str], Spoken] = {}
    for spoken in sorted(visible, key=_heard_first, reverse=True):
        name = (spoken.source, spoken.event.key)
        rival = best.get(name)
        if rival is None or _version(spoken) > _version(rival):
            best[name], spoken = spoken, rival or spoken
        elif _version(spoken) == _version(rival):
            # The same telling heard again: a time we had to supply is the earliest one.
            best[name] = min(spoken, rival, key=_heard_first)
            continue
        if spoken is not best[name]:
            losers[(*name, spoken.content_hash)] = spoken
    withdrawn = {(s.source, k) for s in best.values() for k in s.event.corrects}
    heard = [s for name, s in best.items() if name not in withdrawn]
    superseded = [*losers.values(), *(s for name, s in best.items() if name in withdrawn)]
    return sorted(heard, key=order_of), sorted(superseded, key=order_of)


def _heard_first(spoken: Spoken) -> tuple[object, ...]:
    return (*order_of(spoken), spoken.received_at)


def _version(spoken: Spoken) -> tuple[str, str]:
    return (spoken.event.revision, spoken.content_hash)


def entries(heard: Sequence[Spoken], superseded: Sequence[Spoken]) -> tuple[Entry, ...]:
    """The list a person reads: the same state said again is counted on its first telling."""
    shown: list[tuple[Spoken, list[int], bool]] = []
    last: dict[tuple[str, str, tuple[str, ...]], tuple[object, list[int]]] = {}
    for spoken in heard:
        event = spoken.event
        said = (event.lines, tuple(sorted(event.attributes.items())), event.raw_type)
        place = (spoken.source, f"{event.type}/{event.part}", spoken.objects)
        previous = last.get(place)
        if previous and previous[0] == said and Flag.TIME_RECEIVED not in event.flags:
            previous[1][0] += 1
            continue
        count = [0]
        shown.append((spoken, count, previous is not None and event.type in STATES))
        last[place] = (said, count)
    found = [Entry(s, repeats=c[0], again=again) for s, c, again in shown]
    found += [Entry(s, superseded=True) for s in superseded]
    return tuple(sorted(found, key=lambda e: order_of(e.spoken)))


def attributes(heard: Sequence[Spoken]) -> dict[Attribute, str]:
    """Each attribute as the most believed source last gave it."""
    ours = [s for s in heard if s.event.attributes and not of_others(s)]
    found: dict[Attribute, str] = {}
    for role in BELIEVED:
        for spoken in ours:
            if spoken.role is role:
                found.update({n: t for n, t in spoken.event.attributes.items() if t})
    for name in OF_ONE_EVENT:
        found.pop(name, None)
    channel = next(
        (
            s.event.attributes[Attribute.CHANNEL]
            for role in TAKEN_IN_BY
            for s in ours
            if s.role is role and s.event.attributes.get(Attribute.CHANNEL)
        ),
        None,
    )
    if channel:  # where it was taken in, not where it was typed again
        found[Attribute.CHANNEL] = channel
    return found


def claims(heard: Sequence[Spoken], ledger: Ledger, stands: Stands) -> tuple[Claim, ...]:
    """What each source says of the order as a whole; its quantities as far as they add up."""
    by_source: dict[str, list[Spoken]] = {}
    for spoken in heard:
        by_source.setdefault(spoken.source, []).append(spoken)
    found, goods = [], ledger.reading.goods
    for source, own in sorted(by_source.items()):
        quantities = {}
        for measure, column in ledger.columns.items():
            told = [
                figure if goods[key].scale == 1 else rounded(figure / goods[key].scale)
                for key, cell in column.items()
                if (figure := cell.figures.get(source)) is not None
            ]
            if told:
                quantities[measure] = sum(told, ZERO)
        found.append(
            Claim(
                source=source,
                role=own[-1].role,
                word=_word(own),
                at=own[-1].occurred_at,
                quantities=quantities,
                last_received_at=max(s.received_at for s in own),
                stands=stands.word(source),
                promised=_last(own, Attribute.PROMISED_AT),
            )
        )
    return tuple(found)


def _word(own: Sequence[Spoken]) -> str:
    return _last(own, Attribute.STATUS) or own[-1].event.type.value


def _last(own: Sequence[Spoken], name: Attribute) -> str:
    return next((w for s in reversed(own) if (w := s.event.attributes.get(name))), "")


def numbers(heard: Sequence[Spoken]) -> dict[str, str]:
    """The order's own numbers, "scheme:issuer" -> the number as it was written."""
    found: dict[str, str] = {}
    for spoken in heard:
        if spoken.order >= 0:
            for i in spoken.event.objects[spoken.order].identifiers:
                if not i.strong and i.scheme is not Scheme.CUSTOMER_PO:
                    continue  # another's word for it finds the order, and does not name it
                found.setdefault(f"{i.scheme.value}:{i.issuer}", i.value)
    return found


def currencies(heard: Sequence[Spoken], own: str) -> tuple[str, ...]:
    """What sources name beside the order's own currency."""
    told = {s.event.attributes.get(Attribute.CURRENCY, "").strip().upper() for s in heard}
    return tuple(sorted(told - {"", own.strip().upper()}))
