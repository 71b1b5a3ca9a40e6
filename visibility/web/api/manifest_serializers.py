"""Bodies and responses of the endpoints of manifests."""

from typing import Any

from rest_framework import serializers

from visibility.db.parse_id_and_time import MAX_VERSION
from visibility.ingest.check_manifest_input import MAX_SAMPLE_BYTES, MAX_TEXT_BYTES
from visibility.models.manifests import MAX_NOTE_LENGTH, MAX_SAMPLE_NAME_LENGTH, MAX_SLUG_LENGTH
from visibility.screens.manifests.compare_readings import Difference
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
)
from visibility.web.api.request_body_serializers import RequestBody

# A text or a sample, with the escapes of JSON.
MAX_MANIFEST_BODY = 2 * MAX_SAMPLE_BYTES + 65_536


class ManifestSummarySerializer(PermissionFilteredSerializer):
    """A manifest. `live_version`: null until it is published. `sources`: how many use it."""

    slug = serializers.CharField(source="manifest.slug")
    title = serializers.CharField()
    live_version = serializers.SerializerMethodField()
    draft_differs = serializers.BooleanField(source="has_changes")
    revision = serializers.IntegerField(source="manifest.revision")
    changed_at = Rfc3339Field(source="manifest.changed_at")
    changed_by = UserSerializer(source="manifest.changed_by", allow_null=True)
    sources = serializers.IntegerField()

    def get_live_version(self, summary: Any) -> int | None:
        """The number of the live version."""
        return summary.live_number or None


class ManifestSampleSerializer(PermissionFilteredSerializer):
    """A payload that is stored with the manifest."""

    name = serializers.CharField()
    bytes = serializers.IntegerField()


class ManifestSerializer(ManifestSummarySerializer):
    """A manifest with the text of its draft, and the names of its samples."""

    text = serializers.CharField(source="manifest.text")
    samples = ManifestSampleSerializer(many=True)


class ManifestVersionSerializer(PermissionFilteredSerializer):
    """A version that was published. `restored_version`: a roll-back published its text again."""

    number = serializers.IntegerField()
    text = serializers.CharField()
    note = serializers.CharField()
    restored_version = serializers.IntegerField(source="restored_number", allow_null=True)
    published_at = Rfc3339Field()
    published_by = UserSerializer(allow_null=True)


class ManifestProblemSerializer(PermissionFilteredSerializer):
    """A problem. `line` counts from 1; 0 is the text as a unit."""

    line = serializers.IntegerField()
    path = serializers.CharField()
    sentence = serializers.CharField()


class PayloadReadingSerializer(PermissionFilteredSerializer):
    """What a sample or an example gives. `expected`: what an example states."""

    name = serializers.CharField()
    events = serializers.JSONField()
    event_count = serializers.IntegerField()
    ignored = serializers.CharField()
    parked = serializers.CharField()
    expected = serializers.CharField()


class ManifestCheckSerializer(PermissionFilteredSerializer):
    """The result of a check. `warnings` do not prevent publishing."""

    can_be_published = serializers.BooleanField(source="is_valid")
    problems = ManifestProblemSerializer(many=True)
    problem_count = serializers.IntegerField()
    readings = PayloadReadingSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class EventChangeSerializer(PermissionFilteredSerializer):
    """An event that only one reading has (`new`, `removed`), or with other fields (`changed`).

    `differences`: lists of name, text today, and text of the draft.
    """

    type = serializers.CharField()
    key = serializers.CharField()
    what = serializers.CharField()
    differences = serializers.JSONField(source="fields")


class MessageComparisonSerializer(PermissionFilteredSerializer):
    """Both readings of a message that differ."""

    message_id = serializers.CharField()
    difference = EnumField(Difference)
    today = serializers.ListField(source="today_types", child=serializers.CharField())
    draft = serializers.ListField(source="draft_types", child=serializers.CharField())
    today_problem = serializers.CharField()
    draft_problem = serializers.CharField()
    changes = EventChangeSerializer(many=True)


class EventTypeCountSerializer(PermissionFilteredSerializer):
    """How many events of a type each reading gives."""

    type = serializers.CharField()
    today = serializers.IntegerField()
    draft = serializers.IntegerField()


class ReadingComparisonSerializer(PermissionFilteredSerializer):
    """The draft compared with today's reading, for the newest messages of a source.

    `examined` of `selected` messages were read before a limit. `problem`: why it could not run.
    """

    problem = serializers.CharField()
    selected = serializers.IntegerField()
    examined = serializers.IntegerField()
    newly_read = serializers.IntegerField()
    newly_parked = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField()
    event_types = EventTypeCountSerializer(many=True, source="types")
    messages = MessageComparisonSerializer(many=True, source="differing")


class NewManifestBody(RequestBody):
    """A draft from a `sample`, or from a copy of another manifest (`copy_of`)."""

    slug = serializers.CharField(max_length=MAX_SLUG_LENGTH)
    sample = serializers.CharField(
        required=False, default="", max_length=MAX_SAMPLE_BYTES, trim_whitespace=False
    )
    sample_name = serializers.CharField(
        required=False, default="", max_length=MAX_SAMPLE_NAME_LENGTH
    )
    copy_of = serializers.CharField(required=False, default="", max_length=60)


class ManifestDraftBody(RequestBody):
    """The text of the draft. With `revision`, it is refused if the draft has another one."""

    text = serializers.CharField(max_length=MAX_TEXT_BYTES, trim_whitespace=False)
    revision = serializers.IntegerField(required=False, min_value=1, max_value=MAX_VERSION)


class ManifestCheckBody(RequestBody):
    """A text to check, which is not stored; without it, the draft."""

    text = serializers.CharField(required=False, max_length=MAX_TEXT_BYTES, trim_whitespace=False)


class ManifestSampleBody(RequestBody):
    """A payload. It replaces the sample of this name."""

    name = serializers.CharField(max_length=MAX_SAMPLE_NAME_LENGTH)
    sample = serializers.CharField(max_length=MAX_SAMPLE_BYTES, trim_whitespace=False)


class PublishManifestBody(RequestBody):
    """A note for the history. With `revision`, it is refused if the draft has another one."""

    note = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=MAX_NOTE_LENGTH
    )
    revision = serializers.IntegerField(required=False, min_value=1, max_value=MAX_VERSION)


class RollBackManifestBody(RequestBody):
    """The number of an earlier version, and a note for the history."""

    version = serializers.IntegerField(min_value=1, max_value=MAX_VERSION)
    note = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=MAX_NOTE_LENGTH
    )


class CompareManifestBody(RequestBody):
    """The source whose newest messages are read."""

    source = serializers.CharField(max_length=60)  # type: ignore[assignment]
