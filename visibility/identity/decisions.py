"""What people decide about who is who: join, split, tell apart, undo. Kept, and never forgotten.

An act speaks of numbers. It is weighed with everything that was said, whenever any of it is weighed
again; undoing one withdraws it and weighs again.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from django.contrib.auth.models import User

from visibility.identity import relations, resolve
from visibility.identity.pure.keys import Number
from visibility.identity.pure.resolution import Verdict
from visibility.models.audit import record
from visibility.models.objects import BusinessObject, Identifier, JoinAct, JoinNumber
from visibility.storage.events import PREFERRED

LONGEST_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# What may be said to belong to an order.
PARTS = frozenset(kind.value for kind in relations.PARENTS)
MOST_NUMBERS = 500


class Refused(ValueError):
    """The act is not possible as things stand; the text is a sentence for the person."""


def join(left_id: int, right_id: int, *, by: User, why: str, now: datetime) -> JoinAct:
    """The two are one order; or the second, a shipment or the like, is part of the first order.

    Raises Refused.
    """
    left, right = _object(left_id), _object(right_id)
    if left.pk == right.pk:
        raise Refused("They are one already.")
    if left.kind != "order" or right.kind not in {"order", *PARTS}:
        raise Refused("Only orders are joined, and what may be part of one.")
    names = [_numbers(left), _numbers(right)]
    one = left.kind == right.kind
    act = _keep(
        Verdict.JOIN if one else Verdict.BELONGS,
        [side[:1] for side in names],
        by=by,
        why=why,
        now=now,
    )
    if one and _roots([left.pk]) != _roots([right.pk]):
        raise Refused("Somebody has told them apart: undo that first.")
    return act


def split(
    order_id: int,
    numbers: Collection[tuple[str, str, str]],
    *,
    by: User,
    why: str,
    now: datetime,
) -> JoinAct:
    """These numbers (scheme, issuer, value) were never this order's: they become one of their own.

    An event that names both stays. Raises Refused.
    """
    order = _object(order_id)
    names = _numbers(order)
    moved = [i for i in names if (i.scheme, i.issuer, i.value) in set(numbers)]
    kept = [i for i in names if i not in moved]
    if not moved or len(moved) < len(set(numbers)):
        raise Refused("These are not all numbers of this order.")
    if not kept:
        raise Refused("Leave the order at least one of its numbers.")
    act = _keep(Verdict.SPLIT, [kept, moved], by=by, why=why, now=now)
    gone = _owners(moved)
    if order.pk in gone or not gone:
        raise Refused(
            "Nothing would move: a person joined them, or every event names what stays as well."
        )
    return act


def tell_apart(left_id: int, right_id: int, *, by: User, why: str, now: datetime) -> JoinAct:
    """The two look alike and are not the same: no number will ever join them. Raises Refused."""
    left, right = _object(left_id), _object(right_id)
    if left.pk == right.pk or left.kind != right.kind:
        raise Refused("There are not two of one kind here.")
    sides = [_numbers(left), _numbers(right)]
    return _keep(Verdict.DISTINCT, sides, by=by, why=why, now=now)


def undo(act_id: int, *, by: User, now: datetime) -> JoinAct:
    """Withdraw an act: things are as if it had never been. Raises Refused."""
    act = JoinAct.objects.select_for_update().filter(pk=act_id).first()
    if act is None:
        raise Refused("There is no such act.")
    if act.undone_at:
        raise Refused("It has been undone already.")
    act.undone_at, act.undone_by = now, by
    act.save(update_fields=["undone_at", "undone_by"])
    record(f"join.undo_{act.verdict}", who=by, object=f"join {act.pk}", detail={}, now=now)
    resolve.resolve((), numbers=_spoken_of(act))
    return act


def touched(act: JoinAct) -> list[int]:
    """The objects that an act's numbers name now."""
    found = Identifier.objects.none()
    for number in act.numbers.all():
        found |= Identifier.objects.filter(
            strong=True,
            kind=number.kind,
            scheme=number.scheme,
            issuer=number.issuer,
            value=number.value,
        )
    return sorted(set(found.values_list("object_id", flat=True)))


def _object(object_id: int) -> BusinessObject:
    found = BusinessObject.objects.filter(pk=object_id).select_related("merged_into").first()
    if found is None:
        raise Refused("There is no such order.")
    return found.merged_into or found


def _numbers(of: BusinessObject) -> list[Identifier]:
    """Its strong numbers, the one people say first."""
    found = list(Identifier.objects.filter(object=of, strong=True)[: MOST_NUMBERS + 1])
    if not found:
        raise Refused("It goes by no number of its own.")
    if len(found) > MOST_NUMBERS:
        raise Refused(f"It goes by more than {MOST_NUMBERS} numbers.")
    rank = {scheme.value: place for scheme, place in PREFERRED.items()}
    return sorted(
        found, key=lambda i: (rank.get(i.scheme, len(rank)), i.scheme, i.issuer, i.value, i.part)
    )


def _keep(
    verdict: Verdict,
    sides: Sequence[Sequence[Identifier]],
    *,
    by: User,
    why: str,
    now: datetime,
) -> JoinAct:
    """Write the act down and weigh everything it touches."""
    left, right = (side[0].raw[:250] for side in sides)
    act = JoinAct.objects.create(
        verdict=verdict.value, left=left, right=right, why=why[:4000], made_at=now, made_by=by
    )
    told: set[tuple[str, ...]] = set()
    rows = []
    for place, side in enumerate(sides):
        for i in side:
            number = (i.kind, i.scheme, i.issuer, i.value)
            if number in told:
                continue  # an earlier use of the same number speaks for it
            told.add(number)
            rows.append(
                JoinNumber(
                    act=act,
                    side=place,
                    kind=i.kind,
                    scheme=i.scheme,
                    issuer=i.issuer,
                    value=i.value,
                    at=i.last_at or LONGEST_AGO,
                )
            )
    JoinNumber.objects.bulk_create(rows)
    detail = {"left": left, "right": right, "why": why[:500]}
    record(f"join.{verdict.value}", who=by, object=f"join {act.pk}", detail=detail, now=now)
    resolve.resolve((), numbers=_spoken_of(act))
    return act


def _spoken_of(act: JoinAct) -> list[Number]:
    return [(n.kind, n.scheme, n.issuer, n.value) for n in act.numbers.all()]


def _roots(object_ids: Collection[int]) -> set[int]:
    rows = BusinessObject.objects.filter(pk__in=object_ids).values_list("pk", "merged_into_id")
    return {merged or pk for pk, merged in rows}


def _owners(numbers: Sequence[Identifier]) -> set[int]:
    """The objects these numbers name now."""
    found: set[int] = set()
    for i in numbers:
        rows = Identifier.objects.filter(
            strong=True, kind=i.kind, scheme=i.scheme, issuer=i.issuer, value=i.value, part=i.part
        )
        found.update(rows.values_list("object_id", flat=True))
    return found
