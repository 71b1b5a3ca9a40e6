"""Manifests that people write in the browser or over the API: drafts, samples and versions."""

from typing import ClassVar

from django.conf import settings
from django.db import models

MAX_SLUG_LENGTH = 40
MAX_NOTE_LENGTH = 300
MAX_SAMPLE_NAME_LENGTH = 80


class Manifest(models.Model):
    """The draft of a manifest. `revision` counts its changes, so that none overwrites another."""

    slug = models.SlugField(unique=True, max_length=MAX_SLUG_LENGTH)
    text = models.TextField()
    revision = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return self.slug


class ManifestVersion(models.Model):
    """A published version, which never changes. The highest number is live.

    Triggers renew the version of the configuration when a row is added, so that all processes
    notice. `restored_number`: a roll-back published the text of that version again.
    """

    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, db_index=False)
    number = models.IntegerField()
    text = models.TextField()
    note = models.CharField(max_length=MAX_NOTE_LENGTH, default="", blank=True)
    restored_number = models.IntegerField(null=True)
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["manifest", "number"], name="manifest_version_unique")
        ]


class ManifestSample(models.Model):
    """A payload to check a draft with; examples can name it as their file."""

    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, db_index=False)
    name = models.CharField(max_length=MAX_SAMPLE_NAME_LENGTH)
    body = models.BinaryField()
    added_at = models.DateTimeField()
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["manifest", "name"], name="manifest_sample_unique")
        ]
