"""The sealed end of the audit log, and the last work of worker and scheduler."""

from typing import Any

import django.db.models.functions.datetime
from django.db import migrations, models

from visibility.db.keyed_seal import seal_text

CREATE_HEAD = """
CREATE TABLE visibility_audithead (
    id integer PRIMARY KEY CHECK (id = 1),
    entries bigint NOT NULL,
    last_entry_id bigint NOT NULL,
    digest varchar(64) NOT NULL,
    seal varchar(64) NOT NULL
)
"""
SELECT_END = """
SELECT count(*), coalesce(max(id), 0),
    coalesce((SELECT digest FROM visibility_auditentry ORDER BY id DESC LIMIT 1), '')
FROM visibility_auditentry
"""
ADD_HEARTBEATS = "INSERT INTO visibility_heartbeat (name) VALUES ('scheduler'), ('worker')"


def seal_end(_apps: Any, schema_editor: Any) -> None:
    """Seal the audit log as it is now."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(SELECT_END)
        entries, last_entry_id, digest = cursor.fetchone()
        seal = seal_text(f"{entries} {last_entry_id} {digest}", purpose="audit head")
        cursor.execute(
            "INSERT INTO visibility_audithead VALUES (1, %s, %s, %s, %s)",
            [entries, last_entry_id, digest, seal],
        )


class Migration(migrations.Migration):
    dependencies = [("visibility", "0019_rule_rechecks")]

    operations = [
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("entries", models.BigIntegerField()),
                ("last_entry_id", models.BigIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("seal", models.CharField(max_length=64)),
            ],
            options={"db_table": "visibility_audithead", "managed": False},
        ),
        migrations.RunSQL(CREATE_HEAD, "DROP TABLE visibility_audithead"),
        migrations.RunPython(seal_end, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                (
                    "name",
                    models.CharField(max_length=40, primary_key=True, serialize=False),
                ),
                (
                    "at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.RunSQL(ADD_HEARTBEATS, migrations.RunSQL.noop),
    ]
