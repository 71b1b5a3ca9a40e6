"""Load the reuse windows of numbers from the settings of the sources."""

from datetime import timedelta

from structlog.stdlib import get_logger

from connectors.sdk.identifier_normalization import REUSE_SETTING, parse_reuse_intervals_by_scheme
from visibility.db import bulk
from visibility.identity.pure.keys_and_reuse_windows import ReuseWindows
from visibility.storage import configuration_cache

log = get_logger(__name__)


def load_reuse_windows() -> ReuseWindows:
    """Return the reuse windows of all sources. An invalid setting is logged and ignored."""
    return configuration_cache.load_once_per_configuration_version(
        "reuse_windows", _read_reuse_windows_of_sources
    )


def _read_reuse_windows_of_sources() -> ReuseWindows:
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(
            "SELECT slug, config->>%s FROM visibility_source WHERE config->>%s IS NOT NULL",
            [REUSE_SETTING, REUSE_SETTING],
        )
        rows = cursor.fetchall()
    windows: dict[tuple[str, str], timedelta] = {}
    for slug, setting in rows:
        try:
            windows |= {
                (slug, scheme.value): gap
                for scheme, gap in parse_reuse_intervals_by_scheme(setting).items()
            }
        except ValueError as error:
            log.warning("setting_invalid", source=slug, setting=REUSE_SETTING, error=str(error))
    return ReuseWindows(windows)
