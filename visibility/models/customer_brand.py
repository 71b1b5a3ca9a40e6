"""How the page for customers looks: the name, the color and the logo of the organization."""

from typing import ClassVar

from django.db import models

MAX_DISPLAY_NAME = 80


class CustomerBrand(models.Model):
    """The brand on the tracking page, in at most one row. Empty values: the page has none."""

    display_name = models.CharField(max_length=MAX_DISPLAY_NAME, default="")
    # `#rrggbb`, in lower case.
    accent_color = models.CharField(max_length=7, default="")
    logo = models.BinaryField(default=b"")
    # `png`, `jpeg` or `webp`; empty without a logo.
    logo_format = models.CharField(max_length=4, default="")
    # The start of the SHA-256 of the logo, in its address.
    logo_digest = models.CharField(max_length=16, default="")
    version = models.IntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="customer_brand_one_row"),
        ]

    def __str__(self) -> str:
        return self.display_name or "brand without a name"

    @property
    def logo_name(self) -> str:
        """The name of the logo in its address; empty without a logo."""
        return f"{self.logo_digest}.{self.logo_format}" if self.logo_format else ""
