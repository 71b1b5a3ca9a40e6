"""The manifest that an address names."""

from django.http import Http404

from visibility.screens.manifests import queries
from visibility.screens.manifests.queries import ManifestSummary


def manifest_or_404(slug: str) -> ManifestSummary:
    """The manifest of this name. Raises Http404."""
    summary = queries.load_manifest_summary(slug)
    if summary is None:
        raise Http404(slug)
    return summary
