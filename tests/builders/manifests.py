"""Manifests of a small 3PL, as a person would write and publish them."""

from visibility.db.database_time import database_now
from visibility.ingest.change_manifest import create_manifest, save_draft
from visibility.ingest.publish_manifest import publish_draft
from visibility.models import Manifest

SLUG = "hill_3pl"
SAMPLE = b"""{"order_no": "SO-1", "status": "open", "created_at": "2026-03-02T08:00:00Z",
 "lines": [{"line": 1, "sku": "A-1", "qty": 2}]}"""


def draft(slug: str = SLUG, sample: bytes = SAMPLE) -> Manifest:
    """A draft from the sample; it has no problems."""
    return create_manifest(
        slug, sample=sample, sample_name="order.json", by=None, now=database_now()
    )


def edit(manifest: Manifest, *changes: tuple[str, str]) -> Manifest:
    """Save the draft with these texts replaced."""
    text = manifest.text
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return save_draft(manifest, text, revision=manifest.revision, by=None, now=database_now())


def publish(manifest: Manifest) -> None:
    """Make the draft the live version."""
    publish_draft(manifest, revision=None, note="", by=None, now=database_now())


def published_manifest(slug: str = SLUG) -> Manifest:
    """A manifest with two versions, whose draft can be published as the third."""
    manifest = draft(slug)
    publish(manifest)
    for title in ("Second", "Third"):
        line = next(text for text in manifest.text.splitlines() if text.startswith("title:"))
        manifest = edit(manifest, (line, f"title: {title}"))
        if title == "Second":
            publish(manifest)
    return manifest
