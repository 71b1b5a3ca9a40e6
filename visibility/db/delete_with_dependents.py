"""Delete rows together with all rows that refer to them, in the order of the foreign keys.

The foreign keys are those of the models, so that a table that is added later is included.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from django.db import models

BATCH_SIZE = 5_000


def delete_with_dependents(model: type[models.Model], keys: Collection[Any]) -> Counter[str]:
    """Delete the rows with these primary keys, and return how many rows by name of the table.

    A reference that the model declares as SET_NULL becomes null; its row stays. Runs in the
    caller's transaction.
    """
    deleted: Counter[str] = Counter()
    _delete(model, set(keys), deleted, visited=set())
    return deleted


def _delete(
    model: type[models.Model],
    keys: set[Any],
    deleted: Counter[str],
    *,
    visited: set[tuple[type[models.Model], Any]],
) -> None:
    keys = {key for key in keys if (model, key) not in visited}
    visited.update((model, key) for key in keys)
    if not keys:
        return
    for child, field in _references_to(model):
        referring = child._base_manager.filter(**{f"{field.name}__in": keys})
        if field.remote_field.on_delete is models.SET_NULL:
            referring.update(**{field.name: None})
        else:
            referring_keys = set(referring.values_list("pk", flat=True))
            _delete(child, referring_keys, deleted, visited=visited)
    deleted[model._meta.db_table] += model._base_manager.filter(pk__in=keys)._raw_delete("default")


def _references_to(model: type[models.Model]) -> Iterator[tuple[type[models.Model], Any]]:
    """Each model with a foreign key to this one, and that field; also of the tables between two."""
    for relation in model._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and not relation.many_to_many:
            yield relation.related_model, relation.field  # type: ignore[misc, union-attr]  # a relation
