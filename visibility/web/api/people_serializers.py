"""Serializers of people and of the bodies that invite and change them."""

from rest_framework import serializers

from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
)
from visibility.web.api.request_body_serializers import RequestBody
from visibility.web.people.people_list import FACTOR_TITLES, PersonState
from visibility.web.people.scope_changes import MAX_VALUES
from visibility.web.permissions import UserRole

MAX_TEXT = 254


class PersonSerializer(PermissionFilteredSerializer):
    """An account. `teams`: slugs. `last_sign_in_at`: null if the person never signed in.

    The person sees only orders with one of the `channels`, one of the `warehouses` and one of the
    `customers` (their numbers). An empty list does not limit.
    """

    id = serializers.IntegerField(source="user.pk")
    username = serializers.CharField(source="user.username")
    first_name = serializers.CharField(source="user.first_name")
    last_name = serializers.CharField(source="user.last_name")
    email = serializers.CharField(source="user.email")
    state = EnumField(PersonState)
    roles = serializers.ListField(child=EnumField(UserRole))
    teams = serializers.ListField(child=serializers.CharField(), source="team_slugs")
    channels = serializers.ListField(child=serializers.CharField())
    warehouses = serializers.ListField(child=serializers.CharField())
    customers = serializers.ListField(child=serializers.CharField())
    second_factors = serializers.ListField(child=EnumField(FACTOR_TITLES))
    last_sign_in_at = Rfc3339Field(source="last_sign_in", allow_null=True)
    created_at = Rfc3339Field(source="user.date_joined")


class PersonWithLinkSerializer(PersonSerializer):
    """A person with a new link. No later response contains `link`, which sets a password once."""

    link = serializers.CharField(required=False)
    link_expires_at = Rfc3339Field()
    link_is_emailed = serializers.BooleanField()


def scope_values(max_length: int) -> serializers.ListField:
    """The values of one dimension of the scope."""
    return serializers.ListField(
        child=serializers.CharField(max_length=max_length), required=False, max_length=MAX_VALUES
    )


class PersonChangeBody(RequestBody):
    """The fields to change. `teams` replaces all teams, `role` all roles.

    `channels`, `warehouses` and `customers` limit which orders the person sees; an empty list does
    not. Only customer service, executives and operations can be limited.
    """

    first_name = serializers.CharField(required=False, max_length=150)
    last_name = serializers.CharField(required=False, max_length=150)
    email = serializers.CharField(required=False, allow_blank=True, max_length=MAX_TEXT)
    role = serializers.ChoiceField([role.value for role in UserRole], required=False)
    teams = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, max_length=200
    )
    channels = scope_values(60)
    warehouses = scope_values(100)
    customers = scope_values(100)


class InvitationBody(PersonChangeBody):
    """A new account."""

    username = serializers.CharField(max_length=150)
    first_name = serializers.CharField(max_length=150)
    last_name = serializers.CharField(max_length=150)
    role = serializers.ChoiceField([role.value for role in UserRole])
