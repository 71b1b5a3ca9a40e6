#!/usr/bin/env python3
"""Run the commands of Throughline. `up` and `test` only need Python; they install the rest."""

import os
import sys

# This file must parse on Python 3.8, so that old versions print the message below.
if sys.version_info < (3, 11):
    sys.exit(
        "Python 3.11 or newer is needed; this is %d.%d (%s)."
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )


def main() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")
    from visibility.launcher import venv_setup

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    venv_setup.ensure_running_in_venv(
        here, development=command in {"test", "screenshots", "bench", "soak"}
    )
    if command == "up":
        from visibility.launcher import up_command

        return up_command.main(sys.argv[2:])
    if command == "test":
        from visibility.launcher import pytest_command

        return pytest_command.main(sys.argv[2:])
    if command == "bench":
        from visibility.launcher import bench_command

        return bench_command.main(sys.argv[2:])
    if command == "soak":
        from tests.processes.faults import soak

        return soak.main(sys.argv[2:])
    if command in {"backup", "restore"}:
        from visibility.launcher import backup_command

        code = backup_command.main(sys.argv)
        if code is not None:
            return code
    if command in {"replace_secret_key", "replace-secret-key"}:
        from visibility.launcher import replace_key_command

        code = replace_key_command.main(sys.argv)
        if code is not None:
            return code
    from visibility.launcher import instance_lock_and_environment

    # Accept `import-ocel` for the module import_ocel.
    sys.argv[1:2] = [command if command.startswith("-") else command.replace("-", "_")]
    sys.argv = instance_lock_and_environment.apply_instance_environment(sys.argv)
    import django
    from django.core.management import execute_from_command_line

    from visibility import gc_tuning

    with gc_tuning.without_collection():
        django.setup()
    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
