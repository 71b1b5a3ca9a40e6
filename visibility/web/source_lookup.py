"""The source that an address names."""

from django.http import Http404

from visibility.models import Source


def source_or_404(slug: str, *, for_update: bool = False) -> Source:
    """The source with this slug. Raises Http404.

    `for_update`: nobody else changes it until the transaction ends.
    """
    rows = Source.objects.select_for_update(no_key=True) if for_update else Source.objects
    source = rows.filter(slug=slug).first()
    if source is None:
        raise Http404(slug)
    return source
