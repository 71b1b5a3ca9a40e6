"""Links that show customers where their orders are, without sign-in."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models

from visibility.models.objects_and_identifiers import BusinessObject


class TrackingLink(models.Model):
    """A link to one order, or to all orders of a customer's purchase order.

    `customer_po` is empty if it opens only `order`. The address contains `name` and a seal of the
    row, which is not stored (`visibility/screens/tracking/orders_of_link.py`): the row alone opens
    nothing.
    """

    name = models.CharField(max_length=32, unique=True)
    order = models.ForeignKey(
        BusinessObject, on_delete=models.PROTECT, related_name="tracking_links"
    )
    customer_po = models.CharField(max_length=200, default="")
    customer_no = models.CharField(max_length=100, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(customer_po="") | ~models.Q(customer_no=""),
                name="tracking_link_customer",
            )
        ]

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the link opens its page."""
        return self.revoked_at is None and now < self.expires_at
