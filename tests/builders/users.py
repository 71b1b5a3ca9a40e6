"""Builders of users and signed-in clients."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from visibility.web.permissions import UserRole


def create_user(role: UserRole | None, name: str = "", **fields: Any) -> User:
    """Create a user with a role, or with none. Without `name` the user is named after the role."""
    user = User.objects.create_user(name or (role.value if role else "new"), **fields)
    if role is not None:
        user.groups.add(Group.objects.get_or_create(name=role.value)[0])
    return user


def user_of_role(role: UserRole, name: str = "") -> User:
    """The user of this name, created with the role at first."""
    existing = User.objects.filter(username=name or role.value).first()
    return existing or create_user(role, name)


def signed_in(role: UserRole, name: str = "") -> Client:
    """A test client signed in as the user of a role."""
    client = Client()
    client.force_login(user_of_role(role, name))
    return client
