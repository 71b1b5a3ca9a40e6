"""The identity provider with which people sign in (OpenID Connect), as administrators enter it."""

from typing import ClassVar

from django.db import models

# allauth stores the issuer of a linked account in a column of this length.
MAX_ISSUER_LENGTH = 200


class UnknownPeople(models.TextChoices):
    """What happens to a person who has no account and signs in at the identity provider."""

    REFUSE = "refuse"
    CREATE = "create"


class IdentityProvider(models.Model):
    """The OpenID Connect provider of the organization, in at most one row.

    `group_roles`: a list of `{"group": ..., "role": ...}`. Linked accounts are rows of allauth's
    `SocialAccount`, whose `provider` is the issuer and whose `uid` is the subject.
    """

    name = models.CharField(max_length=40)
    issuer = models.CharField(max_length=MAX_ISSUER_LENGTH)
    client_id = models.CharField(max_length=200)
    sealed_client_secret = models.TextField()
    scopes = models.CharField(max_length=300)
    groups_claim = models.CharField(max_length=100)
    group_roles = models.JSONField(default=list)
    unknown_people = models.CharField(max_length=10)  # an UnknownPeople
    accepts_second_factor = models.BooleanField(default=False)
    # The value of the claim `acr` that means a second factor, beside `amr` with "mfa".
    second_factor_acr = models.CharField(max_length=200, default="")
    is_enabled = models.BooleanField(default=False)
    # When its addresses and keys were last read without an error; null after a change.
    tested_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="identity_provider_one_row"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.issuer})"
