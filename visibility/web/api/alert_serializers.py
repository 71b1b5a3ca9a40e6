"""The shapes of the answers about alerts that are made of others."""

from rest_framework import serializers

from visibility.models import AlertState
from visibility.web.api.serializers import AlertShape, HistoryShape, Shape, Word


class OneAlertShape(AlertShape):
    """One alert in full."""

    history = HistoryShape(many=True)


class ResultShape(Shape):
    """What became of one alert of a bulk act: its new state, or why not."""

    id = serializers.IntegerField()
    status = serializers.IntegerField(help_text="200, 404 or 409.")
    state = Word(AlertState, required=False)
    detail = serializers.CharField(required=False)


class BulkShape(Shape):
    """A result for each id, in the order given."""

    results = ResultShape(many=True)
