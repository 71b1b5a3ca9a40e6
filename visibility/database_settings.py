"""The settings of Django for the database that a URL names."""

from typing import Any
from urllib.parse import unquote, urlsplit


def build_database_settings_from_url(url: str, *, pool_size: int) -> dict[str, Any]:
    """`postgresql://user:password@host:port/name`; a socket folder goes in `?host=/folder`."""
    parsed_url = urlsplit(url)
    if parsed_url.scheme not in {"postgres", "postgresql"}:
        raise SystemExit(f"DATABASE_URL must begin with postgresql://, not {parsed_url.scheme}://")
    query = dict(pair.split("=", 1) for pair in parsed_url.query.split("&") if "=" in pair)
    return {
        "ENGINE": "visibility.db.scoped_postgresql",
        "NAME": unquote(parsed_url.path.lstrip("/")),
        "USER": unquote(parsed_url.username or ""),
        "PASSWORD": unquote(parsed_url.password or ""),
        "HOST": unquote(query.get("host", parsed_url.hostname or "")),
        "PORT": str(parsed_url.port or query.get("port", "")),
        "CONN_HEALTH_CHECKS": True,
        # Django's pool, not CONN_MAX_AGE: under ASGI the latter runs out of connections.
        "OPTIONS": {
            # After an outage, reconnect at the next request. By default, the pool first waits for
            # a pause that grows with the outage.
            "pool": {
                "min_size": 1,
                "max_size": pool_size,
                "timeout": 5,
                "reconnect_timeout": 1,
            },
            # Only statements that ask for it are prepared: see `visibility.db.bulk`.
            "prepare_threshold": 2**31,
            # A network that drops all packets must not block a process for hours.
            "connect_timeout": 3,
            "keepalives_idle": 20,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            # Statements are short: JIT compilation and parallel workers would cost more time.
            # With the keepalives, the server detects a lost client within a minute and frees locks.
            "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=5 "
            "-c tcp_keepalives_count=3 -c lock_timeout=10s -c timezone=UTC -c jit=off "
            "-c max_parallel_workers_per_gather=0 -c idle_in_transaction_session_timeout=30s",
        },
    }
