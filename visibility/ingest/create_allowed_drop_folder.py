"""Which drop folders people may choose in the browser and over the API.

A drop folder is a path on the server, and its files are read and moved. People without access to
the server may therefore choose only folders below the roots that an administrator allows.
"""

from pathlib import Path

from django.conf import settings


def create_allowed_drop_folder(text: str) -> None:
    """Create the folder unless it exists. Raises ValueError with a sentence.

    `text` is an absolute path below one of `settings.DROP_ROOTS`, after links are followed.
    """
    roots = [Path(root).resolve() for root in settings.DROP_ROOTS]
    allowed = f"The folder must be inside {' or '.join(map(str, roots)) or 'DROP_ROOTS'}."
    if "\0" in text or not Path(text).is_absolute():
        raise ValueError(allowed)
    try:
        folder = Path(text).resolve()
        if not any(root in folder.parents for root in roots):
            raise ValueError(allowed)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"The folder cannot be created: {reason}.") from None
