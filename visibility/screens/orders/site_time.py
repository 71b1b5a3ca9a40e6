"""The local time of the site where an event happened, if it differs from the time on the page."""

from datetime import datetime

from django.db.models import Q

from connectors.sdk.events import Attribute, CanonicalEvent
from visibility.formatting import format_date, in_zone
from visibility.models.master import Location
from visibility.storage.organization import organization_time_zone

# The zone of a location for which nobody has entered one.
NO_ZONE = "UTC"


def site_time_text(event: CanonicalEvent, occurred_at: datetime) -> str:
    """`15:07 CST in Dallas`, with the date if it is another one; empty without such a site.

    The site is the location of the event, else its warehouse, with the zone that the master data
    had then. One SQL statement at most.
    """
    codes = [event.attributes.get(name) for name in (Attribute.LOCATION, Attribute.WAREHOUSE)]
    codes = [code for code in codes if code]
    if not codes:
        return ""
    valid = Location.objects.exclude(zone=NO_ZONE).filter(
        Q(valid_from=None) | Q(valid_from__lte=occurred_at),
        Q(valid_to=None) | Q(valid_to__gt=occurred_at),
        code__in=codes,
    )
    sites = sorted(valid, key=lambda site: codes.index(site.code))
    here = in_zone(occurred_at, organization_time_zone())
    for site in sites:
        local = in_zone(occurred_at, site.zone)
        if local.utcoffset() == here.utcoffset():
            return ""
        day = "" if local.date() == here.date() else f"{format_date(local.date())}, "
        return f"{day}{local:%H:%M %Z} in {site.title or site.code}"
    return ""
