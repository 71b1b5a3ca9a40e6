"""The passphrase of a backup: from the environment, or asked for in the terminal."""

import getpass
import sys

from visibility.environment import env_text_or_file_content

VARIABLE = "BACKUP_PASSPHRASE"


def read_passphrase(*, is_new: bool) -> str:
    """Return the passphrase; a new one is asked for twice.

    Raises:
        SystemExit: there is none and no terminal, or the two differ.
    """
    given = env_text_or_file_content(VARIABLE, default="")
    if given:
        return given
    if not sys.stdin.isatty():
        raise SystemExit(f"Set {VARIABLE}, or {VARIABLE}_FILE to a file with the passphrase.")
    entered = getpass.getpass("Passphrase of the backup: ")
    if is_new and getpass.getpass("The same again: ") != entered:
        raise SystemExit("The two passphrases differ.")
    return entered
