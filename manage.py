#!/usr/bin/env python3
"""Every command of Throughline; `up` and `test` need nothing but Python to begin with."""

import os
import sys

# This file must still parse on Python 3.8, so that the sentence below is what people read.
if sys.version_info < (3, 11):
    sys.exit(
        "Python 3.11 or newer is needed; this is %d.%d (%s)."
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )


def main() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "visibility.settings")
    from visibility.launcher import bootstrap

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    bootstrap.ensure(here, development=command in {"test", "shots", "bench", "soak"})
    if command == "up":
        from visibility.launcher import up

        return up.main(sys.argv[2:])
    if command == "test":
        from visibility.launcher import test

        return test.main(sys.argv[2:])
    if command == "bench":
        from visibility.launcher import bench

        return bench.main(sys.argv[2:])
    if command == "soak":
        from tests.faults import soak

        return soak.main(sys.argv[2:])
    from visibility.launcher import instance

    # `import-ocel` is the module import_ocel.
    sys.argv[1:2] = [command if command.startswith("-") else command.replace("-", "_")]
    sys.argv = instance.connect(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
