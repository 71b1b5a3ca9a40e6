"""The things events are about, the numbers they go by, and how they hang together."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from connectors.sdk.events import ObjectKind, Scheme


class BusinessObject(models.Model):
    """An order, a shipment, a package ... A merged one redirects for ever."""

    kind = models.CharField(max_length=12, choices=[(k.value, k.value) for k in ObjectKind])
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField(db_default=Now())
    # A person decided what belongs to it: every new word of it is weighed against that.
    by_hand = models.BooleanField(db_default=False)


class Identifier(models.Model):
    """One number of one object. A strong one names exactly one object; a weak one only finds it.

    A number that is used again after a long silence is a new row: `part` counts its uses, the
    earliest being 0, and `since` is the day a later use began. A `refused` number stands on an
    event of the object and was told apart from it by a person.
    """

    kind = models.CharField(max_length=12, choices=[(k.value, k.value) for k in ObjectKind])
    scheme = models.CharField(max_length=20, choices=[(s.value, s.value) for s in Scheme])
    issuer = models.CharField(max_length=100)
    value = models.CharField(max_length=200)
    raw = models.CharField(max_length=250)
    strong = models.BooleanField()
    object = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    refused = models.BooleanField(db_default=False)
    part = models.SmallIntegerField(db_default=0)
    since = models.DateField(null=True)
    # Of numbers that are used again: the first time it was said, and (within half its period) the
    # last time.
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    # The object it was first known as: what a join is undone to.
    home = models.BigIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["value", "scheme", "issuer", "kind", "part"],
                condition=Q(strong=True),
                name="identifier_strong_once",
            ),
            models.UniqueConstraint(
                fields=["value", "scheme", "issuer", "kind", "object"],
                condition=Q(strong=False),
                name="identifier_weak_once",
            ),
        ]
        indexes: ClassVar = [
            GinIndex(fields=["value"], opclasses=["gin_trgm_ops"], name="identifier_value_trgm")
        ]


class ObjectRelation(models.Model):
    """One object belongs to another: order > shipment > package, order > invoice, return."""

    parent = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, related_name="+")
    child = models.ForeignKey(
        BusinessObject, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # The event that said so: the evidence. 0: a person did.
    event_id = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["parent", "child"], name="relation_once")
        ]
        # Upwards without a look at the table.
        indexes: ClassVar = [models.Index(fields=["child", "parent"], name="relation_up")]


class Orphan(models.Model):
    """A shipment, package, invoice or return that belongs to nothing we know. Derived."""

    object = models.OneToOneField(BusinessObject, on_delete=models.CASCADE, primary_key=True)


class JoinAct(models.Model):
    """What a person decided about who is who. Kept; it speaks of numbers, never of rows.

    `join`: the two are one. `belongs`: the second is part of the first. `split`: the numbers of the
    second side were never the first's. `distinct`: the two are alike and not the same.
    """

    class Verdict(models.TextChoices):
        """The words of `visibility.identity.pure.resolution`."""

        JOIN = "join"
        BELONGS = "belongs"
        SPLIT = "split"
        DISTINCT = "distinct"

    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    # What the two sides were called when it was decided.
    left = models.CharField(max_length=250)
    right = models.CharField(max_length=250)
    why = models.TextField(default="")
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )


class JoinNumber(models.Model):
    """One number of one side of an act, and a moment at which it was in use."""

    act = models.ForeignKey(JoinAct, on_delete=models.PROTECT, related_name="numbers")
    side = models.SmallIntegerField()
    kind = models.CharField(max_length=12, choices=[(k.value, k.value) for k in ObjectKind])
    scheme = models.CharField(max_length=20, choices=[(s.value, s.value) for s in Scheme])
    issuer = models.CharField(max_length=100)
    value = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["value", "scheme", "issuer", "kind", "act"], name="join_number_once"
            )
        ]


class Merge(models.Model):
    """Two objects were found to be one: kept, with the evidence, so that it can be questioned."""

    winner = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, related_name="+")
    loser = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, related_name="+")
    # The event that named both, and the number they share; or the act of a person.
    event_id = models.BigIntegerField()
    number = models.CharField(max_length=350, default="")
    act = models.ForeignKey(JoinAct, on_delete=models.PROTECT, null=True)
    merged_at = models.DateTimeField(db_default=Now())


class MovedAlert(models.Model):
    """An alert that a join took to another order, or laid into that order's own. Kept for an undo.

    `was`: how it stood before, where the join changed that; `twin`: the alert laid into it.
    """

    alert = models.OneToOneField("visibility.Alert", on_delete=models.PROTECT, primary_key=True)
    home = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, related_name="+")
    was = models.JSONField(null=True)
    twin = models.ForeignKey(
        "visibility.Alert", on_delete=models.PROTECT, null=True, related_name="+"
    )
    at = models.DateTimeField()


class MovedEntry(models.Model):
    """A note that a join took to the alert which stands for both. Kept for an undo."""

    entry = models.OneToOneField(
        "visibility.AlertEntry", on_delete=models.PROTECT, primary_key=True
    )
    home = models.ForeignKey("visibility.Alert", on_delete=models.PROTECT, related_name="+")


class CustomerName(models.Model):
    """A customer's name and number as some order gave them: what the search looks through."""

    name = models.CharField(max_length=250)
    number = models.CharField(max_length=100, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "number"], name="customer_name_once")
        ]
        indexes: ClassVar = [
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="customername_trgm")
        ]


class Refold(models.Model):
    """An object was touched: the orders it belongs to are to be folded again."""

    object = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, db_index=False)
    touched_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["touched_at", "id"], name="refold_due"),
            models.Index(fields=["object", "touched_at"], name="refold_object"),
        ]
