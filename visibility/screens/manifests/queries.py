"""Manifests for their pages and the API: lists, states, and the history of versions."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, QuerySet, Subquery

from connectors.catalog import connectors_by_slug
from visibility.db.parse_id_and_time import MAX_VERSION
from visibility.models.manifests import Manifest, ManifestVersion
from visibility.models.sources_and_messages import Source

PAGE_SIZE = 50
# So many versions, and lines of a difference, are shown at once.
HISTORY_SIZE, MAX_DIFFERENCE_LINES = 20, 400
MAX_SOURCES = 100


@dataclass(frozen=True, slots=True)
class ManifestSummary:
    """A manifest with its live version, and how many sources use it.

    `live_number` is 0 if it was never published. `has_changes`: the draft differs from the live
    version.
    """

    manifest: Manifest
    title: str
    live_number: int
    has_changes: bool
    sources: int

    @property
    def state(self) -> tuple[str, str]:
        """The tone and the label of its state."""
        if not self.live_number:
            return "waiting", "Draft"
        if self.has_changes:
            return "risk", f"Version {self.live_number} is live, the draft has changes"
        return "ok", f"Version {self.live_number} is live"


def list_manifests(*, after: str = "", limit: int = PAGE_SIZE) -> list[ManifestSummary]:
    """Return manifests in the order of their slugs, after a slug. Two statements."""
    return _summaries(Manifest.objects.filter(slug__gt=after), limit)


def load_manifest_summary(slug: str) -> ManifestSummary | None:
    """Return one manifest, or None. Two statements."""
    return next(iter(_summaries(Manifest.objects.filter(slug=slug), 1)), None)


def _summaries(manifests: "QuerySet[Manifest]", limit: int) -> list[ManifestSummary]:
    live = ManifestVersion.objects.filter(manifest=OuterRef("pk")).order_by("-number")
    rows = list(
        manifests.select_related("changed_by", "created_by")
        .annotate(
            live_number=Subquery(live.values("number")[:1]),
            live_text=Subquery(live.values("text")[:1]),
        )
        .order_by("slug")[:limit]
    )
    slugs = [row.slug for row in rows]
    used = Counter(
        Source.objects.filter(connector__in=slugs, archived_at=None).values_list(
            "connector", flat=True
        )
    )
    known = connectors_by_slug()
    return [
        ManifestSummary(
            row,
            known[row.slug].title if row.live_number and row.slug in known else row.slug,
            row.live_number or 0,
            row.live_text != row.text,
            used[row.slug],
        )
        for row in rows
    ]


def list_versions(
    manifest: Manifest, *, before: int | None = None, limit: int = HISTORY_SIZE
) -> list[ManifestVersion]:
    """Return versions, newest first, before a number."""
    rows = ManifestVersion.objects.filter(manifest=manifest).select_related("published_by")
    if before is not None:
        rows = rows.filter(number__lt=before)
    return list(rows.order_by("-number")[:limit])


def find_version(manifest: Manifest, number: int) -> ManifestVersion | None:
    """Return the version with this number, or None."""
    rows = ManifestVersion.objects.filter(manifest=manifest).select_related("published_by")
    return rows.filter(number=min(number, MAX_VERSION)).first()


def sources_to_compare(slug: str) -> Sequence[Source]:
    """Return the sources whose messages a draft can read: those that use it first."""
    sources = Source.objects.filter(archived_at=None).order_by("slug")[:1_000]
    ordered = sorted(sources, key=lambda source: source.connector != slug)
    return ordered[:MAX_SOURCES]


def difference_of_texts(before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines that differ with some around them: ("+", "-", " " or "…", text)."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    # The first two lines name the files.
    shown = list(lines)[2 : MAX_DIFFERENCE_LINES + 2]
    return [("…", "") if line.startswith("@@") else (line[:1], line[1:]) for line in shown]
