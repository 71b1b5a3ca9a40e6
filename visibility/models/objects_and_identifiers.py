"""Business objects, their identifiers and the relations between them."""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from visibility.models import choices


class BusinessObject(models.Model):
    """An order, shipment, package, invoice or return. A merged object redirects permanently."""

    kind = models.CharField(max_length=20, choices=choices.object_kinds)
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField(db_default=Now())
    # A person decided what belongs to it: new events are checked against those decisions.
    has_manual_decisions = models.BooleanField(db_default=False)


class Identifier(models.Model):
    """One identifier of one object.

    An identity (`is_identity`) names exactly one object; any other identifier only helps to find
    objects. A number that a system reuses after a long pause gets a new row: `generation` counts
    its uses from 0, and `reused_from` is the day a later use began. A `rejected` identifier appears
    on an event of the object, but a person decided that it does not belong to the object. A number
    that would be an identity but appears on several objects is no identity (`is_shared`).
    """

    kind = models.CharField(max_length=20, choices=choices.object_kinds)
    scheme = models.CharField(max_length=20, choices=choices.identifier_schemes)
    issuer = models.CharField(max_length=100)
    value = models.CharField(max_length=200)
    raw = models.CharField(max_length=250)
    is_identity = models.BooleanField()
    object = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    rejected = models.BooleanField(db_default=False)
    is_shared = models.BooleanField(db_default=False)
    generation = models.SmallIntegerField(db_default=0)
    reused_from = models.DateField(null=True)
    # Reused numbers only: when it was first and last reported. `last_at` may lag by up to half the
    # reuse period.
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    # The object it was first assigned to: undoing a merge returns it there.
    original_object_id = models.BigIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["value", "scheme", "issuer", "kind", "generation"],
                condition=Q(is_identity=True),
                name="identifier_identity_unique",
            ),
            models.UniqueConstraint(
                fields=["value", "scheme", "issuer", "kind", "object"],
                condition=Q(is_identity=False),
                name="identifier_reference_unique",
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
    # The event that is the evidence; 0 if a person decided it.
    event_id = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["parent", "child"], name="relation_unique")
        ]
        # Covering index: walks from child to parent without reading the table.
        indexes: ClassVar = [models.Index(fields=["child", "parent"], name="relation_up")]


class UnmatchedObject(models.Model):
    """A shipment, package, invoice or return without a known order. Derived."""

    object = models.OneToOneField(BusinessObject, on_delete=models.CASCADE, primary_key=True)


class CustomerName(models.Model):
    """A customer's name and number as reported on an order. The search reads this table."""

    name = models.CharField(max_length=250)
    number = models.CharField(max_length=100, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "number"], name="customer_name_unique")
        ]
        indexes: ClassVar = [
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="customer_name_search_trgm")
        ]
