"""Open contradictions between the sources of an order, derived from its events."""

from typing import ClassVar

from django.db import models

from visibility.models import choices
from visibility.models.orders import Order


class Conflict(models.Model):
    """An open contradiction about one field of an order, or of one of its lines."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="conflicts")
    field = models.CharField(max_length=20, choices=choices.conflict_fields)
    # The key of the line; empty for claims about the whole order.
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
            models.UniqueConstraint(fields=["order", "field", "line"], name="conflict_unique")
        ]
        indexes: ClassVar = [models.Index(fields=["owner", "opened_at"], name="conflict_owner")]

    def __str__(self) -> str:
        return f"{self.field} {self.line}".strip()
