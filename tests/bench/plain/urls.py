"""URLs of the plain implementation."""

from django.urls import path

from tests.bench.plain.views import PlainBatchView, PlainWebhookView

urlpatterns = [
    path("hooks/<slug:source>", PlainWebhookView.as_view()),
    path("api/v1/events", PlainBatchView.as_view()),
]
