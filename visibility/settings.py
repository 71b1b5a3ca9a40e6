"""All settings, read once from the environment. An invalid value stops the start with a message."""

import json
from pathlib import Path

from visibility.database_settings import build_database_settings_from_url
from visibility.disk_space import disk_floor
from visibility.environment import (
    env_boolean,
    env_integer,
    env_list,
    env_secret_keys,
    env_text_or_file_content,
)
from visibility.logging_config import FORMATS, configure_structlog_and_return_logging_dict

BASE_DIR = Path(__file__).resolve().parent.parent

# Demo data: one-click sign-in by role, no second factor. Never set this in production.
DEMO = env_boolean("DEMO", default=False)
# Whether people need a second factor. An administrator can relax it in the browser.
REQUIRE_SECOND_FACTOR = env_boolean("REQUIRE_SECOND_FACTOR", default=not DEMO)
DEBUG = env_boolean("DEBUG", default=False)
DATA_DIR = Path(env_text_or_file_content("DATA_DIR", default=str(BASE_DIR / "var")))
# Below so many free bytes on the disk of the data or the database, messages are refused.
DISK_FLOOR = disk_floor()
# The folder of the database, if it is on this machine; `manage.py up` sets it.
DATABASE_FOLDER = env_text_or_file_content("DATABASE_FOLDER", default="")
if DATABASE_FOLDER and not Path(DATABASE_FOLDER).is_dir():
    raise SystemExit(f"DATABASE_FOLDER is not a folder: {DATABASE_FOLDER}")
# Manifests of connectors that people add, one YAML file for each.
CONNECTOR_FOLDER = DATA_DIR / "connectors"
# Drop folders that people choose in the browser and over the API are below these folders.
DROP_ROOTS = env_list("DROP_ROOTS", default=str(DATA_DIR / "drop"))

SECRET_KEY = env_text_or_file_content("SECRET_KEY", default="")
if not SECRET_KEY:
    key_file = DATA_DIR / "secret.key"
    SECRET_KEY = key_file.read_text().strip() if key_file.is_file() else ""
if len(SECRET_KEY) < 32:
    raise SystemExit(
        "SECRET_KEY is missing or shorter than 32 characters. Set SECRET_KEY (or SECRET_KEY_FILE), "
        "or start with `python3 manage.py up`, which creates one."
    )
# Older keys: what they encrypted or sealed stays readable. See `manage.py replace_secret_key`.
SECRET_KEY_FALLBACKS = env_secret_keys(
    "SECRET_KEY_FALLBACKS", default_file=DATA_DIR / "secret.key.fallbacks", newest=SECRET_KEY
)

ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", default="127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", default="")
PUBLIC_URL = env_text_or_file_content("PUBLIC_URL", default="http://127.0.0.1:8000")
# The URL of a trace viewer, such as https://tempo.example/trace/{trace_id}.
TRACE_URL = env_text_or_file_content("TRACE_URL", default="")
if TRACE_URL and not (TRACE_URL.startswith(("http://", "https://")) and "{trace_id}" in TRACE_URL):
    raise SystemExit("TRACE_URL must be an http(s) URL that contains {trace_id}")
# Behind a proxy that terminates TLS: cookies are secure and X-Forwarded-Proto is trusted.
BEHIND_TLS = env_boolean("BEHIND_TLS", default=False)

DATABASE_POOL = env_integer("DATABASE_POOL", default=10)
DATABASE_URL = env_text_or_file_content("DATABASE_URL", default="postgresql:///visibility")
REDIS_URL = env_text_or_file_content("REDIS_URL", default="redis://127.0.0.1:6379/0")
DATABASES = {"default": build_database_settings_from_url(DATABASE_URL, pool_size=DATABASE_POOL)}

