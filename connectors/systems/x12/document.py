"""Access to a transaction set: partner, dates, parties, item numbers and quantities."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from connectors.sdk import event_builder, timestamps
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
from connectors.sdk.x12_interchanges import TransactionSet
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.content_digest_and_count_check import (
    content_digest,
    ctt01_line_count_finding,
    has_replaced_characters,
)
from connectors.systems.x12.document_times import time_sent
from connectors.systems.x12.elements import to_iso_date, to_iso_date_or_blank, to_iso_time_or_blank
from connectors.systems.x12.item_numbers import read_sku_by_preferred_qualifier
from connectors.systems.x12.source_settings import X12Settings

# Sets that a distributor sends. Without the setting `own`, the partner is the receiver.
OUTBOUND_SETS = frozenset({"180", "204", "810", "812", "855", "856", "865", "870", "940", "943"})
EMPTY_SEGMENT = Segment("", ())
# Turns the order of revisions around: the earliest one becomes the highest.
COMPLEMENT = str.maketrans("0123456789", "9876543210")


@dataclass(frozen=True, slots=True)
class X12Document:
    """A transaction set with the settings of its source.

    Readers add to `line_errors` what parks the message although the rest of the document is
    applied, and to `not_understood` what they pass over.
    """

    transaction_set: TransactionSet
    settings: X12Settings
    line_errors: list[PayloadError] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)

    def first_segment(self, tag: str) -> Segment:
        """Return the first segment with this tag, or an empty segment."""
        return next((s for s in self.transaction_set.segments if s.tag == tag), EMPTY_SEGMENT)

    def header_segments(self, until: str) -> tuple[Segment, ...]:
        """Return the segments before the first `until`."""
        tags = [s.tag for s in self.transaction_set.segments]
        return self.transaction_set.segments[: tags.index(until) if until in tags else len(tags)]

    def loops_starting_with_tag(
        self, tag: str, ends: Iterable[str] = ("CTT",)
    ) -> list[tuple[Segment, ...]]:
        """Return the loops that begin with `tag`, up to the first segment in `ends`."""
        loops: list[list[Segment]] = []
        end_tags = frozenset(ends)
        for segment in self.transaction_set.segments:
            if segment.tag == tag:
                loops.append([segment])
            elif segment.tag in end_tags and loops:
                break
            elif loops:
                loops[-1].append(segment)
        return [tuple(loop) for loop in loops]

    def element_path(self, element: str) -> str:
        """Return the path of an element for error messages."""
        return f"{self.transaction_set.code_and_control_number_text} {element}"

    @property
    def sender_id(self) -> str:
        """The interchange id of the sender, or its application code (GS02) without ISA."""
        return self._interchange_or_group_id(6, 2)

    @property
    def receiver_id(self) -> str:
        """The interchange id of the receiver, or its application code (GS03) without ISA."""
        return self._interchange_or_group_id(8, 3)

    def _interchange_or_group_id(self, in_header: int, in_group: int) -> str:
        if self.transaction_set.header is not None:
            return self.transaction_set.header[in_header]
        return (
            self.transaction_set.group[in_group] if self.transaction_set.group is not None else ""
        )

    @property
    def is_outbound(self) -> bool:
        """Whether this company sent the document to the partner."""
        if (self.sender_id in self.settings.own_ids) != (self.receiver_id in self.settings.own_ids):
            return self.sender_id in self.settings.own_ids
        return self.transaction_set.code in OUTBOUND_SETS

    @property
    def is_outbound_without_own_sender_id(self) -> bool:
        """Whether this company is taken for the sender although `own` does not name it."""
        return self.is_outbound and self.sender_id not in self.settings.own_ids

    @property
    def partner_id(self) -> str:
        """The interchange id of the other company, such as `HUB`.

        It is `HUB/WEST` if `customer.HUB/WEST` is set: several companies share the interchange id
        of a hub, and GS02 or GS03 is the company.
        """
        partner = (self.receiver_id if self.is_outbound else self.sender_id) or (
            self.settings.partner
        )
        group = self.transaction_set.group or EMPTY_SEGMENT
        company = f"{partner}/{group[3] if self.is_outbound else group[2]}"
        return company if company in self.settings.customers else partner

    @property
    def partner_customer_number_in_settings(self) -> str:
        """The customer number of the partner from the settings, or ""."""
        return self.settings.customers.get(self.partner_id, "")

    @property
    def issuer_of_sender_numbers(self) -> str:
        """The issuer of the sender's own numbers: this source or the sender.

        A sender that `own` does not name issues its own numbers: two suppliers have one number.
        """
        if self.is_outbound_without_own_sender_id:
            return self.sender_id or self.settings.source
        return self.settings.source if self.is_outbound else self.partner_id or self.settings.source

    @property
    def content_digest(self) -> str:
        """12 hexadecimal digits that only another copy of the same content has."""
        return content_digest(self.transaction_set)

    @property
    def revision(self) -> str:
        """Sortable revision: date and time of the group, then the control numbers."""
        group, header = (
            self.transaction_set.group or EMPTY_SEGMENT,
            self.transaction_set.header or EMPTY_SEGMENT,
        )
        day = to_iso_date_or_blank(group[4]) or "0000-00-00"
        created = f"{day} {to_iso_time_or_blank(group[5]) or '00:00:00'}"
        return (
            f"{created} {header[13]:0>9}/{group[6]:0>9}/{self.transaction_set.control_number:0>9}"
        )

    @property
    def time_sent(self) -> timestamps.ParsedTime | None:
        """When the document was sent, by its group or interchange; None without either."""
        return time_sent(self.transaction_set, self.settings.zone)

    @property
    def envelope_and_count_findings(self) -> tuple[str, ...]:
        """Mismatches of the envelope and of CTT01."""
        finding = ctt01_line_count_finding(self.transaction_set)
        return (*self.transaction_set.findings, *([finding] if finding else ()))

    def event_time(
        self, text: str, element: str, time_text: str = ""
    ) -> timestamps.ParsedTime | None:
        """Return the date of the document with `time`, else with the time of a same-day group.

        Without a date, the date and time of the group are used. None if there is no group.
        """
        group = self.transaction_set.group or EMPTY_SEGMENT
        if not text:
            if not group[4]:
                return None
            text, element, time_text = group[4], "GS04", group[5]
        path = self.element_path(element)
        date = to_iso_date(text, path)
        if (
            not to_iso_time_or_blank(time_text)
            and group[4]
            and to_iso_date_or_blank(group[4]) == date
        ):
            time_text = group[5]
        if to_iso_time_or_blank(time_text):
            return timestamps.parse_timestamp(
                f"{date}T{to_iso_time_or_blank(time_text)}", path, self.settings.zone
            )
        return timestamps.parse_date_as_midnight(date, path, self.settings.zone)

    def date_attributes(
        self, segments: Iterable[Segment], attributes: Mapping[str, Attribute]
    ) -> dict[Attribute, str]:
        """Return DTM and G62 dates by qualifier; of several, the first in `attributes`.

        An invalid date is reported in the detail.
        """
        dates: dict[Attribute, str] = {}
        ranks = {qualifier: rank for rank, qualifier in enumerate(attributes)}
        dated = [s for s in segments if s.tag in {"DTM", "G62"} and s[1] in ranks and s[2]]
        for segment in sorted(dated, key=lambda s: ranks[s[1]]):
            name = attributes[segment[1]]
            if name in dates:
                continue
            date = to_iso_date_or_blank(segment[2])
            # Some partners send 99991231 or 00010101 for "no date".
            if "1900" < date < "2100":
                dates[name] = date
            else:
                text = f"{segment.tag}*{segment[1]}*{segment[2]}"
                dates[Attribute.DETAIL] = f"{text[:60]} is not a valid date"
        return dates

    def party_name(self, segments: Iterable[Segment], *roles: str) -> str:
        """Return the name, else the code, of the first of these parties that has one."""
        parties = [s for s in segments if s.tag == "N1"]
        positions = ((role, at) for at in (2, 4) for role in roles)
        return next(
            (s[at] for role, at in positions for s in parties if s[1] == role and s[at]), ""
        )

    def preferred_sku(self, segment: Segment, start: int, end: int = 99) -> str:
        """Return the preferred item number of the (qualifier, number) pairs from `start` on."""
        numbers = read_sku_by_preferred_qualifier(segment, start, end, self.settings.sku_qualifiers)
        for value in numbers.values_without_qualifier:
            line = f"{segment.tag} {segment[1]}".strip()
            self.not_understood.append(
                f"{line[:20]}: {value[:40]!r} is not a qualifier of an item number"
            )
        return numbers.sku

    def parse_nonnegative_quantity(self, text: str, element: str) -> Decimal | None:
        """Return a quantity, or None if blank. Raises PayloadError if it is negative."""
        if not text:
            return None
        value = parse_decimal(text, self.element_path(element))
        if value < 0:
            raise PayloadError(
                ParkReason.QUANTITY, self.element_path(element), f"{value} is negative"
            )
        return value

    def parse_decimal_amount(self, text: str, element: str) -> Decimal | None:
        """Return an exact amount or price, or None if blank."""
        return parse_decimal(text, self.element_path(element)) if text else None

    def build_event(
        self,
        event_type: EventType,
        fact: str,
        *,
        time: timestamps.ParsedTime | None,
        objects: Iterable[ObjectReference | None],
        lines: Iterable[EventLine] = (),
        scope: str = "",
        attributes: Mapping[Attribute, str] | None = None,
        raw_type: str = "",
        is_first_copy_used: bool = False,
        replaced_facts: Iterable[str] = (),
        complete_measures: Iterable[Measure] = (),
        other_attributes: Mapping[str, str] | None = None,
    ) -> CanonicalEvent:
        """Create an event. Its key is set, partner and fact: resent documents have equal keys.

        Of several copies the last one sent is used, or the first if `is_first_copy_used`. The event
        withdraws the events of `replaced_facts`.
        """
        texts = dict(attributes or {})
        flags = []
        if self.envelope_and_count_findings:
            flags.append(Flag.ENVELOPE)
            details = (texts.get(Attribute.DETAIL, ""), *self.envelope_and_count_findings)
            texts[Attribute.DETAIL] = "; ".join(filter(None, details))
        if has_replaced_characters(self.transaction_set):
            flags.append(Flag.SANITIZED)
        is_taken_for_sender = self.is_outbound_without_own_sender_id and self.sender_id
        sender = f"from {self.sender_id}" if is_taken_for_sender else ""
        replaced = [self._event_key_of_fact(sender, old_fact) for old_fact in replaced_facts]
        # Earlier versions knew no fact by its content.
        if sender and self.content_digest not in fact:
            replaced.append(self._event_key_of_fact("", fact))
        return event_builder.build_event(
            event_type,
            self._event_key_of_fact(sender, fact),
            time,
            *(ref for ref in objects if ref is not None),
            lines=lines,
            scope=scope,
            attributes=texts,
            revision=self.revision.translate(COMPLEMENT) if is_first_copy_used else self.revision,
            raw_type=raw_type,
            flags=flags,
            corrects=replaced,
            complete_measures=complete_measures,
            other_attributes=other_attributes,
        )

    def _event_key_of_fact(self, sender: str, fact: str) -> str:
        return " ".join(filter(None, (self.transaction_set.code, self.partner_id, sender, fact)))
