"""Each outside system in its own words: body, headers and signature."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from visibility.simulator.model import Kind, Order, Step
from visibility.simulator.vendors import easypost, finance, shiphero, shopify, x12
from visibility.simulator.vendors.message import Message


class Vendor(NamedTuple):
    """How a system writes and signs."""

    write: Callable[[Order, Step], Message]
    sign: Callable[[Message, str, float], Mapping[str, str]]


VENDORS: Mapping[str, Vendor] = {
    "shop": Vendor(shopify.write, shopify.sign),
    "edi": Vendor(x12.write, x12.sign),
    "wms": Vendor(shiphero.write, shiphero.sign),
    "3pl": Vendor(x12.write, x12.sign),
    "carrier": Vendor(easypost.write, easypost.sign),
    "finance": Vendor(finance.write, finance.sign),
}


def write(order: Order, step: Step) -> Message:
    """The message of a step; a copy is the same bytes under the same id, a torn one is cut off."""
    whole = VENDORS[step.kind.source].write(order, step)
    if not step.torn:
        return whole
    headers = {
        name: f"{text}-torn" if name in {"x-shopify-webhook-id", "x-shiphero-message-id"} else text
        for name, text in whole.headers.items()
    }
    return Message(
        whole.source, whole.body[: len(whole.body) * 3 // 5], headers, f"{whole.identity}-torn"
    )


def pulse(index: int, at: float) -> Message:
    """The 3PL's acknowledgement number `index`: it is there, even when nothing ships."""
    return x12.pulse(Step(at, at, Kind.NORTH_PULSE), index)


def signed(message: Message, secret: str, now: float) -> dict[str, str]:
    """All headers of the message, with the vendor's signature over the exact bytes."""
    return {**message.headers, **VENDORS[message.source].sign(message, secret, now)}
