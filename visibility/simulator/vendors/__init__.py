"""Messages of each external system: body, headers and signature."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from visibility.simulator.simulated_order import SimulatedOrder, SimulatedStep, StepKind
from visibility.simulator.vendors import easypost, finance, shiphero, shopify, x12
from visibility.simulator.vendors.message import SimulatedMessage


class SimulatedVendor(NamedTuple):
    """How a system writes and signs its messages."""

    build_message: Callable[[SimulatedOrder, SimulatedStep], SimulatedMessage]
    sign: Callable[[SimulatedMessage, str, float], Mapping[str, str]]


VENDORS: Mapping[str, SimulatedVendor] = {
    "shop": SimulatedVendor(shopify.build_message, shopify.build_signature_headers),
    "edi": SimulatedVendor(x12.build_message, x12.build_signature_headers),
    "wms": SimulatedVendor(shiphero.build_message, shiphero.build_signature_headers),
    "3pl": SimulatedVendor(x12.build_message, x12.build_signature_headers),
    "carrier": SimulatedVendor(easypost.build_message, easypost.build_signature_headers),
    "finance": SimulatedVendor(
        finance.build_standard_webhooks_message, finance.build_signature_headers
    ),
}


def build_full_or_truncated_message(order: SimulatedOrder, step: SimulatedStep) -> SimulatedMessage:
    """The message of a step. A duplicate has the same bytes and ID; a truncated one is cut off."""
    complete = VENDORS[step.kind.source].build_message(order, step)
    if not step.truncated:
        return complete
    headers = {
        name: f"{text}-truncated"
        if name in {"x-shopify-webhook-id", "x-shiphero-message-id"}
        else text
        for name, text in complete.headers.items()
    }
    return SimulatedMessage(
        complete.source,
        complete.body[: len(complete.body) * 3 // 5],
        headers,
        f"{complete.identity}-truncated",
    )


def build_3pl_997_heartbeat_message(index: int, at: float) -> SimulatedMessage:
    """The 3PL's functional acknowledgment with this index; sent even when nothing ships."""
    return x12.build_functional_acknowledgment(
        SimulatedStep(at, at, StepKind.NORTH_HEARTBEAT), index
    )


def signed_headers(message: SimulatedMessage, secret: str, now: float) -> dict[str, str]:
    """All headers of the message, including the vendor's signature of the body."""
    return {**message.headers, **VENDORS[message.source].sign(message, secret, now)}
