"""Addresses of the private network that administrators allow for outgoing requests."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class AllowedAddress(models.Model):
    """A host and port of the private network, such as that of an ERP in the own data center."""

    host = models.CharField(max_length=253)
    port = models.IntegerField()
    note = models.CharField(max_length=200, default="", blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    added_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "port"], name="allowed_address_unique"),
            models.CheckConstraint(
                condition=models.Q(port__gte=1, port__lte=65_535), name="allowed_address_port"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
