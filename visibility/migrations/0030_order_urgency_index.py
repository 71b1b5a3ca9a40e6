"""An index for the default order of the open orders, built without blocking the workers."""

from datetime import UTC, datetime

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce

NEVER = models.Value(datetime(9999, 12, 31, tzinfo=UTC), output_field=models.DateTimeField())
SETTLED = models.Case(
    models.When(is_open=True, delivered_at__isnull=True, then=models.Value(0)),
    default=models.Value(1),
    output_field=models.IntegerField(),
)


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY cannot run in a transaction.
    atomic = False

    dependencies = [("visibility", "0029_order_sort_indexes")]

    operations = [
        # An interrupted run leaves an invalid index.
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS order_urgency", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            "order",
            models.Index(
                SETTLED, Coalesce("promised_at", NEVER), models.F("object"), name="order_urgency"
            ),
        ),
    ]
