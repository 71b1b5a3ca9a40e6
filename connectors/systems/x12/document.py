"""A transaction set with its partner, its dates and its lines in the words of X12."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk import timestamps
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Identifier,
    Line,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
)
from connectors.sdk.payload import PayloadError, Reason, number
from connectors.sdk.x12 import Segment, TransactionSet
from connectors.systems.x12.elements import clock, day, mark, readable
from connectors.systems.x12.partner_settings import Profile

# Sets that a distributor sends: without the setting `own`, their partner is the receiver.
SENT = frozenset({"180", "810", "855", "856", "865", "940", "943"})
# CTT01 counts these segments.
COUNTED = {"850": "PO1", "855": "PO1", "856": "HL", "860": "POC", "810": "IT1"}
# REF01 and N901 of a tracking number (2I) and of the carrier's reference, PRO or parcel (CN).
PARCEL_REFERENCES = frozenset({"2I", "CN"})
ABSENT = Segment("", ())


@dataclass(frozen=True, slots=True)
class Document:
    """One transaction set of one source."""

    set: TransactionSet
    profile: Profile

    def first(self, tag: str) -> Segment:
        """The first segment with this tag; an empty one where there is none."""
        return next((s for s in self.set.segments if s.tag == tag), ABSENT)

    def head(self, until: str) -> tuple[Segment, ...]:
        """The segments before the first `until`."""
        tags = [s.tag for s in self.set.segments]
        return self.set.segments[: tags.index(until) if until in tags else len(tags)]

    def loops(self, tag: str, ends: Iterable[str] = ("CTT",)) -> list[tuple[Segment, ...]]:
        """The loops that begin with `tag`; the detail is over at the first of `ends`."""
        found: list[list[Segment]] = []
        over = frozenset(ends)
        for segment in self.set.segments:
            if segment.tag == tag:
                found.append([segment])
            elif segment.tag in over and found:
                break
            elif found:
                found[-1].append(segment)
        return [tuple(loop) for loop in found]

    def path(self, element: str) -> str:
        """Where an element of this set stands, for a person."""
        return f"{self.set.path} {element}"

    @property
    def sender(self) -> str:
        """The sender's interchange id, of a file without ISA its application code."""
        return self._id(6, 2)

    @property
    def receiver(self) -> str:
        """The receiver's interchange id, of a file without ISA its application code."""
        return self._id(8, 3)

    def _id(self, in_header: int, in_group: int) -> str:
        if self.set.header is not None:
            return self.set.header[in_header]
        return self.set.group[in_group] if self.set.group is not None else ""

    @property
    def sent(self) -> bool:
        """Whether it is a document of ours to the partner."""
        if (self.sender in self.profile.own) != (self.receiver in self.profile.own):
            return self.sender in self.profile.own
        return self.set.code in SENT

    @property
    def partner(self) -> str:
        """The interchange id of the other company."""
        return (self.receiver if self.sent else self.sender) or self.profile.partner

    @property
    def customer(self) -> str:
        """The partner's customer number, where the settings know it."""
        return self.profile.customers.get(self.partner, "")

    @property
    def issuer(self) -> str:
        """Whose numbers the sender's own are: ours, or the partner's."""
        return self.profile.source if self.sent else self.partner or self.profile.source

    @property
    def revision(self) -> str:
        """Sortable: when the group was made, and the control numbers."""
        group, header = self.set.group or ABSENT, self.set.header or ABSENT
        made = f"{readable(group[4]) or '0000-00-00'} {clock(group[5]) or '00:00:00'}"
        return f"{made} {header[13]:0>9}/{group[6]:0>9}/{self.set.control:0>9}"

    @property
    def findings(self) -> tuple[str, ...]:
        """What of the envelope and of CTT01 does not agree."""
        counted, said = COUNTED.get(self.set.code), self.first("CTT")[1]
        count = sum(s.tag == counted for s in self.set.segments)
        if not said or counted is None or said.lstrip("0") == str(count):
            return self.set.findings
        return (*self.set.findings, f"CTT01 says {said[:20]!r}, found {count} {counted}")

    def moment(self, text: str, element: str, time: str = "") -> timestamps.Moment | None:
        """The document's day; its time of day is `time`, else that of a group of the same day.

        Without any date it is the group's date and time; None where there is no group either.
        """
        group = self.set.group or ABSENT
        if not text:
            if not group[4]:
                return None
            text, element, time = group[4], "GS04", group[5]
        path = self.path(element)
        written = day(text, path)
        if not clock(time) and group[4] and readable(group[4]) == written:
            time = group[5]
        if clock(time):
            return timestamps.instant(f"{written}T{clock(time)}", path, self.profile.zone)
        return timestamps.on_date(written, path, self.profile.zone)

    def dated(
        self, segments: Iterable[Segment], wanted: Mapping[str, Attribute]
    ) -> dict[Attribute, str]:
        """Dates of DTM and G62 by their qualifier; one that can't be read is told as a detail."""
        found: dict[Attribute, str] = {}
        for segment in segments:
            name = wanted.get(segment[1]) if segment.tag in {"DTM", "G62"} else None
            if name is None or not segment[2] or name in found:
                continue
            written = readable(segment[2])
            # 99991231 and 00010101 are ways to leave a date open.
            if "1900" < written < "2100":
                found[name] = written
            else:
                said = f"{segment.tag}*{segment[1]}*{segment[2]}"
                found[Attribute.DETAIL] = f"{said[:60]} is not a date"
        return found

    def named(self, segments: Iterable[Segment], *roles: str) -> str:
        """The name of the first of these parties that has one; where none has, its code."""
        found = [s for s in segments if s.tag == "N1"]
        told = ((role, at) for at in (2, 4) for role in roles)
        return next((s[at] for role, at in told for s in found if s[1] == role and s[at]), "")

    def order(self, po: str, *more: Identifier) -> Ref | None:
        """The order by the customer's number of it; it is scoped by the partner."""
        issuer = self.customer or self.partner
        identifiers = [*more]
        if identifying(po):
            identifiers.insert(
                0, Identifier(Scheme.CUSTOMER_PO, identifying(po), issuer, strong=bool(issuer))
            )
        return Ref(ObjectKind.ORDER, tuple(identifiers)) if identifiers else None

    def need_order(self, po: str, element: str, *more: Identifier) -> Ref:
        """The order by the customer's number of it, or the set is parked."""
        found = self.order(po, *more)
        if found is None:
            raise PayloadError(Reason.REFERENCE, self.path(element), f"{po!r} names no order")
        return found

    def seller(self, number: str) -> tuple[Identifier, ...]:
        """The seller's number of the order (BAK08, REF*VN); it joins if a setting says whose."""
        if not identifying(number):
            return ()
        scheme, issuer = self.profile.seller_order or (Scheme.ORDER_NUMBER, self.issuer)
        strong = self.profile.seller_order is not None
        return (Identifier(scheme, identifying(number), issuer, strong=strong),)

    def packages(self, segments: Iterable[Segment]) -> Ref | None:
        """The package that these segments mark: its SSCC and its tracking number."""
        found: list[Identifier] = []
        for segment in segments:
            if segment.tag == "MAN":
                marks = [(segment[1], segment[2]), (segment[4], segment[5])]
            elif segment.tag in {"REF", "N9"} and segment[1] in PARCEL_REFERENCES:
                marks = [("CP", segment[2])]
            else:
                continue
            found += [known for q, v in marks if (known := mark(q, v)) and known not in found]
        return Ref(ObjectKind.PACKAGE, tuple(found)) if found else None

    def sku(self, segment: Segment, start: int, end: int = 99) -> str:
        """The item number: pairs of qualifier and number from `start` on, blanks before them."""
        at, pairs = start, dict[str, str]()
        while at < min(end, len(segment.elements)):
            if segment[at]:
                pairs.setdefault(segment[at], segment[at + 1])
            at += 2 if segment[at] else 1
        preferred = (pairs[q] for q in self.profile.sku_qualifiers if pairs.get(q))
        return next(preferred, next(iter(pairs.values()), ""))

    def quantity(self, text: str, element: str) -> Decimal | None:
        """A quantity; None for a blank one. A total is never negative."""
        if not text:
            return None
        found = number(text, self.path(element))
        if found < 0:
            raise PayloadError(Reason.QUANTITY, self.path(element), f"{found} is negative")
        return found

    def money(self, text: str, element: str) -> Decimal | None:
        """An exact amount or price; None for a blank one."""
        return number(text, self.path(element)) if text else None

    def event(
        self,
        event_type: EventType,
        fact: str,
        *,
        at: timestamps.Moment | None,
        objects: Iterable[Ref | None],
        lines: Iterable[Line] = (),
        part: str = "",
        attributes: Mapping[Attribute, str] | None = None,
        raw_type: str = "",
    ) -> CanonicalEvent:
        """One thing this set says. The key names set, partner and fact: re-sent, it is the same."""
        told = {name: text for name, text in (attributes or {}).items() if text}
        flags = list(at.flags) if at else []
        if self.findings:
            flags.append(Flag.ENVELOPE)
            details = (told.get(Attribute.DETAIL, ""), *self.findings)
            told[Attribute.DETAIL] = "; ".join(filter(None, details))
        if any("\ufffd" in element for s in self.set.segments for element in s.elements):
            flags.append(Flag.SANITISED)
        return CanonicalEvent(
            type=event_type,
            key=" ".join(filter(None, (self.set.code, self.partner, fact))),
            occurred_at=at.at if at else None,
            objects=tuple(ref for ref in objects if ref is not None),
            lines=tuple(lines),
            part=part,
            attributes=told,
            revision=self.revision,
            raw_type=raw_type,
            flags=tuple(flags),
        )
