"""Which members of Throughline event data matter to each event type."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.sdk.events import LINE_DATES, Attribute, EventType, Measure, ObjectKind
from connectors.sdk.parse_event_references import SINGLE_OBJECTS

REFERENCE_MEMBERS = ("order", "orders", "packages", "tracking", *SINGLE_OBJECTS)
VOID_TYPES = frozenset({EventType.SHIPMENT_VOID, EventType.INVOICE_VOID})


class MemberUse(StrEnum):
    """How much a member matters to an event type.

    `required`: an event without it is parked. `ignored`: it is stored and shown with the event, but
    changes nothing on the timeline.
    """

    REQUIRED = "required"
    USED = "used"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class RequiredObjectKind:
    """The kind of object that an event type needs, and the members that can name it."""

    kind: ObjectKind
    members: tuple[str, ...]


# All other types need any reference to an object.
REQUIRED_MEMBERS: Mapping[EventType, RequiredObjectKind] = {
    EventType.ORDER_RECEIVED: RequiredObjectKind(ObjectKind.ORDER, ("order", "orders")),
    EventType.QUOTATION_ISSUED: RequiredObjectKind(ObjectKind.QUOTATION, ("quotation",)),
    EventType.CONTRACT_SIGNED: RequiredObjectKind(ObjectKind.CONTRACT, ("contract",)),
    EventType.GOODS_MOVEMENT_POSTED: RequiredObjectKind(
        ObjectKind.GOODS_MOVEMENT, ("goods_movement",)
    ),
    EventType.CREDIT_REQUESTED: RequiredObjectKind(
        ObjectKind.CREDIT_MEMO_REQUEST, ("credit_memo_request",)
    ),
    EventType.DEBIT_REQUESTED: RequiredObjectKind(
        ObjectKind.DEBIT_MEMO_REQUEST, ("debit_memo_request",)
    ),
    EventType.RETURN_DELIVERY_CREATED: RequiredObjectKind(
        ObjectKind.RETURN_DELIVERY, ("return_delivery",)
    ),
}


def uses_line_seller_and_dates(event_type: EventType) -> bool:
    """Whether the event type tells the seller and the dates of lines."""
    return event_type.value.startswith(("order.", "line."))


def reads_package_contents(event_type: EventType) -> bool:
    """Whether the event type tells which lines are in which package."""
    return event_type in {EventType.PACK_COMPLETED, EventType.SHIPMENT_CONFIRMED}


def members_any_of_which_is_required(event_type: EventType) -> tuple[str, ...]:
    """The members of which an event of this type needs at least one."""
    required = REQUIRED_MEMBERS.get(event_type)
    return required.members if required else REFERENCE_MEMBERS


def member_use(event_type: EventType, member: str) -> MemberUse:
    """How much a member, such as `order`, `lines.shipped` or `attributes.eta`, matters."""
    required = REQUIRED_MEMBERS.get(event_type)
    if required and member in required.members:
        return MemberUse.REQUIRED
    return MemberUse.IGNORED if member in ignored_members(event_type) else MemberUse.USED


def ignored_members(event_type: EventType) -> frozenset[str]:
    """The members that change nothing on the timeline."""
    ignored = {f"attributes.{Attribute.DETAIL}", f"attributes.{Attribute.LOCATION}"}
    if event_type in VOID_TYPES:
        ignored |= {"quantity_mode", "lines.quantity_mode"}
        ignored |= {f"lines.{measure}" for measure in Measure}
    if not uses_line_seller_and_dates(event_type):
        ignored.add("lines.seller")
        ignored |= {f"lines.{name}" for name in LINE_DATES}
    if not reads_package_contents(event_type):
        ignored.add("lines.package")
    return frozenset(ignored)
