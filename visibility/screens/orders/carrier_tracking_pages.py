"""The public tracking page of a package, where its carrier is known."""

import re
from urllib.parse import quote

# A token of the carrier's name without spaces and signs, and its page for one number.
TRACKING_PAGES = {
    "ups": "https://www.ups.com/track?loc=en_US&tracknum={}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
    "dhl": "https://www.dhl.com/us-en/home/tracking.html?tracking-id={}",
    "ontrac": "https://www.ontrac.com/tracking/?number={}",
    "saia": "https://www.saia.com/track/details;pro={}",
    "xpo": "https://www.xpo.com/track/?pro={}",
    "estes": "https://www.estes-express.com/myestes/shipment-tracking/?query={}&type=PRO",
}
LETTERS = re.compile(r"[a-z]+")


def public_tracking_page(carrier: str, number: str) -> str:
    """The URL of the carrier's page for the number; empty if the carrier is not in the table."""
    tokens = LETTERS.findall(carrier.lower())
    template = next((TRACKING_PAGES[token] for token in tokens if token in TRACKING_PAGES), "")
    return template.format(quote(number.replace(" ", ""), safe="")) if template and number else ""
