"""References -> objects: strong numbers seen together are one object; everything is set-based.

What is new or clear is placed here, in a fixed number of statements for a batch. What could join
objects, begin a new use of a number, or touch what a person decided is handed to `resolve`, which
weighs everything that was ever said of it. Both give the same answer.

Rows are inserted and locked in sorted order, so that two workers do not wait for each other in a
ring; where PostgreSQL still finds one, the batch is simply done again.
"""

from collections.abc import Iterable, Mapping, Sequence

from visibility.db import bulk
from visibility.identity import objects as making
from visibility.identity import relations as relate
from visibility.identity import resolve
from visibility.identity.classify import Named, Placing, Sorting, raw
from visibility.identity.component import Moved, hold
from visibility.identity.generations import decided, extend, known_uses
from visibility.identity.pure.keys import numbers_of
from visibility.identity.reuse_windows import periods
from visibility.models.events import Draft
from visibility.storage import refold_queue

__all__ = ["Moved", "store", "withdraw"]
# Another worker may be faster with a number: look again, so many times.
TURNS = 4


def store(drafts: Sequence[Draft], sources: Mapping[int, str]) -> list[int]:
    """Insert the events that are new, link them to their objects; ids of the objects touched.

    `sources`: source id -> slug. Call it in a transaction. An event that is known already, word for
    word, changes nothing.
    """
    event_ids = _insert(drafts)
    named = [
        name
        for draft, event_id in zip(drafts, event_ids, strict=True)
        if event_id is not None
        for name in _names(event_id, draft, sources[draft.source_id])
    ]
    if not named:
        return []
    placing = _place(named)
    clear = [named[i] for i in sorted(placing.objects)]
    objects = [placing.objects[i] for i in sorted(placing.objects)]
    _link(clear, objects, placing.made)
    touched = sorted(set(objects))
    refold_queue.mark(touched)
    refold_queue.mark_later(
        [(o, n.at, n.draft.received_at) for n, o in zip(clear, objects, strict=True)]
    )
    if placing.unclear:
        unclear = [named[i] for i in placing.unclear]
        raws = dict(raw(unclear))
        homes = resolve.resolve(placing.seeds, fresh=[n.mention for n in unclear], raws=raws)
        refold_queue.mark_later(
            [(homes[(n.event_id, n.ref)], n.at, n.draft.received_at) for n in unclear]
        )
        touched = sorted({*touched, *homes.values()})
    return touched


def _insert(drafts: Sequence[Draft]) -> list[int | None]:
    """The new event's id for each draft, None where it is known."""
    rows: dict[tuple[int, str, str, object], Draft] = {}
    for d in drafts:
        rows.setdefault((d.source_id, d.event.key, d.content_hash, d.occurred_at), d)
    ordered = [rows[key] for key in sorted(rows, key=str)]
    if not ordered:
        return []
    with bulk.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO visibility_event AS e (source_id, key, content_hash, type, occurred_at,
                received_at, message_id, data)
            SELECT * FROM unnest(%s::bigint[], %b::text[], %b::text[], %b::text[],
                %s::timestamptz[], %s::timestamptz[], %s::bigint[], %b::jsonb[])
            ON CONFLICT (source_id, key, content_hash, occurred_at) DO UPDATE
                SET withdrawn = false, message_id = EXCLUDED.message_id
                WHERE e.withdrawn
            RETURNING id, source_id, key, content_hash, occurred_at
            """,
            [
                [d.source_id for d in ordered],
                [d.event.key for d in ordered],
                [d.content_hash for d in ordered],
                [d.event.type.value for d in ordered],
                [d.occurred_at for d in ordered],
                [d.received_at for d in ordered],
                [d.message_id for d in ordered],
                [d.text for d in ordered],
            ],
        )
        made = {tuple(row[1:]): row[0] for row in cursor.fetchall()}
        # One that had been withdrawn may have stood elsewhere: it is placed anew.
        cursor.execute(
            "DELETE FROM visibility_eventobject WHERE event_id = ANY(%s)", [sorted(made.values())]
        )
    result: list[int | None] = []
    for d in drafts:
        key = (d.source_id, d.event.key, d.content_hash, d.occurred_at)
        result.append(made.pop(key, None))
    return result


def _names(event_id: int, draft: Draft, slug: str) -> Iterable[Named]:
    for index, ref in enumerate(draft.event.objects):
        strong, weak = numbers_of(ref, slug)
        if strong:
            yield Named(event_id, draft, index, ref.kind, strong, weak, slug)


def _place(named: Sequence[Named]) -> Placing:
    """The object of each clear reference; makes objects for numbers nobody has."""
    numbers = sorted({number for name in named for number in name.strong})
    silences, held = periods(), decided(numbers)
    made: set[int] = set()
    known = known_uses(numbers)
    for turn in range(TURNS):
        sorting = Sorting(named, known, silences, held)
        hold(sorting.clear)
        again = known_uses(numbers) if sorting.objects else known
        if again != known:
            known = again
            continue
        if not sorting.write(made):
            extend(sorting.reached())
            return sorting.placing(made - making.unused(made) if turn else made)
        known = known_uses(numbers)
    raise Moved


def _link(named: Sequence[Named], objects: Sequence[int], made: set[int]) -> None:
    """Events to objects, objects to objects, weak numbers to objects."""
    with bulk.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO visibility_eventobject (object_id, event_id, occurred_at, ref)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::smallint[])
            ON CONFLICT DO NOTHING
            """,
            [
                list(objects),
                [n.event_id for n in named],
                [n.at for n in named],
                [n.ref for n in named],
            ],
        )
        relations = relate.relations(
            (name.event_id, name.kind.value, object_id)
            for name, object_id in zip(named, objects, strict=True)
        )
        relate.link(relations)
        weak = sorted({(*n, o) for name, o in zip(named, objects, strict=True) for n in name.weak})
        if weak:
            raws = dict(raw(named))
            cursor.execute(
                """
                INSERT INTO visibility_identifier
                    (kind, scheme, issuer, value, object_id, raw, strong)
                SELECT t.*, false FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[],
                    %s::bigint[], %b::text[]) AS t
                ON CONFLICT DO NOTHING
                """,
                [
                    *[list(column) for column in zip(*weak, strict=True)],
                    [raws[(w[0], w[1], w[2], w[3])] for w in weak],
                ],
            )
    refold_queue.orphans(made, claimed=[child for _, child, _ in relations])


def withdraw(message_ids: Sequence[int]) -> None:
    """The events of these messages count no longer: another version of the message does.

    What they alone had joined comes apart again.
    """
    if not message_ids:
        return
    with bulk.cursor() as cursor:
        cursor.execute(
            "UPDATE visibility_event SET withdrawn = true WHERE message_id = ANY(%s) "
            "AND NOT withdrawn RETURNING id",
            [list(message_ids)],
        )
        cursor.execute(
            "SELECT DISTINCT object_id FROM visibility_eventobject WHERE event_id = ANY(%s)",
            [[row[0] for row in cursor.fetchall()]],
        )
        objects = [row[0] for row in cursor.fetchall()]
    if objects:
        resolve.resolve(objects)
