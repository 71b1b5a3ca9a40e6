"""The registry of screens: each page module, its place in the navigation, and who may open it.

The URL configuration and the navigation are made from it. A row without a module in `web/pages`
stops the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, include, path

from visibility.web.permissions import Permission


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """An entry of the navigation. `key`: its shortcut after "g". `icon`: a name in `icons.svg`.

    `prefixes`: first parts of further URLs that belong to the section. `group`: the heading that
    the entry is under, empty for the main sections.
    """

    title: str
    url: str
    key: str
    icon: str
    permission: Permission
    prefixes: tuple[str, ...] = ()
    group: str = ""

    def contains(self, url_path: str) -> bool:
        """Whether the page at this path is in the section."""
        return url_path.split("/")[1] in {self.path.split("/")[1], *self.prefixes}

    @property
    def path(self) -> str:
        """The URL without its query string."""
        return self.url.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Screen:
    """A module of `web/pages`, and its entry in the navigation, if it has one."""

    module: str
    navigation: NavigationEntry | None = None


# In the order of the navigation. The first URL pattern that matches wins.
SCREENS: tuple[Screen, ...] = (
    Screen("sign_in_and_out"),
    Screen("single_sign_on_sign_in"),
    Screen("saml_sign_in"),
    Screen("session_expiry"),
    Screen("account_links"),
    Screen("account"),
    Screen("own_notifications"),
    Screen("second_factor"),
    Screen(
        "boards",
        NavigationEntry(
            "Board",
            "/boards/operations",
            "b",
            "layout-dashboard",
            Permission.BOARDS,
            ("screen-links",),
        ),
    ),
    Screen("board_changes"),
    Screen("board_tiles"),
    Screen("demo_tour"),
    Screen("exports"),
    Screen(
        "order_list",
        NavigationEntry("Orders", "/orders?open=1", "o", "package", Permission.ORDERS, ("search",)),
    ),
    Screen("order_preview"),
    Screen("order"),
    Screen("order_lanes"),
    Screen("order_notes"),
    Screen("order_event"),
    Screen("event_fields"),
    Screen("tracking_links"),
    Screen("tracking_emails"),
    Screen("tracking"),
    Screen("search"),
    Screen(
        "alerts",
        NavigationEntry("Alerts", "/alerts", "a", "alert-triangle", Permission.ALERTS_SEE),
    ),
    Screen("alert_health"),
    Screen("alert_groups"),
    Screen("alert_actions"),
    Screen("list_exports"),
    Screen("kpi_exports"),
    Screen(
        "kpis",
        NavigationEntry("KPIs", "/numbers", "n", "chart-line", Permission.KPIS, ("kpi-targets",)),
    ),
    Screen("kpi_notes"),
    Screen("kpi_targets"),
    Screen(
        "identity",
        NavigationEntry(
            "Matching", "/joins", "j", "git-merge", Permission.MATCHING_SEE, group="Configure"
        ),
    ),
    Screen("unmatched_records"),
    Screen("new_source"),
    Screen("manifests"),
    Screen("manifest_versions"),
    Screen("release_checks"),
    Screen("release_check_actions"),
    Screen("source_list"),
    Screen(
        "sources",
        NavigationEntry(
            "Sources",
            "/sources",
            "s",
            "plug-connected",
            Permission.SOURCES_SEE,
            ("messages", "manifests", "release-checks"),
        ),
    ),
    Screen("source_changes"),
    Screen("source_requests"),
    Screen("source_maintenance"),
    Screen("source_fields"),
    Screen("sources_not_reporting"),
    Screen("message_replays"),
    Screen("message_discards"),
    Screen("edited_messages"),
    Screen("message_retention"),
    Screen(
        "mappings",
        NavigationEntry(
            "Mappings", "/mappings", "m", "table", Permission.MAPPINGS_SEE, group="Configure"
        ),
    ),
    Screen("unmapped_terms"),
    Screen("master_row_lists"),
    Screen("rule_changes"),
    Screen(
        "rules",
        NavigationEntry(
            "Rules",
            "/rules",
            "r",
            "adjustments",
            Permission.RULES_SEE,
            ("calendars",),
            group="Configure",
        ),
    ),
    Screen("calendars"),
    Screen(
        "subscriptions",
        NavigationEntry(
            "Subscriptions",
            "/subscriptions",
            "u",
            "mail",
            Permission.SUBSCRIPTIONS_SEE,
            group="Configure",
        ),
    ),
    Screen("deliveries"),
    Screen(
        "people",
        NavigationEntry(
            "People",
            "/people",
            "p",
            "users",
            Permission.ADMINISTER,
            ("teams",),
            group="Configure",
        ),
    ),
    Screen("teams"),
    Screen("security"),
    Screen("single_sign_on"),
    Screen("saml_settings"),
    Screen("outgoing_addresses"),
    Screen("mail_server"),
    Screen(
        "setup",
        NavigationEntry("Set-up", "/setup", "t", "list", Permission.ADMINISTER, group="Configure"),
    ),
    Screen(
        "organization",
        NavigationEntry(
            "Organization",
            "/organization",
            "i",
            "settings",
            Permission.ADMINISTER,
            group="Configure",
        ),
    ),
    Screen("customer_brand"),
    Screen(
        "audit",
        NavigationEntry(
            "Audit log", "/audit", "l", "history", Permission.ADMINISTER, group="Configure"
        ),
    ),
    Screen(
        "system",
        NavigationEntry(
            "System", "/system", "y", "device-desktop", Permission.ADMINISTER, group="Configure"
        ),
    ),
    Screen("api_tokens"),
    Screen("background_exports"),
    Screen("saved_views"),
    Screen("style_guide"),
    Screen("help"),
    Screen("schemas"),
    Screen("health_and_metrics"),
)


def screen_urls(screens: Sequence[Screen]) -> list[URLPattern | URLResolver]:
    """The URL patterns of the screens. Raises ImportError for a screen without a module."""
    return [path("", include(f"visibility.web.pages.{screen.module}")) for screen in screens]


def navigation_entries(screens: Sequence[Screen]) -> list[NavigationEntry]:
    """The entries of the navigation, in order."""
    return [screen.navigation for screen in screens if screen.navigation]
