"""The ASGI application of the plain implementation."""

from django.core.asgi import get_asgi_application

from tests.bench.plain.celery import app

app.set_default()
application = get_asgi_application()
