"""Access to an EDIFACT message: partner, references, dates, parties and item numbers."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from connectors.sdk import event_builder
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Flag,
    Measure,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError, parse_decimal
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.edifact.date_times import (
    estimate_text,
    iso_date_and_time,
    parse_dtm,
    time_of_interchange,
)
from connectors.systems.edifact.interchanges import EdifactMessage
from connectors.systems.edifact.segments import EdifactSegment
from connectors.systems.edifact.source_settings import EdifactSettings

# Messages that a distributor sends. Without the setting `own`, the partner is the receiver.
OUTBOUND_TYPES = frozenset({"ORDRSP", "DESADV", "INVOIC"})
EMPTY = EdifactSegment("", ())
Group = tuple[EdifactSegment, ...]


@dataclass(frozen=True, slots=True)
class EdifactDocument:
    """A message with the settings of its source.

    Readers add to `line_errors` what parks the message although the others of it are applied, and
    to `not_understood` what they pass over.
    """

    message: EdifactMessage
    settings: EdifactSettings
    line_errors: list[PayloadError] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)

    @property
    def segments(self) -> Group:
        """The segments between UNH and UNT."""
        return self.message.segments

    def first(self, tag: str, qualifier: str = "") -> EdifactSegment:
        """Return the first segment with this tag and qualifier, or an empty segment."""
        return first_segment(self.segments, tag, qualifier)

    @property
    def number(self) -> str:
        """The document number (BGM C106), "" for a placeholder. Before D.96B it is simple."""
        return blank_if_placeholder(self.first("BGM").text(2))

    @property
    def function(self) -> str:
        """The message function (BGM 1225), such as 9, original."""
        return self.first("BGM").text(3)

    def head(self, *group_tags: str) -> Group:
        """Return the segments before the first of these tags."""
        tags = [s.tag for s in self.segments]
        return self.segments[: min((tags.index(t) for t in group_tags if t in tags), default=None)]

    def groups(self, tag: str) -> list[Group]:
        """Return the segment groups that begin with `tag`, up to the summary (UNS+S)."""
        groups: list[list[EdifactSegment]] = []
        for segment in self.segments:
            if segment.tag == "UNS" and segment.text(1) == "S":
                break
            if segment.tag == tag:
                groups.append([segment])
            elif groups:
                groups[-1].append(segment)
        return [tuple(group) for group in groups]

    def path(self, name: str) -> str:
        """Return the path of a segment for error messages."""
        return f"{self.message.type_and_reference} {name}"

    @property
    def sender_id(self) -> str:
        """The interchange id of the sender (UNB S002), or that of the group."""
        return (self.message.header or self.message.group or EMPTY).text(2)

    @property
    def receiver_id(self) -> str:
        """The interchange id of the receiver (UNB S003), or that of the group."""
        return (self.message.header or self.message.group or EMPTY).text(3)

    @property
    def is_outbound(self) -> bool:
        """Whether this company sent the message to the partner."""
        own = self.settings.own_ids
        if (self.sender_id in own) != (self.receiver_id in own):
            return self.sender_id in own
        return self.message.type in OUTBOUND_TYPES

    @property
    def partner_id(self) -> str:
        """The interchange id of the other company, else the setting `partner`."""
        return (self.receiver_id if self.is_outbound else self.sender_id) or self.settings.partner

    @property
    def customer_number(self) -> str:
        """The customer number by the interchange id of the partner, else by its buyer's GLN."""
        buyer = self.first("NAD", "BY").text(2)
        customers = self.settings.customers
        return customers.get(self.partner_id, "") or customers.get(buyer, "")

    @property
    def issuer_of_sender_numbers(self) -> str:
        """The issuer of the sender's own numbers: this source or the sender."""
        if self.is_outbound:
            is_named = self.sender_id in self.settings.own_ids or not self.sender_id
            return self.settings.source if is_named else self.sender_id
        return self.partner_id or self.settings.source

    @property
    def issuer_of_receiver_numbers(self) -> str:
        """The issuer of the receiver's own numbers, as in the messages that it sends."""
        if self.is_outbound:
            return self.partner_id or self.settings.source
        is_named = self.receiver_id in self.settings.own_ids or not self.receiver_id
        return self.settings.source if is_named else self.receiver_id

    @property
    def content_digest(self) -> str:
        """12 hexadecimal digits that only another copy of the same content has."""
        text = "\n".join(f"{s.tag}{s.elements}" for s in self.segments)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def time_sent(self) -> ParsedTime | None:
        """When the group or interchange was prepared."""
        return time_of_interchange(self.message.header, self.message.group, self.settings.zone)

    def time_of(self, segments: Iterable[EdifactSegment], *qualifiers: str) -> ParsedTime | None:
        """Return the first of these dates that is sent, else when the message was sent."""
        for qualifier in qualifiers:
            dtm = first_segment(segments, "DTM", qualifier)
            if dtm.text(1, 2):
                return parse_dtm(dtm, self.path(f"DTM+{qualifier}"), self.settings.zone)
        return self.time_sent

    def dates(
        self, segments: Iterable[EdifactSegment], attributes: Mapping[str, Attribute]
    ) -> dict[Attribute, str]:
        """Return the dates by DTM qualifier; of several, the first in `attributes`.

        An expected delivery has its time; all others are dates. Invalid ones are reported.
        """
        by_name: dict[Attribute, str] = {}
        given = list(segments)
        for qualifier, name in attributes.items():
            dtm = first_segment(given, "DTM", qualifier)
            if not dtm.text(1, 2) or name in by_name:
                continue
            date = iso_date_and_time(dtm.text(1, 2), dtm.text(1, 3))[0]
            text = estimate_text(dtm, self.settings.zone) if name is Attribute.ETA else date
            if "1900" < date < "2100":
                by_name[name] = text
            else:
                value = dtm.text(1, 2)[:40]
                self.not_understood.append(f"DTM+{qualifier}:{value} is not a valid date")
        return by_name

    def party_name(self, *roles: str) -> str:
        """Return the name, else the code, of the first of these parties (NAD) that has one."""
        for component in ((4, 1), (3, 1), (2, 1)):
            for role in roles:
                name = self.first("NAD", role).text(*component)
                if name:
                    return name
        return ""

    def decimal(self, text: str, name: str) -> Decimal | None:
        """Return a number, or None if blank. The decimal mark of UNA and a point are read."""
        if not text:
            return None
        sign = self.message.decimal_sign
        plain = text.replace(",", ".") if sign == "," or "." not in text else text
        return parse_decimal(plain, self.path(name))

    def quantity(self, text: str, name: str) -> Decimal | None:
        """Return a quantity, or None if blank. Raises PayloadError if it is negative."""
        value = self.decimal(text, name)
        if value is not None and value < 0:
            raise PayloadError(ParkReason.QUANTITY, self.path(name), f"{value} is negative")
        return value

    @property
    def revision(self) -> str:
        """Sortable revision: when it was prepared, then the references."""
        sent = self.time_sent
        header = self.message.header or EMPTY
        created = f"{sent.time:%Y-%m-%d %H:%M}" if sent else "0000-00-00 00:00"
        return f"{created} {header.text(5)[:14]:0>14}/{self.message.reference:0>14}"

    def build_event(
        self,
        event_type: EventType,
        fact: str,
        *,
        time: ParsedTime | None,
        objects: Iterable[ObjectReference | None],
        lines: Iterable[EventLine] = (),
        scope: str = "",
        attributes: Mapping[Attribute, str] | None = None,
        raw_type: str = "",
        complete_measures: Iterable[Measure] = (),
    ) -> CanonicalEvent:
        """Create an event. Its key is message type, partner and fact, equal for a resent copy."""
        texts = dict(attributes or {})
        flags = []
        if self.message.findings:
            flags.append(Flag.ENVELOPE)
            details = (texts.get(Attribute.DETAIL, ""), *self.message.findings)
            texts[Attribute.DETAIL] = "; ".join(filter(None, details))
        if any(
            "\ufffd" in text
            for s in self.segments
            for components in s.elements
            for text in components
        ):
            flags.append(Flag.SANITIZED)
        names = (self.message.type, self.partner_id, fact)
        return event_builder.build_event(
            event_type,
            " ".join(filter(None, names)),
            time,
            *(ref for ref in objects if ref is not None),
            lines=lines,
            scope=scope,
            attributes=texts,
            revision=self.revision,
            raw_type=raw_type,
            flags=flags,
            complete_measures=complete_measures,
        )


def first_segment(
    segments: Iterable[EdifactSegment], tag: str, qualifier: str = ""
) -> EdifactSegment:
    """Return the first segment with this tag and qualifier, or an empty segment."""
    matching = (s for s in segments if s.tag == tag and (not qualifier or s.text(1) == qualifier))
    return next(matching, EMPTY)


def reference_numbers(segments: Sequence[EdifactSegment], *qualifiers: str) -> list[str]:
    """Return the RFF numbers with these qualifiers, in their order, without placeholders."""
    numbers = (
        blank_if_placeholder(s.text(1, 2))
        for q in qualifiers
        for s in segments
        if s.tag == "RFF" and s.text(1) == q
    )
    return list(dict.fromkeys(filter(None, numbers)))
