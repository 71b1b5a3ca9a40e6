"""Links from the numbers of an order to their records in the systems that issued them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.sdk.events import IdentifierScheme, ObjectKind, ObjectReference
from connectors.sdk.record_links import record_link, record_link_templates
from visibility.models import Identifier
from visibility.screens.orders.source_reports import SourceReport
from visibility.timeline import Timeline


@dataclass(frozen=True, slots=True)
class RecordLink:
    """The record of a number: its system, and its URL there."""

    system: str
    url: str


# By URL: two reports of one number make one link.
Links = dict[str, RecordLink]


@dataclass(frozen=True, slots=True)
class RecordLinks:
    """The links of the numbers of an order. Only sources with templates have any."""

    _by_scheme: dict[tuple[str, str], Links] = field(default_factory=dict)
    _by_kind: dict[tuple[str, str], Links] = field(default_factory=dict)

    def of_number(self, scheme: str, number: str) -> tuple[RecordLink, ...]:
        """The links of a number of this scheme."""
        return tuple(self._by_scheme.get((scheme, number), {}).values())

    def by_number(self, kinds: Iterable[ObjectKind]) -> dict[str, tuple[RecordLink, ...]]:
        """The links of the records of these kinds, such as invoices, by number."""
        wanted = {kind.value for kind in kinds}
        return {
            number: tuple(links.values())
            for (kind, number), links in self._by_kind.items()
            if kind in wanted
        }

    def add(self, kind: str, scheme: str, number: str, link: RecordLink) -> None:
        """Add the link of a number of this kind of record."""
        self._by_scheme.setdefault((scheme, number), {})[link.url] = link
        self._by_kind.setdefault((kind, number), {})[link.url] = link


def record_links(
    timeline: Timeline, identifiers: Iterable[Identifier], reports: Mapping[str, SourceReport]
) -> RecordLinks:
    """The links of the records of each source that has a template for their kind.

    All placeholders are filled from one reference of one event: a merged order has several numbers
    of a kind, and each has an id of its own in its system.
    """
    links = RecordLinks()
    systems = {
        slug: (report.title, templates)
        for slug, report in reports.items()
        if (templates := record_link_templates(report.config))
    }
    if not systems:
        return links
    for row in identifiers:
        _add_links(links, row.kind, [(row.issuer, row.scheme, row.raw)], systems)
    for reference in _references_of_order(timeline):
        numbers = [(each.issuer, each.scheme.value, each.value) for each in reference.identifiers]
        _add_links(links, reference.kind.value, numbers, systems)
    return links


def _add_links(
    links: RecordLinks,
    kind: str,
    numbers: Sequence[tuple[str, str, str]],
    systems: Mapping[str, tuple[str, Mapping[str, str]]],
) -> None:
    """Add the links of one record, whose numbers are (issuer, scheme, number).

    `systems`: the title and the URL templates of each source that has any.
    """
    for issuer in {each[0] for each in numbers} & systems.keys():
        title, templates = systems[issuer]
        template = templates.get(kind, "")
        own = {scheme: number for by, scheme, number in numbers if by == issuer}
        # A page shows technical ids only if there is nothing else.
        for scheme, number in own.items():
            is_id = scheme == IdentifierScheme.SOURCE_ID
            if not template or (is_id and len(own) > 1):
                continue
            if url := record_link(template, number, own):
                link = RecordLink(title, url)
                for _, shown, value in numbers if is_id else [(issuer, scheme, number)]:
                    links.add(kind, shown, value, link)


def _references_of_order(timeline: Timeline) -> Iterator[ObjectReference]:
    """What the events in effect name, without the other orders of an event."""
    for entry in timeline.entries:
        own = entry.recorded.identifiers_of_this_order
        for reference in entry.recorded.event.objects:
            if not entry.superseded and (
                reference.kind is not ObjectKind.ORDER or reference.identifiers == own
            ):
                yield reference
