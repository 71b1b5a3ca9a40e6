"""Pages only, for tools that want WSGI. The hooks and the socket need `asgi.py`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")
application = get_wsgi_application()
