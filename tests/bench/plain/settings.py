"""Settings of the plain implementation: same server, connection pool and broker as the product."""

import os

from visibility.database_settings import build_database_settings_from_url
from visibility.environment import env_integer, env_text_or_file_content

SECRET_KEY = env_text_or_file_content("SECRET_KEY", default="")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = {
    "default": build_database_settings_from_url(
        os.environ["DATABASE_URL"], pool_size=env_integer("DATABASE_POOL", default=10)
    )
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "tests.bench.plain",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "tests.bench.plain.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
