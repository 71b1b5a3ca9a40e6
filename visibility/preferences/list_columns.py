"""The columns of a list that a person chose."""

from collections.abc import Sequence

from visibility.models import ListColumnChoice


def load_chosen_columns(user_id: int, list_code: str) -> list[str] | None:
    """The chosen columns; None if the person sees the default ones. One statement."""
    return (
        ListColumnChoice.objects.filter(user_id=user_id, list=list_code)
        .values_list("columns", flat=True)
        .first()
    )


def choose_columns(user_id: int, list_code: str, columns: Sequence[str]) -> None:
    """Store the columns, which the caller has checked."""
    ListColumnChoice.objects.update_or_create(
        user_id=user_id, list=list_code, defaults={"columns": list(columns)}
    )


def reset_columns(user_id: int, list_code: str) -> None:
    """Show the default columns again."""
    ListColumnChoice.objects.filter(user_id=user_id, list=list_code).delete()
