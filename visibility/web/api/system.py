"""Endpoint about the state of the installation."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.screens.system.facts import SystemFacts, load_system_facts
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.permissions import Permission


class SystemProblemSerializer(PermissionFilteredSerializer):
    """What does not work, and what to do."""

    title = serializers.CharField()
    text = serializers.CharField()


class SystemProcessSerializer(PermissionFilteredSerializer):
    """A process. `last_work_at` is null if it records none, `exits` if nobody supervises it."""

    name = serializers.CharField()
    is_working = serializers.BooleanField()
    last_work_at = Rfc3339Field(source="last_work", allow_null=True)
    exits = serializers.IntegerField(allow_null=True)


class WaitingWorkSerializer(PermissionFilteredSerializer):
    """What is accepted and not done yet."""

    messages = serializers.IntegerField()
    oldest_message_at = Rfc3339Field(allow_null=True)
    orders = serializers.IntegerField()
    oldest_order_at = Rfc3339Field(allow_null=True)
    pending_notifications = serializers.IntegerField()
    failed_notifications = serializers.IntegerField()


class SystemDiskSerializer(PermissionFilteredSerializer):
    """The disk of a folder, in bytes."""

    name = serializers.CharField()
    path = serializers.CharField()
    free = serializers.IntegerField()
    total = serializers.IntegerField()
    is_full = serializers.BooleanField()


class SystemTableSerializer(PermissionFilteredSerializer):
    """One of the largest tables; `rows` is an estimate."""

    name = serializers.CharField()
    bytes = serializers.IntegerField(source="byte_count")
    rows = serializers.IntegerField()


class SystemBackupSerializer(PermissionFilteredSerializer):
    """The latest backup that was written and checked."""

    at = Rfc3339Field()
    file = serializers.CharField()
    bytes = serializers.IntegerField(source="byte_count")
    rows = serializers.IntegerField()


class KeyDependenceSerializer(PermissionFilteredSerializer):
    """What needs an older secret key. `is_complete` is false if there may be more."""

    title = serializers.CharField()
    count = serializers.IntegerField()
    is_complete = serializers.BooleanField()


class SecretKeySerializer(PermissionFilteredSerializer):
    """Whether older secret keys are set, and what depends on them; without any, nothing is listed.

    `stored`: `manage.py replace_secret_key` renews it. `tokens`: API tokens of earlier releases,
    which are renewed at their next use. `addresses`: links that end with the older keys.
    """

    fallback_keys = serializers.IntegerField()
    stored = KeyDependenceSerializer(many=True)
    tokens = serializers.IntegerField()
    addresses = KeyDependenceSerializer(many=True)
    unreadable = KeyDependenceSerializer(many=True)


class PasswordCheckSerializer(PermissionFilteredSerializer):
    """The comparison with breached passwords. `failed_at`: the latest that was not compared."""

    is_on = serializers.BooleanField()
    is_reached = serializers.BooleanField()
    checked_at = Rfc3339Field(allow_null=True)
    failed_at = Rfc3339Field(allow_null=True)
    error = serializers.CharField()


class SystemSerializer(PermissionFilteredSerializer):
    """The state of the installation. `versions`: an empty text means that it does not answer."""

    versions = serializers.SerializerMethodField()
    problems = SystemProblemSerializer(many=True)
    processes = SystemProcessSerializer(many=True)
    work = WaitingWorkSerializer()
    disks = SystemDiskSerializer(many=True)
    database_bytes = serializers.IntegerField()
    tables = SystemTableSerializer(many=True)
    backup = SystemBackupSerializer(allow_null=True)
    secret_key = SecretKeySerializer()
    password_check = PasswordCheckSerializer()

    def get_versions(self, facts: SystemFacts) -> dict[str, str]:
        """By title."""
        return dict(facts.versions)


class SystemView(ApiView):
    """`GET /system`."""

    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(operation_id="system", responses=SystemSerializer)
    def get(self, request: Request) -> Response:
        """Versions, processes, work, disks, the database, the latest backup, keys, problems."""
        facts = load_system_facts(database_now())
        return Response(serialize(SystemSerializer, facts))
