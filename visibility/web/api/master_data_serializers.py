"""Serializers of master data tables, rows, changes and unmapped source values."""

from rest_framework import serializers

from visibility.master_data.tables import TABLES, MasterTable
from visibility.models.master import Versioned
from visibility.web.api.common_serializers import PermissionFilteredSerializer, Rfc3339Field


class MasterColumnSerializer(PermissionFilteredSerializer):
    """A column of a master data table."""

    name = serializers.CharField()
    title = serializers.CharField()
    is_required = serializers.BooleanField(source="required")
    description = serializers.CharField()


class MasterTableSerializer(PermissionFilteredSerializer):
    """A master data table."""

    code = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    columns = MasterColumnSerializer(many=True)


class MasterTableListSerializer(PermissionFilteredSerializer):
    """All master data tables."""

    items = MasterTableSerializer(many=True)


class MasterRowSerializer(PermissionFilteredSerializer):
    """A row. `values` maps each column to its text, in the same form as in files."""

    id = serializers.CharField(source="pk")
    version = serializers.IntegerField()
    changed_at = Rfc3339Field()
    changed_by = serializers.SerializerMethodField()
    values = serializers.SerializerMethodField()

    def get_changed_by(self, row: Versioned) -> str | None:
        """The user who last changed the row; null for the command line."""
        return row.changed_by.get_username() if row.changed_by else None

    def get_values(self, row: Versioned) -> dict[str, str]:
        """Each column's text."""
        return table_of_row(row).format_cells(row)


class MasterChangeSerializer(PermissionFilteredSerializer):
    """A change of a row. `before` and `after` map each column to its text."""

    id = serializers.CharField(source="pk")
    version = serializers.IntegerField()
    action = serializers.CharField()
    at = Rfc3339Field()
    user = serializers.CharField(source="user.username", default=None, allow_null=True)
    origin = serializers.CharField()
    before = serializers.DictField(child=serializers.CharField(), allow_null=True)
    after = serializers.DictField(child=serializers.CharField(), allow_null=True)


class MasterRowWithHistorySerializer(MasterRowSerializer):
    """A row with its change history, newest first."""

    history = MasterChangeSerializer(many=True)


class RowWriteCountsSerializer(PermissionFilteredSerializer):
    """The number of rows added, changed and unchanged by a write."""

    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class MappingSuggestionSerializer(PermissionFilteredSerializer):
    """A suggested value for a source value."""

    canonical = serializers.CharField()
    title = serializers.CharField()
    confidence_percent = serializers.IntegerField(source="certainty")
    reason = serializers.CharField(source="why")


class UnmappedTermSerializer(PermissionFilteredSerializer):
    """A source value without a mapping."""

    kind = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    term = serializers.CharField(source="raw")
    description = serializers.CharField()
    first_at = Rfc3339Field()
    last_at = Rfc3339Field()
    orders = serializers.IntegerField()
    example = serializers.CharField(help_text="The id of an affected order.")


class UnmappedTermWithSuggestionsSerializer(UnmappedTermSerializer):
    """A source value without a mapping, with up to three suggestions."""

    suggestions = MappingSuggestionSerializer(many=True)


def table_of_row(row: Versioned) -> MasterTable:
    """The table that the row belongs to."""
    return next(table for table in TABLES.values() if isinstance(row, table.model))
