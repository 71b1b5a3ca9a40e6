"""Indexes for the sort orders of the order list, built without blocking the workers."""

from django.db import migrations, models

INDEXES = {
    "order_sort_promised": "promised_at",
    "order_sort_total": "total",
    "order_sort_number": "number",
}


def create_index(name: str, column: str) -> migrations.RunSQL:
    """Each statement can be repeated if the migration is interrupted."""
    return migrations.RunSQL(
        [
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
            f"CREATE INDEX CONCURRENTLY {name} ON visibility_order ({column}, object_id)",
        ],
        [f"DROP INDEX {name}"],
        state_operations=[
            migrations.AddIndex("order", models.Index(fields=[column, "object"], name=name)),
        ],
    )


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY cannot run in a transaction.
    atomic = False

    dependencies = [("visibility", "0028_order_notes_and_watches")]

    operations = [create_index(name, column) for name, column in INDEXES.items()]
