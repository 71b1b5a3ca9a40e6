"""The event types that usual English and German status texts stand for."""

import re
from collections.abc import Iterable, Mapping

from connectors.sdk.manifest.usual_field_names import snake_case

# The first pattern that matches decides. A text with several usual meanings is in none of them.
USUAL_STATUS_TEXTS: Mapping[str, str] = {
    "order.received": r"received|new|created|imported|neu|eingegangen",
    "order.released": r"released|freigegeben",
    "order.held": r"(on_?)?hold|held|gesperrt",
    "order.cancelled": r"cancell?(ed)?|stor(no|niert)?",
    "pick.started": r"(in_?)?picking(_?started)?|pick_?started|in_kommissionierung",
    "pick.completed": r"picked|pick(ing)?_?completed|komm(issioniert)?",
    "pack.completed": r"packed|pack(ing)?_?completed|verp(ackt)?",
    "shipment.confirmed": r"((part(ly|ial|ially)?|short|teil)_?)?"
    r"(shipped|dispatched|despatched|versandt|versendet)|ship(ped)?_?confirmed|vers"
    r"|teil(lieferung|versand)?|shipped_(short|partial(ly)?)",
    "shipment.in_transit": r"in_?transit|unterwegs",
    "shipment.delivered": r"delivered|zugestellt",
    "line.backordered": r"back_?ordered",
}
# Goods left, but less than was due.
SHORT = re.compile(r".*short.*|part.*|teil.*|.*partial.*")


def event_types_of_status_texts(texts: Iterable[str]) -> dict[str, list[str]]:
    """Return the texts by the event type that they usually stand for; others are left out."""
    by_type: dict[str, list[str]] = {kind: [] for kind in (*USUAL_STATUS_TEXTS, "line.shorted")}
    for text in texts:
        name = snake_case(text)
        for kind, pattern in USUAL_STATUS_TEXTS.items():
            if re.fullmatch(pattern, name):
                by_type[kind].append(text)
                break
    shipped = by_type["shipment.confirmed"]
    by_type["line.shorted"] = [text for text in shipped if SHORT.fullmatch(snake_case(text))]
    return {kind: those for kind, those in by_type.items() if those}
