"""Derived from the events of an order: where its sources contradict each other now."""

from typing import ClassVar

from django.db import models

from visibility.models.orders import Order
from visibility.timeline.enums import Field


class Conflict(models.Model):
    """An open contradiction about one field of an order, or of one of its lines."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="conflicts")
    field = models.CharField(max_length=20, choices=[(f.value, f.value) for f in Field])
    # The line's key, empty for what is said of the whole order.
    line = models.CharField(max_length=300, default="")
    since = models.DateTimeField()
    opened_at = models.DateTimeField()
    money = models.DecimalField(max_digits=64, decimal_places=4, null=True)
    currency = models.CharField(max_length=8, default="")
    owner = models.CharField(max_length=60)
    # [{source, role, value, at, authoritative}], the authoritative one first.
    claims = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "field", "line"], name="conflict_once")
        ]
        indexes: ClassVar = [models.Index(fields=["owner", "opened_at"], name="conflict_owner")]

    def __str__(self) -> str:
        return f"{self.field} {self.line}".strip()
