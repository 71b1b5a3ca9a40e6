"""What accounts of people need beside Django's users and groups, and allauth's second factors."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

BREACH_CHECK_URL = "https://api.pwnedpasswords.com/range/"
# A working day, and a week.
DEFAULT_IDLE_MINUTES = 12 * 60
DEFAULT_SESSION_HOURS = 7 * 24


class AccountLinkPurpose(StrEnum):
    """What a link lets a person do: set a first password, or a new one."""

    INVITATION = "invitation"
    RESET = "reset"


class AccountMailState(StrEnum):
    """Whether a link is also sent by email."""

    NONE = "none"
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class AccountLink(models.Model):
    """A link with which a person sets their password once.

    The address contains `name` and a seal of the row (`visibility/notify/account_links.py`), which
    is not stored: the row alone opens nothing. `created_by` is None if the person asked for it.
    """

    name = models.CharField(max_length=16, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=20)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # When it was used, or replaced by a newer link.
    ended_at = models.DateTimeField(null=True)
    mail_state = models.CharField(max_length=10, default=AccountMailState.NONE.value)
    mail_attempts = models.SmallIntegerField(default=0)
    mail_due_at = models.DateTimeField(null=True)
    mail_error = models.CharField(max_length=300, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="account_link_user"),
            models.Index(
                fields=["mail_due_at"],
                name="account_link_mail_due",
                condition=models.Q(mail_state="waiting"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} link {self.pk}"

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the link can be used."""
        return self.ended_at is None and now < self.expires_at


class SecuritySettings(models.Model):
    """What administrators decide about sign-in for everyone, in at most one row."""

    requires_second_factor = models.BooleanField()
    # How long a session lasts without activity, and in total.
    idle_minutes = models.IntegerField(
        default=DEFAULT_IDLE_MINUTES, db_default=DEFAULT_IDLE_MINUTES
    )
    session_hours = models.IntegerField(
        default=DEFAULT_SESSION_HOURS, db_default=DEFAULT_SESSION_HOURS
    )
    # Words that a password must not mainly consist of, beside names that the product knows.
    refused_password_terms = ArrayField(
        models.CharField(max_length=60), default=list, db_default=[]
    )
    # Whether new passwords are compared with those of breaches, and where.
    checks_breached_passwords = models.BooleanField(default=False, db_default=False)
    breach_check_url = models.CharField(
        max_length=200, default=BREACH_CHECK_URL, db_default=BREACH_CHECK_URL
    )
    # The latest answer, and the latest failure: that password was accepted without the check.
    breach_checked_at = models.DateTimeField(null=True)
    breach_check_failed_at = models.DateTimeField(null=True)
    breach_check_error = models.CharField(max_length=300, default="", db_default="")
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="security_settings_one_row")
        ]


class PersonScope(models.Model):
    """The orders that a person sees; without a row, all. An empty dimension does not limit."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="order_scope",
    )
    channels = ArrayField(models.CharField(max_length=60), default=list)
    warehouses = ArrayField(models.CharField(max_length=100), default=list)
    # Numbers of customers.
    customers = ArrayField(models.CharField(max_length=100), default=list)
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(channels=[], warehouses=[], customers=[]),
                name="person_scope_limits",
            )
        ]

    def __str__(self) -> str:
        return f"scope of user {self.user_id}"


class ThrottleScope(StrEnum):
    """What failed sign-ins are counted for."""

    ACCOUNT_AND_ADDRESS = "both"
    ACCOUNT = "account"
    ADDRESS = "address"


class SignInThrottle(models.Model):
    """Failed sign-ins of an account, an address or both (`visibility/web/people/throttle.py`).

    `key` is a keyed hash: what was typed as a name may be a password. `known_until`: until then the
    address is known for the account, which others cannot block there.
    """

    scope = models.CharField(max_length=10)
    key = models.CharField(max_length=64)
    failures = models.FloatField(default=0)
    failed_at = models.DateTimeField(null=True)
    blocked_until = models.DateTimeField(null=True)
    known_until = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scope", "key"], name="sign_in_throttle_key")
        ]
