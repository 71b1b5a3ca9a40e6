"""Check, store and audit the brand of the tracking page: name, accent color and logo."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.models.audit import append_audit_entry
from visibility.models.customer_brand import MAX_DISPLAY_NAME, CustomerBrand
from visibility.preferences.logo_file import InvalidLogo, check_logo

COLOR = re.compile("#[0-9a-f]{6}")
BLACK, WHITE = "#000000", "#ffffff"
# WCAG 2.2, success criterion 1.4.3.
MIN_CONTRAST = 4.5


class InvalidBrand(ValueError):
    """Values are invalid: `errors` has a sentence per field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__(" ".join(errors.values()))


class BrandConflict(ValueError):
    """Somebody changed the brand after it was read."""


@dataclass(frozen=True, slots=True)
class BrandChange:
    """What to change; None leaves a value as it is. An empty `logo` removes it."""

    display_name: str | None = None
    accent_color: str | None = None
    logo: bytes | None = None


def current_brand() -> CustomerBrand:
    """The stored brand, or an unsaved one without values. One statement."""
    return CustomerBrand.objects.first() or CustomerBrand(id=1, version=0)


def change_brand(
    change: BrandChange, *, version: int | None, by: User, now: datetime
) -> CustomerBrand:
    """Change the brand. Nothing is written if nothing changes.

    `version`: the version that the person saw, 0 if there was none; None skips the check. Raises
    InvalidBrand, BrandConflict.
    """
    values = _checked(change)
    with transaction.atomic():
        lock_until_commit(LockKey.CUSTOMER_BRAND)
        row = current_brand()
        if version is not None and version != row.version:
            raise BrandConflict(
                f"The brand was changed meanwhile; its version is {row.version} now."
            )
        before = _texts(row)
        for name, value in values.items():
            setattr(row, name, value)
        after = _texts(row)
        changed = [name for name in after if after[name] != before[name]]
        if changed:
            row.version += 1
            row.save()
            append_audit_entry(
                "organization.brand_changed",
                user=by,
                object="organization",
                detail={
                    "version": row.version,
                    "before": {name: before[name] for name in changed},
                    "after": {name: after[name] for name in changed},
                },
                now=now,
            )
    return row


def text_color(accent: str) -> str:
    """Black or white, whichever can be read better on the color."""
    return max((WHITE, BLACK), key=lambda color: contrast(color, accent))


def contrast(first: str, second: str) -> float:
    """The contrast of two colors as WCAG defines it, from 1 to 21."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _checked(change: BrandChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    if change.display_name is not None:
        values["display_name"] = " ".join(change.display_name.split())
        if len(values["display_name"]) > MAX_DISPLAY_NAME:
            errors["display_name"] = f"Enter at most {MAX_DISPLAY_NAME} characters."
        elif not values["display_name"].isprintable():
            errors["display_name"] = "Enter letters, digits and signs only."
    if change.accent_color is not None:
        color = change.accent_color.strip().lower()
        values["accent_color"] = color
        if color and not COLOR.fullmatch(color):
            errors["accent_color"] = "Enter a color with six hexadecimal digits, such as #0b5cad."
        elif color and contrast(color, text_color(color)) < MIN_CONTRAST:
            errors["accent_color"] = "Text on this color cannot be read. Choose another color."
    if change.logo is not None:
        try:
            name, logo = check_logo(change.logo) if change.logo else ("", b"")
        except InvalidLogo as error:
            errors["logo"] = str(error)
        else:
            digest = hashlib.sha256(logo).hexdigest()[:16] if logo else ""
            values |= {"logo": logo, "logo_format": name, "logo_digest": digest}
    if errors:
        raise InvalidBrand(errors)
    return values


def _texts(row: CustomerBrand) -> dict[str, str]:
    return {
        "display_name": row.display_name,
        "accent_color": row.accent_color,
        "logo": row.logo_name,
    }
