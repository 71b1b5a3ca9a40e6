"""People's decisions about the identity of orders: merge, split, mark as different, undo.

A decision names identifiers. It is stored permanently and applies to every later resolution of
these identifiers, until it is undone.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from django.contrib.auth.models import User

from visibility.identity import parent_child_object_relations, resolve_from_all_events
from visibility.identity.pure.group_mentions_into_objects import DecisionKind
from visibility.identity.pure.keys_and_reuse_windows import IdentifierKey
from visibility.models.audit import append_audit_entry
from visibility.models.decisions_and_merges import DecisionIdentifier, IdentityDecision
from visibility.models.objects_and_identifiers import BusinessObject, Identifier
from visibility.storage.load_events import scheme_rank

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The kinds of objects that may belong to an order.
CHILD_KINDS = frozenset(kind.value for kind in parent_child_object_relations.PARENT_KINDS)
MAX_IDENTIFIERS = 500


class DecisionRejected(ValueError):
    """The decision is not possible now; the message is a sentence for the user."""


def merge_or_attach_objects(
    left_id: int, right_id: int, *, by: User, reason: str, now: datetime
) -> IdentityDecision:
    """Merge two orders, or attach a shipment, package, invoice or return to the first order.

    Raises DecisionRejected.
    """
    left, right = _load_surviving_object(left_id), _load_surviving_object(right_id)
    if left.pk == right.pk:
        raise DecisionRejected("These are already the same order.")
    if left.kind != "order" or right.kind not in {"order", *CHILD_KINDS}:
        raise DecisionRejected(
            "Only an order, shipment, package, invoice or return can be added to an order."
        )
    identities = [_load_identity_identifiers(left), _load_identity_identifiers(right)]
    is_merge = left.kind == right.kind
    decision = _store_decision_and_resolve(
        DecisionKind.JOIN if is_merge else DecisionKind.BELONGS,
        [side[:1] for side in identities],
        by=by,
        reason=reason,
        now=now,
    )
    if is_merge and _load_surviving_ids([left.pk]) != _load_surviving_ids([right.pk]):
        raise DecisionRejected(
            "An earlier decision says that these orders are different. Undo that decision first."
        )
    return decision


def split_order(
    order_id: int,
    identifiers: Collection[tuple[str, str, str]],
    *,
    by: User,
    reason: str,
    now: datetime,
) -> IdentityDecision:
    """Split identifiers (scheme, issuer, value) from an order into an order of their own.

    An event that names both stays with the original order. Raises DecisionRejected.
    """
    order = _load_surviving_object(order_id)
    identities = _load_identity_identifiers(order)
    moved = [i for i in identities if (i.scheme, i.issuer, i.value) in set(identifiers)]
    remaining = [i for i in identities if i not in moved]
    if not moved or len(moved) < len(set(identifiers)):
        raise DecisionRejected("Some of these numbers do not belong to this order.")
    if not remaining:
        raise DecisionRejected("The order must keep at least one of its numbers.")
    decision = _store_decision_and_resolve(
        DecisionKind.SPLIT, [remaining, moved], by=by, reason=reason, now=now
    )
    target_ids = _object_ids_named_by_identifiers(moved)
    if order.pk in target_ids or not target_ids:
        raise DecisionRejected(
            "This split would move nothing: a person merged these numbers, or every event also "
            "names a number that stays."
        )
    return decision


def decide_objects_are_distinct(
    left_id: int, right_id: int, *, by: User, reason: str, now: datetime
) -> IdentityDecision:
    """Mark two similar objects as different, so that no number ever merges them.

    Raises DecisionRejected.
    """
    left, right = _load_surviving_object(left_id), _load_surviving_object(right_id)
    if left.pk == right.pk or left.kind != right.kind:
        raise DecisionRejected("Select two different records of the same kind.")
    sides = [_load_identity_identifiers(left), _load_identity_identifiers(right)]
    return _store_decision_and_resolve(DecisionKind.DISTINCT, sides, by=by, reason=reason, now=now)


def undo_decision(decision_id: int, *, by: User, now: datetime) -> IdentityDecision:
    """Undo a decision, as if it had never been made. Raises DecisionRejected."""
    decision = IdentityDecision.objects.select_for_update().filter(pk=decision_id).first()
    if decision is None:
        raise DecisionRejected("This decision does not exist.")
    if decision.undone_at:
        raise DecisionRejected("This decision is already undone.")
    decision.undone_at, decision.undone_by = now, by
    decision.save(update_fields=["undone_at", "undone_by"])
    append_audit_entry(
        f"join.undo_{decision.verdict}", user=by, object=f"join {decision.pk}", detail={}, now=now
    )
    resolve_from_all_events.resolve_identities((), keys=_identifier_keys_of_decision(decision))
    return decision


def object_ids_named_by_decision(decision: IdentityDecision) -> list[int]:
    """Return the ids of the objects that the identifiers of a decision name now."""
    identifiers = Identifier.objects.none()
    for number in decision.identifiers.all():
        identifiers |= Identifier.objects.filter(
            is_identity=True,
            kind=number.kind,
            scheme=number.scheme,
            issuer=number.issuer,
            value=number.value,
        )
    return sorted(set(identifiers.values_list("object_id", flat=True)))


def _load_surviving_object(object_id: int) -> BusinessObject:
    business_object = (
        BusinessObject.objects.filter(pk=object_id).select_related("merged_into").first()
    )
    if business_object is None:
        raise DecisionRejected("This order does not exist.")
    return business_object.merged_into or business_object


def _load_identity_identifiers(business_object: BusinessObject) -> list[Identifier]:
    """Return the identities of an object, in the order of preference for display."""
    identifiers = list(
        Identifier.objects.filter(object=business_object, is_identity=True)[: MAX_IDENTIFIERS + 1]
    )
    if not identifiers:
        raise DecisionRejected("This record has no number of its own.")
    if len(identifiers) > MAX_IDENTIFIERS:
        raise DecisionRejected(f"This record has more than {MAX_IDENTIFIERS} numbers.")
    return sorted(
        identifiers,
        key=lambda i: (scheme_rank(i.scheme), i.scheme, i.issuer, i.value, i.generation),
    )


def _store_decision_and_resolve(
    kind: DecisionKind,
    sides: Sequence[Sequence[Identifier]],
    *,
    by: User,
    reason: str,
    now: datetime,
) -> IdentityDecision:
    """Store the decision and resolve the affected objects."""
    left, right = (side[0].raw[:250] for side in sides)
    decision = IdentityDecision.objects.create(
        verdict=kind.value,
        left_label=left,
        right_label=right,
        reason=reason[:4000],
        decided_at=now,
        decided_by=by,
    )
    seen: set[tuple[str, ...]] = set()
    rows = []
    for side_index, side in enumerate(sides):
        for i in side:
            key = (i.kind, i.scheme, i.issuer, i.value)
            if key in seen:
                continue  # another generation of the same number is listed already
            seen.add(key)
            rows.append(
                DecisionIdentifier(
                    decision=decision,
                    side=side_index,
                    kind=i.kind,
                    scheme=i.scheme,
                    issuer=i.issuer,
                    value=i.value,
                    used_at=i.last_at or EPOCH,
                )
            )
    DecisionIdentifier.objects.bulk_create(rows)
    detail = {"left": left, "right": right, "why": reason[:500]}
    append_audit_entry(
        f"join.{kind.value}", user=by, object=f"join {decision.pk}", detail=detail, now=now
    )
    resolve_from_all_events.resolve_identities((), keys=_identifier_keys_of_decision(decision))
    return decision


def _identifier_keys_of_decision(decision: IdentityDecision) -> list[IdentifierKey]:
    return [(n.kind, n.scheme, n.issuer, n.value) for n in decision.identifiers.all()]


def _load_surviving_ids(object_ids: Collection[int]) -> set[int]:
    rows = BusinessObject.objects.filter(pk__in=object_ids).values_list("pk", "merged_into_id")
    return {merged or pk for pk, merged in rows}


def _object_ids_named_by_identifiers(identifiers: Sequence[Identifier]) -> set[int]:
    """Return the ids of the objects that these identifiers name now."""
    object_ids: set[int] = set()
    for i in identifiers:
        rows = Identifier.objects.filter(
            is_identity=True,
            kind=i.kind,
            scheme=i.scheme,
            issuer=i.issuer,
            value=i.value,
            generation=i.generation,
        )
        object_ids.update(rows.values_list("object_id", flat=True))
    return object_ids
