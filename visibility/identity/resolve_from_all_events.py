"""Full resolution: resolve connected objects from all their events, and write the differences.

The number of statements does not grow with the number of objects. An object id stays with the
numbers that it was first assigned to: merged ids redirect, and undoing a merge restores both ids.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC

from visibility.db import bulk
from visibility.identity import (
    create_and_delete_objects,
    identifier_row_differences,
    parent_child_object_relations,
    record_merges_and_move_alerts,
)
from visibility.identity.alert_transfer import copy_alerts_to_split_orders, undo_moves
from visibility.identity.load_reuse_windows import load_reuse_windows
from visibility.identity.lock_and_load_component import (
    ConnectedComponent,
    lock_and_load_component,
    lock_and_load_merge_targets,
)
from visibility.identity.pure.constrained_union_find import Generation
from visibility.identity.pure.group_mentions_into_objects import (
    DecisionKind,
    ResolvedObject,
    ResolvedObjectsAndGenerations,
    resolve_mentions,
)
from visibility.identity.pure.keys_and_reuse_windows import (
    IdentifierKey,
    ReuseWindows,
    strength_rank,
)
from visibility.identity.pure.mentions_and_generations import Mention, RefKey
from visibility.identity.update_unmatched_objects import replace_unmatched_objects
from visibility.storage import refold_queue


def resolve_identities(
    seeds: Iterable[int],
    *,
    new_mentions: Sequence[Mention] = (),
    keys: Iterable[IdentifierKey] = (),
    spellings: Mapping[IdentifierKey, str] | None = None,
    enqueue: Callable[[Collection[int]], None] = refold_queue.enqueue_refolds,
) -> dict[RefKey, int]:
    """Resolve the seeds, the new mentions and the keys. Return {(event id, reference): object id}.

    Runs in the caller's transaction; `enqueue` requests refolds of what may have changed. Raises
    MergeTooLarge or ConcurrentChange.
    """
    component = lock_and_load_component(seeds, new_mentions, set(keys))
    for key, spelling in (spellings or {}).items():
        component.spellings.setdefault(key, ((), spelling))
    windows = load_reuse_windows()
    resolution = resolve_mentions(
        list(component.mentions.values()),
        component.decisions,
        windows,
        known_shared_keys=component.widely_shared_keys,
    )
    stored = identifier_row_differences.load_identifier_rows(component.objects)
    before = parent_child_object_relations.with_ancestors(component.objects)
    writer = _ResolutionWriter(component, resolution, stored, windows)
    writer.write_resolution()
    enqueue({*before, *component.objects, *writer.object_ids})
    return writer.object_by_ref


class _ResolutionWriter:
    """The object id of each resolved object, and the rows to write."""

    def __init__(
        self,
        component: ConnectedComponent,
        resolution: ResolvedObjectsAndGenerations,
        stored: Mapping[int, identifier_row_differences.IdentifierRow],
        windows: ReuseWindows,
    ) -> None:
        self._component, self._generations, self._stored = component, resolution.generations, stored
        self._windows = windows
        self._stored_spellings = {row.key: row.spelling for row in stored.values()}
        self._original_objects = self._load_original_object_ids_by_generation()
        originals = {id(resolved): self._originals_of(resolved) for resolved in resolution.objects}
        self._resolved = sorted(
            resolution.objects,
            key=lambda g: (
                g.is_separated,
                min(originals[id(g)], default=2**63),
                min(strength_rank(key) for key, _ in g.generations),
                g.generations,
            ),
        )
        taken: set[int] = set()
        self.object_ids: list[int] = []
        for resolved in self._resolved:
            if len(originals[id(resolved)]) > record_merges_and_move_alerts.MAX_MERGED:
                raise record_merges_and_move_alerts.MergeTooLarge(
                    f"more than {record_merges_and_move_alerts.MAX_MERGED} objects would become one"
                )
            free = sorted(originals[id(resolved)] - taken)
            self.object_ids.append(free[0] if free else 0)
            taken.update(free[:1])
        missing = [index for index, owner in enumerate(self.object_ids) if not owner]
        created = create_and_delete_objects.create_objects_of_kinds(
            [self._resolved[index].generations[0][0][0] for index in missing]
        )
        for index, object_id in zip(missing, created, strict=True):
            self.object_ids[index] = object_id
        # {merged object: surviving object}, for objects that no longer represent a group.
        self._merged_into: dict[int, int] = {}
        for resolved, owner in zip(self._resolved, self.object_ids, strict=True):
            for original in originals[id(resolved)]:
                if original not in taken:
                    self._merged_into.setdefault(original, owner)
        self.object_by_ref = {
            mention.ref_key: owner
            for resolved, owner in zip(self._resolved, self.object_ids, strict=True)
            for mention in resolved.mentions
        }

    def _load_original_object_ids_by_generation(self) -> dict[Generation, set[int]]:
        originals: dict[Generation, set[int]] = {}
        for row in self._stored.values():
            if row.is_identity and row.key in self._generations:
                generations = self._generations[row.key]
                generation = (
                    generations.index_at(row.first_at)
                    if row.first_at
                    else min(row.generation, len(generations.intervals) - 1)
                )
                originals.setdefault((row.key, generation), set()).add(
                    row.original_object_id or row.object_id
                )
        outside = {
            object_id for ids in originals.values() for object_id in ids
        } - self._component.objects
        self._component.merged_into |= lock_and_load_merge_targets(outside)
        # An object that was merged into an object outside the component must not be moved.
        foreign = {
            o for o in outside if self._component.merged_into.get(o) not in self._component.objects
        }
        return {key_generation: ids - foreign for key_generation, ids in originals.items()}

    def _originals_of(self, resolved: ResolvedObject) -> set[int]:
        return {
            object_id
            for generation in resolved.generations
            for object_id in self._original_objects.get(generation, ())
        }

    def write_resolution(self) -> None:
        """Write everything that differs."""
        merges = self._new_merges()
        freed = [o for o in self.object_ids if self._component.merged_into.get(o) is not None]
        self._write_merge_redirects()
        self._write_event_links()
        identifier_row_differences.write_differences(self._stored, self._identifier_rows())
        touched = {*self._component.objects, *self.object_ids}
        parent_child_object_relations.rebuild_relations(
            touched, self.object_by_ref, self._component.decisions
        )
        record_merges_and_move_alerts.delete_derived_rows_and_record_merges(merges)
        if freed:
            undo_moves({*self._component.objects, *self.object_ids, *self._merged_into})
        copy_alerts_to_split_orders(self.object_by_ref, self._component.object_by_ref)
        replace_unmatched_objects(touched, claimed=touched)

    def _new_merges(self) -> list[record_merges_and_move_alerts.MergeRecord]:
        """Return the new merges, each with its evidence."""
        evidence: dict[int, tuple[int, IdentifierKey | None]] = {}
        for resolved in self._resolved:
            for generation, mention in sorted(resolved.evidence.items()):
                for original in self._original_objects.get(generation, ()):
                    evidence.setdefault(original, (mention.ref_key[0], generation[0]))
        decisions = [a for a in self._component.decisions if a.kind is DecisionKind.JOIN]
        merges = []
        for loser, winner in sorted(self._merged_into.items()):
            if self._component.merged_into.get(loser) == winner:
                continue
            event_id, key = evidence.get(loser, (0, None))
            decision_id = decisions[-1].id if decisions and not event_id else None
            merges.append(
                record_merges_and_move_alerts.MergeRecord(
                    winner, loser, event_id, ":".join(key or ())[:350], decision_id
                )
            )
        return merges

    def _write_merge_redirects(self) -> None:
        has_decisions = any(a.kind is not DecisionKind.BELONGS for a in self._component.decisions)
        targets: dict[int, int | None] = {**self._merged_into, **dict.fromkeys(self.object_ids)}
        ordered = sorted(targets)
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(
                """
                UPDATE visibility_businessobject o
                SET merged_into_id = t.target, has_manual_decisions = %s
                FROM unnest(%s::bigint[], %s::bigint[]) AS t (id, target)
                WHERE o.id = t.id
                    AND (o.merged_into_id, o.has_manual_decisions) IS DISTINCT FROM (t.target, %s)
                """,
                [has_decisions, ordered, [targets[o] for o in ordered], has_decisions],
            )
            cursor.execute(
                """
                UPDATE visibility_businessobject o SET merged_into_id = r.merged_into_id
                FROM visibility_businessobject r
                WHERE o.merged_into_id = ANY(%s) AND r.id = o.merged_into_id
                    AND r.merged_into_id IS NOT NULL
                """,
                [sorted(self._merged_into)],
            )

    def _write_event_links(self) -> None:
        object_by_ref, component = self.object_by_ref, self._component
        moved = {p: o for p, o in object_by_ref.items() if component.object_by_ref.get(p, o) != o}
        moved |= {
            p: self._merged_into[o]
            for p, o in component.superseded.items()
            if o in self._merged_into
        }
        fresh = sorted(p for p in object_by_ref if p not in component.object_by_ref)
        with bulk.server_bound_cursor() as cursor:
            if moved:
                ordered = sorted(moved)
                cursor.execute(
                    """
                    UPDATE visibility_eventobjectlink link SET object_id = t.object_id
                    FROM unnest(%s::bigint[], %s::int[], %s::bigint[])
                        AS t (event_id, ref, object_id)
                    WHERE link.event_id = t.event_id AND link.ref = t.ref
                    """,
                    [[p[0] for p in ordered], [p[1] for p in ordered], [moved[p] for p in ordered]],
                )
            if fresh:
                cursor.execute(
                    """
                    INSERT INTO visibility_eventobjectlink (object_id, event_id, occurred_at, ref)
                    SELECT * FROM unnest(
                        %s::bigint[], %s::bigint[], %s::timestamptz[], %s::smallint[])
                    """,
                    [
                        [object_by_ref[p] for p in fresh],
                        [p[0] for p in fresh],
                        [component.times[p] for p in fresh],
                        [p[1] for p in fresh],
                    ],
                )

    def _identifier_rows(self) -> Iterable[identifier_row_differences.IdentifierRow]:
        """Yield the identifier rows that follow from the resolution."""
        for resolved, object_id in zip(self._resolved, self.object_ids, strict=True):
            for key, generation in resolved.generations:
                first, last = self._generations[key].intervals[generation]
                timed = self._windows.reuse_window_of_key(key) is not None
                yield identifier_row_differences.IdentifierRow(
                    key,
                    self._spelling(key),
                    is_identity=True,
                    object_id=object_id,
                    generation=generation,
                    reused_from=first.astimezone(UTC).date() if generation else None,
                    first_at=first if timed else None,
                    last_at=last if timed else None,
                    original_object_id=self._original_object_id_of_generation(
                        (key, generation), object_id
                    ),
                )
            own = {key for key, _ in resolved.generations}
            for key in sorted(resolved.rejected_keys - own):
                yield identifier_row_differences.IdentifierRow(
                    key, self._spelling(key), is_identity=False, object_id=object_id, rejected=True
                )
            other_keys = {key for mention in resolved.mentions for key in mention.other_keys}
            shared_keys = resolved.shared_keys - own
            for key in sorted((other_keys | shared_keys) - resolved.rejected_keys):
                yield identifier_row_differences.IdentifierRow(
                    key,
                    self._spelling(key),
                    is_identity=False,
                    object_id=object_id,
                    is_shared=key in shared_keys,
                )

    def _original_object_id_of_generation(self, generation: Generation, object_id: int) -> int:
        """Return the object it was first assigned to, if that is or was merged into the owner."""
        originals = self._original_objects.get(generation, set())
        return min(
            (h for h in originals if h == object_id or self._merged_into.get(h) == object_id),
            default=object_id,
        )

    def _spelling(self, key: IdentifierKey) -> str:
        return (
            self._stored_spellings.get(key) or self._component.spellings.get(key, ((), key[3]))[1]
        )
