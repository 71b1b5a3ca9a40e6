"""The values of filters by source: the slug of a source, shown by its title."""

from collections.abc import Sequence

from visibility.models import Source

MAX_SOURCES = 500


def source_title(slug: str) -> str:
    """The title of the source; the slug if there is none."""
    return Source.objects.filter(slug=slug).values_list("title", flat=True).first() or slug


def why_unknown_source(slug: str) -> str:
    """What is wrong with the slug; empty if a source has it."""
    return "" if Source.objects.filter(slug=slug).exists() else "is not the slug of a source"


def suggested_sources() -> Sequence[tuple[str, str]]:
    """Slug and title of the sources by title; one statement."""
    return list(Source.objects.order_by("title").values_list("slug", "title")[:MAX_SOURCES])
