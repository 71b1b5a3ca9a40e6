"""Release checks: what another reading of stored messages would change, and what followed."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from visibility.models.manifests import Manifest
from visibility.models.message_replays import MessageReplay
from visibility.models.sources_and_messages import Source


class ReleaseCheckState(models.TextChoices):
    """`failed`: `detail` says why."""

    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELED = "canceled"


CHECK_IN_PROGRESS = (ReleaseCheckState.WAITING, ReleaseCheckState.RUNNING)


class ReleaseCheck(models.Model):
    """Stored messages of a source, read by a draft or by the installed version of its connector.

    `manifest`, `revision`, `text`: the draft as it was when the check was requested; without one,
    the installed version reads. `attempt` fences: a worker stores a result only if it made the
    latest attempt. `done` of `total` items of `step` are finished. `selected` of `available`
    messages of the period were read; `without_body` messages of it can no longer be read.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_index=False)
    manifest = models.ForeignKey(Manifest, on_delete=models.CASCADE, null=True, db_index=False)
    revision = models.IntegerField(null=True)
    text = models.TextField(default="", blank=True)
    reader = models.CharField(max_length=80)
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=10, choices=ReleaseCheckState.choices)
    detail = models.CharField(max_length=500, default="", blank=True)
    attempt = models.IntegerField(default=0)
    step = models.CharField(max_length=10, default="", blank=True)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    requested_at = models.DateTimeField()
    # Null: the command line.
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    available = models.IntegerField(default=0)
    selected = models.IntegerField(default=0)
    without_body = models.IntegerField(default=0)
    summary = models.JSONField(default=dict)
    message_ids = ArrayField(models.BigIntegerField(), default=list)
    # The version that was live before the promotion, and the one that the promotion published.
    version_before = models.IntegerField(null=True)
    version = models.IntegerField(null=True)
    promoted_at = models.DateTimeField(null=True)
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    promotion_replay = models.ForeignKey(
        MessageReplay, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+"
    )
    rolled_back_at = models.DateTimeField(null=True)
    rolled_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    rollback_replay = models.ForeignKey(
        MessageReplay, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+"
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["source", "-id"], name="release_check_source"),
            models.Index(
                fields=["id"],
                condition=Q(state__in=CHECK_IN_PROGRESS),
                name="release_check_progress",
            ),
        ]


class ReleaseCheckOrder(models.Model):
    """An order that the other reading would change.

    `object_id`: its present id, or null if the other reading creates it. `tags`: what differs, for
    filters. `identity`: a sentence if its numbers or the order that it belongs to would change.
    """

    # A check reads its orders by the index of the constraint.
    check_run = models.ForeignKey(ReleaseCheck, on_delete=models.CASCADE, db_index=False)
    position = models.IntegerField()
    object_id = models.BigIntegerField(null=True)
    number = models.CharField(max_length=200)
    identity = models.CharField(max_length=600, default="", blank=True)
    tags = ArrayField(models.CharField(max_length=120))
    differences = models.JSONField()
    message_ids = ArrayField(models.BigIntegerField())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["check_run", "position"], name="release_check_order")
        ]


class ReleaseCheckMessage(models.Model):
    """A message that the other reading would park, or no longer park, or for another reason."""

    check_run = models.ForeignKey(ReleaseCheck, on_delete=models.CASCADE, db_index=False)
    message_id = models.BigIntegerField()
    change = models.CharField(max_length=20)
    reason_before = models.CharField(max_length=40, default="", blank=True)
    detail_before = models.CharField(max_length=500, default="", blank=True)
    reason = models.CharField(max_length=40, default="", blank=True)
    detail = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["check_run", "message_id"], name="release_check_message"
            )
        ]
