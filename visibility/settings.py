"""Every setting, read once from the environment; a wrong value stops the start with a sentence."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from visibility.environment import boolean, integer, items, text

BASE_DIR = Path(__file__).resolve().parent.parent

# Demonstration data: one-click sign-in by role, no second factor. Never set this in production.
DEMO = boolean("DEMO", default=False)
DEBUG = boolean("DEBUG", default=False)
DATA_DIR = Path(text("DATA_DIR", default=str(BASE_DIR / "var")))

SECRET_KEY = text("SECRET_KEY", default="")
if not SECRET_KEY:
    key_file = DATA_DIR / "secret.key"
    SECRET_KEY = key_file.read_text().strip() if key_file.is_file() else ""
if len(SECRET_KEY) < 32:
    raise SystemExit(
        "SECRET_KEY is missing or shorter than 32 characters. Set SECRET_KEY (or SECRET_KEY_FILE), "
        "or start with `python3 manage.py up`, which makes one."
    )

ALLOWED_HOSTS = items("ALLOWED_HOSTS", default="127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = items("CSRF_TRUSTED_ORIGINS", default="")
PUBLIC_URL = text("PUBLIC_URL", default="http://127.0.0.1:8000")
# Where a trace can be looked at, such as https://tempo.example/trace/{trace_id}.
TRACE_URL = text("TRACE_URL", default="")
if TRACE_URL and not (TRACE_URL.startswith(("http://", "https://")) and "{trace_id}" in TRACE_URL):
    raise SystemExit("TRACE_URL must be a http(s) address with {trace_id} in it")
# Behind a proxy that ends TLS: cookies are marked secure and the proxy's scheme header is believed.
BEHIND_TLS = boolean("BEHIND_TLS", default=False)


def database(url: str) -> dict[str, Any]:
    """`postgresql://user:password@host:port/name`; a socket folder goes in `?host=/folder`."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise SystemExit(f"DATABASE_URL must begin with postgresql://, not {parts.scheme}://")
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or query.get("port", "")),
        "CONN_HEALTH_CHECKS": True,
        # Django's pool, not CONN_MAX_AGE: under ASGI the latter runs out of connections.
        "OPTIONS": {
            # After a failure the pool tries again at once when somebody asks, instead of after a
            # pause that has grown with the outage.
            "pool": {
                "min_size": 1,
                "max_size": DATABASE_POOL,
                "timeout": 5,
                "reconnect_timeout": 1,
            },
            # A network that swallows everything must not hold anybody for hours.
            "connect_timeout": 3,
            "keepalives_idle": 20,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            # Our statements are short: compiling them, or a process to help, takes longer.
            # The server notices within a minute that a client's machine is gone, and frees locks.
            "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=5 "
            "-c tcp_keepalives_count=3 -c lock_timeout=10s -c timezone=UTC -c jit=off "
            "-c max_parallel_workers_per_gather=0 -c idle_in_transaction_session_timeout=30s",
        },
    }


DATABASE_POOL = integer("DATABASE_POOL", default=10)
DATABASE_URL = text("DATABASE_URL", default="postgresql:///visibility")
REDIS_URL = text("REDIS_URL", default="redis://127.0.0.1:6379/0")
DATABASES = {"default": database(DATABASE_URL)}

INSTALLED_APPS = [
    "visibility.apps.VisibilityConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "visibility.web.security_headers.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "visibility.web.database_unavailable.DatabaseAway",
]
ROOT_URLCONF = "visibility.urls"
ASGI_APPLICATION = "visibility.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "visibility.web.context_processors.frame",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "/signin"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/signin"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
# The organisation's own zone: days of the KPIs, times on the screens.
TIME_ZONE = text("TIME_ZONE", default="UTC")

STATIC_URL = "/static/"
STATIC_ROOT = Path(text("STATIC_ROOT", default=str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

EMAIL_HOST = text("EMAIL_HOST", default="")
EMAIL_PORT = integer("EMAIL_PORT", default=25)
EMAIL_HOST_USER = text("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = boolean("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = text("EMAIL_FROM", default="throughline@localhost")
# Without a mail server, mails are kept as files, so that nothing is silently unsent.
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if EMAIL_HOST
    else "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = str(DATA_DIR / "mail")

CHANNEL_LAYERS = {
    "default": {
        # The pub/sub layer: the core layer closes idle sockets after 5 s with redis-py 8.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": text("REDIS_PREFIX", default="throughline")},
    }
}
REDIS_PREFIX = text("REDIS_PREFIX", default="throughline")

# Intake limits (bytes, seconds). The answers beyond them are in docs/pipeline.md.
MAX_BODY = integer("MAX_BODY", default=1_048_576)
MAX_FILE_BODY = integer("MAX_FILE_BODY", default=10_485_760)
MAX_INFLATED = integer("MAX_INFLATED", default=10_485_760)
BODY_TIMEOUT = integer("BODY_TIMEOUT", default=20)
# Messages a second one source may send before it is told 429; a burst of twice as many is fine.
SOURCE_RATE = integer("SOURCE_RATE", default=2_000)

# Private addresses pollers may call, as host:port (on-premises systems live there).
OUTGOING_ALLOWED = items("OUTGOING_ALLOWED", default="")
if DEMO and (DATA_DIR / "run" / "demo.json").is_file():
    # The simulated ERP of the demonstration, and no other address of this machine.
    erp_port = json.loads((DATA_DIR / "run" / "demo.json").read_text())["erp_port"]
    OUTGOING_ALLOWED.append(f"127.0.0.1:{erp_port}")

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "visibility.web.api.problems.handler",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Throughline",
    "DESCRIPTION": "One timeline for every order.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": text("LOG_LEVEL", default="INFO")},
}
