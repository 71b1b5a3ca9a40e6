"""Whether the sources report at present, and since when one does not: for lanes and next steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.sdk.connector import SourceRole
from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.models import Source
from visibility.sla.source_evidence import SourceEvidence


@dataclass(frozen=True, slots=True)
class SourceReport:
    """A source, when it was connected, and since when nothing was learned from it, or None.

    `maintenance_until`: when its planned maintenance ends, if one runs. `config`: its settings
    without secrets.
    """

    title: str
    role: SourceRole
    connected_at: datetime
    silent_since: datetime | None = None
    maintenance_until: datetime | None = None
    config: Mapping[str, object] = field(default_factory=dict)


def load_source_reports(now: datetime) -> Mapping[str, SourceReport]:
    """The report of each source by slug. Three statements at most."""
    sources = list(Source.objects.order_by("pk"))
    evidence = load_source_evidence([s for s in sources if s.enabled], now)
    return {
        source.slug: SourceReport(
            source.title,
            SourceRole.from_stored(source.role),
            source.created_at,
            _silent_since(evidence.get(source.pk)),
            evidence[source.pk].maintenance_until if source.pk in evidence else None,
            source.config_or_empty_if_invalid,
        )
        for source in sources
    }


def _silent_since(evidence: SourceEvidence | None) -> datetime | None:
    if evidence is None or evidence.silence is None:
        return None
    return min(evidence.last_data_at, evidence.waiting_since or evidence.last_data_at)


def silent_sources(
    reports: Mapping[str, SourceReport], slugs: frozenset[str]
) -> list[tuple[SourceReport, datetime]]:
    """Those of the sources that are silent, the longest silent first."""
    silent = [
        (report, report.silent_since)
        for slug in slugs
        if (report := reports.get(slug)) and report.silent_since
    ]
    return sorted(silent, key=lambda pair: pair[1])
