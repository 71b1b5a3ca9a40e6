"""People's decisions about the identity of objects, and what undoing a merge needs."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from visibility.models import choices
from visibility.models.objects_and_identifiers import BusinessObject


class IdentityDecision(models.Model):
    """What a person decided about the identity of objects. It names identifiers, never row ids, so
    that it survives a rebuild.

    `join`: both sides are the same object. `belongs`: the second side is part of the first.
    `split`: the identifiers of the second side never belonged to the first object. `distinct`: the
    sides look alike and are different objects.
    """

    class Verdict(models.TextChoices):
        """The kinds of decisions that `group_mentions_into_objects` of identity understands."""

        JOIN = "join"
        BELONGS = "belongs"
        SPLIT = "split"
        DISTINCT = "distinct"

    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    # How both sides were labeled when it was decided.
    left_label = models.CharField(max_length=250)
    right_label = models.CharField(max_length=250)
    reason = models.TextField(default="")
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )


class DecisionIdentifier(models.Model):
    """One identifier of one side of a decision, and a time at which it was in use."""

    decision = models.ForeignKey(
        IdentityDecision, on_delete=models.PROTECT, related_name="identifiers"
    )
    side = models.SmallIntegerField()
    kind = models.CharField(max_length=20, choices=choices.object_kinds)
    scheme = models.CharField(max_length=20, choices=choices.identifier_schemes)
    issuer = models.CharField(max_length=100)
    value = models.CharField(max_length=200)
    used_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["value", "scheme", "issuer", "kind", "decision"],
                name="decision_identifier_unique",
            )
        ]


class Merge(models.Model):
    """Two objects were recognized as one. Stored with the evidence, so that it can be reviewed."""

    winner = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, related_name="+")
    loser = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, related_name="+")
    # The evidence: the event that named both and the identifier they share, or a decision.
    event_id = models.BigIntegerField()
    shared_identifier = models.CharField(max_length=350, default="")
    decision = models.ForeignKey(IdentityDecision, on_delete=models.PROTECT, null=True)
    merged_at = models.DateTimeField(db_default=Now())


class MovedAlert(models.Model):
    """An alert that a merge moved to another order or merged into that order's own alert.

    Read when the merge is undone. `previous_state`: the fields that the merge changed;
    `merged_alert`: the alert that was merged into this one.
    """

    alert = models.OneToOneField("visibility.Alert", on_delete=models.PROTECT, primary_key=True)
    original_order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, related_name="+")
    previous_state = models.JSONField(null=True)
    merged_alert = models.ForeignKey(
        "visibility.Alert", on_delete=models.PROTECT, null=True, related_name="+"
    )
    moved_at = models.DateTimeField()


class MovedAlertEntry(models.Model):
    """A note that a merge moved to the surviving alert. Read when the merge is undone."""

    entry = models.OneToOneField(
        "visibility.AlertEntry", on_delete=models.PROTECT, primary_key=True
    )
    original_alert = models.ForeignKey(
        "visibility.Alert", on_delete=models.PROTECT, related_name="+"
    )
