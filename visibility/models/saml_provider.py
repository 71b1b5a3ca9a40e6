"""The SAML identity provider of the organization, and sign-ins at it that are in progress."""

from typing import ClassVar

from django.db import models

from visibility.models.identity_provider import MAX_ISSUER_LENGTH, IdentityProvider

# Before the entity ID in the key of a linked account: a provider may have the same name for both
# protocols, with other identifiers of people.
SAML_PREFIX = "saml:"
MAX_ENTITY_ID_LENGTH = MAX_ISSUER_LENGTH - len(SAML_PREFIX)


class SamlProvider(models.Model):
    """The SAML provider of the organization, in at most one row.

    `certificates`: those that sign, as base64 of DER. `group_roles` as in `IdentityProvider`.
    """

    name = models.CharField(max_length=40)
    entity_id = models.CharField(max_length=MAX_ENTITY_ID_LENGTH)
    sign_in_address = models.CharField(max_length=500)
    certificates = models.JSONField(default=list)
    # Blank if the metadata was pasted or uploaded.
    metadata_address = models.CharField(max_length=500, default="")
    metadata_read_at = models.DateTimeField(null=True)
    # Blank: the NameID, if it is an email address.
    email_attribute = models.CharField(max_length=200, default="")
    name_attribute = models.CharField(max_length=200, default="")
    groups_attribute = models.CharField(max_length=200, default="")
    group_roles = models.JSONField(default=list)
    unknown_people = models.CharField(max_length=10)  # an UnknownPeople
    # SAML has no statement whether an address is verified.
    trusts_email_addresses = models.BooleanField(default=False)
    accepts_second_factor = models.BooleanField(default=False)
    # The AuthnContextClassRef that means a second factor, beside that of REFEDS.
    second_factor_context = models.CharField(max_length=200, default="")
    is_enabled = models.BooleanField(default=False)
    version = models.IntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="saml_provider_one_row"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.entity_id})"

    @property
    def issuer(self) -> str:
        """The `provider` of the links of people."""
        return SAML_PREFIX + self.entity_id


class SamlSignIn(models.Model):
    """A request that a browser took to the provider, and what came back. Rows live for a day.

    The answer arrives without the cookies of the browser, so its result waits here for the
    browser, whose session knows `relay_state`.
    """

    request_id = models.CharField(max_length=64, unique=True)
    relay_state = models.CharField(max_length=64, unique=True)
    provider_version = models.IntegerField()
    # The administrator who tests the sign-in.
    tester = models.IntegerField(null=True)
    sent_at = models.DateTimeField(db_index=True)
    received_at = models.DateTimeField(null=True)
    # A digest of issuer and ID: an assertion is accepted once.
    assertion_key = models.CharField(max_length=64, null=True, unique=True)
    # The person or the refusal as encrypted JSON, until the browser comes for it.
    sealed_result = models.TextField(default="")

    def __str__(self) -> str:
        return f"sign-in of {self.sent_at}"


SignInProvider = IdentityProvider | SamlProvider
