"""The key files of a data folder while a key is replaced."""

from pathlib import Path

import pytest

from visibility.environment import env_secret_keys
from visibility.launcher.replace_key_command import make_new_key


def test_the_old_key_is_stored_before_the_new_one_and_a_killed_run_goes_on(tmp_path: Path) -> None:
    key, fallbacks = tmp_path / "secret.key", tmp_path / "secret.key.fallbacks"
    key.write_text("the first key\n")
    # Killed before the new key was written.
    fallbacks.write_text("the first key\n")
    make_new_key(tmp_path)
    second = key.read_text().strip()
    assert second != "the first key"
    assert len(second) == 64
    assert fallbacks.read_text() == "the first key\n"
    assert key.stat().st_mode & 0o777 == fallbacks.stat().st_mode & 0o777 == 0o600
    # Killed after it: no third key is made before the second is in use everywhere.
    make_new_key(tmp_path)
    assert key.read_text().strip() == second
    fallbacks.unlink()
    make_new_key(tmp_path)
    assert key.read_text().strip() != second
    assert fallbacks.read_text().strip() == second


def test_keys_are_read_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default_file, file = tmp_path / "secret.key.fallbacks", tmp_path / "keys"
    first, second, comma = "1" * 32, "2" * 32, "with,comma" * 4

    def read() -> list[str]:
        return env_secret_keys("OLD_KEYS", default_file=default_file, newest="n" * 32)

    assert read() == []
    default_file.write_text(f"{comma}\n{second}\n")
    assert read() == [comma, second]
    monkeypatch.setenv("OLD_KEYS", f"{first}, {second},{first},{'n' * 32},")
    assert read() == [first, second]
    monkeypatch.setenv("OLD_KEYS", "")
    assert read() == []
    file.write_text(f"{comma}\n\n{second}\n")
    monkeypatch.setenv("OLD_KEYS_FILE", str(file))
    assert read() == [comma, second]
    file.write_text("too short\n")
    with pytest.raises(SystemExit, match="OLD_KEYS: a key is shorter than 32 characters"):
        read()
