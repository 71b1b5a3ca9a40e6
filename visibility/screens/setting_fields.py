"""One declared setting as a field of a form: of a source or of a subscription."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.sdk.settings import Setting, SettingType


@dataclass(frozen=True, slots=True)
class SettingField:
    """One field. A secret has no value: it is replaced or stays unchanged."""

    name: str
    label: str
    help: str
    description: str
    value: str
    options: Sequence[str]
    is_secret: bool
    is_required: bool
    placeholder: str
    error: str


def build_setting_field(
    setting: Setting, name: str, value: str, error: str, *, is_stored: bool = True
) -> SettingField:
    """Return the field of a setting, or of one name of a family.

    `is_stored`: a secret may have a stored value, which a blank field leaves unchanged.
    """
    options: tuple[str, ...] = setting.choices
    if setting.type is SettingType.BOOLEAN:
        options = ("yes", "no")
    unchanged = "unchanged" if is_stored else ""
    return SettingField(
        name=name,
        label=setting.label,
        help=setting.help,
        description=setting.type_description,
        value="" if setting.is_secret else value,
        # A stored value that is no longer valid stays visible.
        options=(*options, value) if options and value and value not in options else options,
        is_secret=setting.is_secret,
        is_required=setting.required,
        placeholder=unchanged if setting.is_secret else setting.default,
        error=error,
    )
