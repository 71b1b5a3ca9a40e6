"""Index the corrections among the events that are stored already.

Not atomic, and safe to interrupt and to repeat: `manage.py rebuild` does the same for what a worker
of the version before has stored since.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from visibility.db.index_stored_corrections import index_stored_corrections


def forwards(_apps: Apps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    for _ in index_stored_corrections():
        pass


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("visibility", "0032_tracking_links")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
