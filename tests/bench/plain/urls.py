"""The two addresses."""

from django.urls import path

from tests.bench.plain.views import Batch, Hook

urlpatterns = [
    path("hooks/<slug:source>", Hook.as_view()),
    path("api/v1/events", Batch.as_view()),
]