INSTALLED_APPS = [
    "visibility.apps.VisibilityConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "visibility.web.role_permission_backend.RolePermissionBackend",
]
MIDDLEWARE = [
    "visibility.web.security_headers.SecurityHeadersMiddleware",
    "visibility.web.nul_characters_and_large_ids.RemoveNulRejectLargeIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "visibility.web.compressed_pages.CompressPagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "visibility.web.people.session_user.SessionUserMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "visibility.web.people.second_factor_middleware.SecondFactorMiddleware",
    "visibility.web.people.session_limits.SessionLimitsMiddleware",
    "visibility.web.people.download_middleware.EndDownloadsMiddleware",
    "visibility.web.people.scope_middleware.LimitToScopeMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "visibility.web.audit_denied_requests.AuditDeniedRequestsMiddleware",
    "visibility.web.database_unavailable.DatabaseUnavailableMiddleware",
    "visibility.web.organization_zone.OrganizationZoneMiddleware",
    "visibility.web.use_published_manifests.UsePublishedManifestsMiddleware",
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
                "visibility.web.context_processors.page_context",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "/signin"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/signin"
PASSWORD_HASHERS = [
    "visibility.web.limited_password_hasher.LimitedArgon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# How people sign in: see docs/decisions/0047-people.md. Our own throttle replaces allauth's limits
# of sign-ins; those of second factors count in PostgreSQL, like every cached value.
ACCOUNT_ADAPTER = "visibility.web.people.allauth_adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_TIMEOUT = 900
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_RATE_LIMITS = {
    "login_failed": "5/5m/key,20/h/key",
    "reauthenticate": "10/m/user",
}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
MFA_ADAPTER = "visibility.web.people.allauth_adapters.SecondFactorAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Throughline"
MFA_TOTP_TOLERANCE = 1
# Sign-in at an identity provider: see docs/decisions/0070-single-sign-on.md.
SOCIALACCOUNT_ADAPTER = "visibility.web.people.single_sign_on.allauth_provider.ProviderAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "visibility_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": name, "OPTIONS": {"min_length": 12} if name.endswith("LengthValidator") else {}}
    for name in (
        "django.contrib.auth.password_validation.MinimumLengthValidator",
        "django.contrib.auth.password_validation.CommonPasswordValidator",
        "django.contrib.auth.password_validation.NumericPasswordValidator",
        "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "visibility.web.people.passwords.known_terms.KnownTermsValidator",
        "visibility.web.people.passwords.breaches.BreachedPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
# The organization's time zone until an administrator enters the organization; read it with
# organization_time_zone().
TIME_ZONE = env_text_or_file_content("TIME_ZONE", default="UTC")

STATIC_URL = "/static/"
STATIC_ROOT = Path(env_text_or_file_content("STATIC_ROOT", default=str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False

SESSION_COOKIE_HTTPONLY = True
SESSION_ENGINE = "visibility.web.people.session_store"
# The longest total time that can be chosen: the row of the session decides when it ends.
SESSION_COOKIE_AGE = 90 * 24 * 60 * 60
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

EMAIL_HOST = env_text_or_file_content("EMAIL_HOST", default="")
EMAIL_PORT = env_integer("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env_text_or_file_content("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env_text_or_file_content("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env_boolean("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_text_or_file_content("EMAIL_FROM", default="throughline@localhost")
# Without a mail server, emails are written to files, so that none is lost silently.
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if EMAIL_HOST
    else "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = str(DATA_DIR / "mail")

# Emails about accounts are sent only through a mail server: a file helps nobody to sign in.
HAS_MAIL_SERVER = bool(EMAIL_HOST)

REDIS_PREFIX = env_text_or_file_content("REDIS_PREFIX", default="throughline")

# Intake limits (bytes, seconds). docs/pipeline.md lists the responses beyond them.
MAX_BODY = env_integer("MAX_BODY", default=1_048_576)
MAX_FILE_BODY = env_integer("MAX_FILE_BODY", default=10_485_760)
MAX_INFLATED = env_integer("MAX_INFLATED", default=10_485_760)
BODY_TIMEOUT = env_integer("BODY_TIMEOUT", default=20)
# Messages per second that one source may send before it gets 429. Bursts may be twice as large.
SOURCE_RATE = env_integer("SOURCE_RATE", default=2_000)

# How many days the bodies of messages are stored at least; 0 stores them forever.
MESSAGE_BODY_DAYS = env_integer("MESSAGE_BODY_DAYS", default=400)
if MESSAGE_BODY_DAYS < 0:
    raise SystemExit("MESSAGE_BODY_DAYS must be 0 (forever) or a number of days")

# How many days telemetry of sources is stored.
TELEMETRY_DAYS = env_integer("TELEMETRY_DAYS", default=30)
if TELEMETRY_DAYS < 1:
    raise SystemExit("TELEMETRY_DAYS must be a number of days from 1")

# Private addresses that pollers may call, as host:port (for on-premises systems).
OUTGOING_ALLOWED = env_list("OUTGOING_ALLOWED", default="")
if DEMO and (DATA_DIR / "run" / "demo.json").is_file():
    # Only the simulated ERP of the demo, and no other port of this machine.
    erp_port = json.loads((DATA_DIR / "run" / "demo.json").read_text())["erp_port"]
    OUTGOING_ALLOWED.append(f"127.0.0.1:{erp_port}")

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "visibility.web.api.openapi_extensions.ApiViewAutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "visibility.web.api.problem_responses.exception_handler",
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

LOG_FORMAT = env_text_or_file_content("LOG_FORMAT", default="logfmt")
if LOG_FORMAT not in FORMATS:
    raise SystemExit(f"LOG_FORMAT must be one of {', '.join(FORMATS)}, not {LOG_FORMAT!r}")
LOGGING = configure_structlog_and_return_logging_dict(
    level=env_text_or_file_content("LOG_LEVEL", default="INFO"), log_format=LOG_FORMAT
)
