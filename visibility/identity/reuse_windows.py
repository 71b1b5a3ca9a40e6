"""How long a number must be unused, by its source's settings, before it names something else."""

import logging
from datetime import timedelta

from connectors.sdk.normalization import RECYCLES, recycling
from visibility.db import bulk
from visibility.identity.pure.keys import Periods

log = logging.getLogger(__name__)


def periods() -> Periods:
    """As the sources' settings say."""
    with bulk.cursor() as cursor:
        cursor.execute(
            "SELECT slug, config->>%s FROM visibility_source WHERE config->>%s IS NOT NULL",
            [RECYCLES, RECYCLES],
        )
        rows = cursor.fetchall()
    found: dict[tuple[str, str], timedelta] = {}
    for slug, setting in rows:
        try:
            found |= {(slug, scheme.value): gap for scheme, gap in recycling(setting).items()}
        except ValueError as error:
            log.warning("source=%s setting=%s error=%s", slug, RECYCLES, error)
    return Periods(found)
