"""The SSH library takes 30 MB: no process loads it before it opens an SFTP connection."""

import os
import subprocess
import sys

import pytest

from tests.processes.screens.test_chart_theme_and_cache import WEB, WORKER
from visibility.launcher.instance_lock_and_environment import CHECKOUT

LOADS = """
import sys
{start}
print("asyncssh" in sys.modules)
from visibility.ingest.sftp_files import open_sftp_connection
from visibility.outbound.sftp_access import SftpAccess
open_sftp_connection(SftpAccess("files.example.com", 22, "u", "."))
print("asyncssh" in sys.modules)
"""


@pytest.mark.parametrize("start", [WEB, WORKER], ids=["web", "worker"])
def test_asyncssh_is_loaded_by_the_first_connection(start: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS.format(start=start)],
        cwd=CHECKOUT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "visibility.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["False", "True"], done.stderr
