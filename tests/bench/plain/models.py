"""Events, orders, identifiers and milestones."""

from typing import ClassVar

from django.db import models


class Event(models.Model):
    """One received message."""

    source = models.CharField(max_length=60)
    external_id = models.CharField(max_length=200)
    type = models.CharField(max_length=60)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)
    payload = models.JSONField()
    processed = models.BooleanField(default=False)

    objects: ClassVar[models.Manager["Event"]] = models.Manager()

    class Meta:
        app_label = "plain"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "external_id"], name="plain_event_once")
        ]


class Order(models.Model):
    """One order."""

    number = models.CharField(max_length=200)
    status = models.CharField(max_length=40, default="")
    customer = models.CharField(max_length=200, default="")
    channel = models.CharField(max_length=60, default="")
    warehouse = models.CharField(max_length=60, default="")
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager["Order"]] = models.Manager()

    class Meta:
        app_label = "plain"


class Identifier(models.Model):
    """An identifier of an order."""

    scheme = models.CharField(max_length=40)
    value = models.CharField(max_length=200)
    order = models.ForeignKey(Order, on_delete=models.CASCADE)

    objects: ClassVar[models.Manager["Identifier"]] = models.Manager()

    class Meta:
        app_label = "plain"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scheme", "value"], name="plain_identifier_once")
        ]


class Milestone(models.Model):
    """A milestone that an order has reached."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    code = models.CharField(max_length=40)
    reached_at = models.DateTimeField()

    objects: ClassVar[models.Manager["Milestone"]] = models.Manager()

    class Meta:
        app_label = "plain"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "code"], name="plain_milestone_once")
        ]
