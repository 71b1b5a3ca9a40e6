"""The settings that pollers have in common: rows per request, overlap, and where they start."""

from connectors.sdk.settings import Setting, SettingType


def page_size_setting(
    rows: str = "rows", *, default: int = 100, maximum: int = 1_000, label: str = "Rows per request"
) -> Setting:
    """Return the setting `page_size`. `rows`: what the poller asks for, in the plural."""
    return Setting(
        "page_size",
        f"The number of {rows} per request.",
        SettingType.INTEGER,
        default=str(default),
        minimum=1,
        maximum=maximum,
        label=label,
    )


def overlap_setting(
    minutes: int = 5, *, kind: SettingType = SettingType.DECIMAL, maximum: int = 10_080
) -> Setting:
    """Return the setting `overlap_minutes`, with its default."""
    return Setting(
        "overlap_minutes",
        "How many minutes each poll goes back before the last one.",
        kind,
        default=str(minutes),
        minimum=0,
        maximum=maximum,
        label="Overlap of polls (minutes)",
    )


def first_poll_setting(ignored: str = "documents older than this date or time") -> Setting:
    """Return the setting `since`. `ignored`: what the first poll ignores."""
    return Setting(
        "since",
        f"The first poll ignores {ignored}.",
        SettingType.DATE,
        label="First poll starts at",
    )
