"""The sources, the calendar and the rules of the demo data.

They name each other by slugs that no other source has, and the rules apply to a channel of the
demo alone, so that nothing of the customer's own is affected.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from visibility.management.commands.demo import DEMO_RULES, ROUND_THE_CLOCK
from visibility.management.demo_sources import SOURCES
from visibility.sla.silence_limits import SILENCE_SETTING
from visibility.storage.organization import organization_time_zone

# The channel of the rules, too. Orders by EDI have the channel of all EDI orders.
WEB, INSIDE = "Demo web", "Demo inside sales"
CHANNELS = {"channel.WEB": WEB, "channel.INSIDE": INSIDE}
TEAM_PREFIX = "Demo: "


def demo_source_settings(prefix: str) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Yield slug, connector, title and settings of each source."""
    for system, (connector, title, role, config, _) in SOURCES.items():
        settings = {name: _own_issuer(text, prefix) for name, text in config.items()}
        settings |= {"role": role, SILENCE_SETTING: "never"}
        if system == "shop":
            settings["channel"] = WEB
        if system == "erp":
            settings |= CHANNELS
            settings["base_url"] = "https://erp.demo.invalid/api/v2.0/companies(demo)"
        yield f"{prefix}-{system}", connector, f"Demo: {title}", settings


def _own_issuer(text: str, prefix: str) -> str:
    """Replace the slugs of the sources in a setting: `sales_order@erp`, `shop`."""
    scheme, at, slug = text.rpartition("@")
    return f"{scheme}{at}{prefix}-{slug}" if slug in SOURCES else text


def demo_calendar(prefix: str) -> dict[str, Any]:
    """The fields of the calendar of the rules."""
    return {
        "code": f"{prefix}-warehouses",
        "title": "Demo: warehouses, around the clock",
        "zone": organization_time_zone(),
        "hours": ROUND_THE_CLOCK,
    }


def demo_rules(prefix: str) -> list[Mapping[str, Any]]:
    """The values of the rules, without their calendar."""
    return [
        {
            **rule,
            "code": f"{prefix}-{rule['code']}",
            "title": f"Demo: {rule['title']}",
            "team": f"{TEAM_PREFIX}{rule['team']}",
            "scope": {"channel": WEB},
        }
        for rule in DEMO_RULES
    ]


def demo_team_titles() -> list[str]:
    """The titles of the teams that own the rules."""
    return [f"{TEAM_PREFIX}{rule['team']}" for rule in DEMO_RULES]
