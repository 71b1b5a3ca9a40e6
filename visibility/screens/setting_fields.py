"""One declared setting as a field of a form: of a source or of a subscription."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.sdk.parse_setting_values import MAX_LENGTH
from connectors.sdk.rsa_signatures import MAX_KEYS_LENGTH
from connectors.sdk.settings import Setting, SettingType


@dataclass(frozen=True, slots=True)
class SettingField:
    """One field. A secret has no value: it is replaced or stays unchanged.

    `is_removable`: the form offers to remove a stored secret. `setting` is the declaration.
    `suggestions`: (value, label) of values to choose from; others can be entered. `shows_name`: the
    hint also has the name and the kind of value. `warning`: why a valid value needs attention.
    """

    name: str
    setting: Setting
    label: str
    help: str
    description: str
    value: str
    options: Sequence[str]
    is_secret: bool
    is_required: bool
    placeholder: str
    error: str
    is_stored: bool
    is_removable: bool
    shows_name: bool = False
    suggestions: Sequence[tuple[str, str]] = ()
    warning: str = ""

    @property
    def family(self) -> str:
        """The declared name of the family, such as `customer.<ISA id>`; empty for one setting."""
        return self.setting.name if self.setting.is_family else ""

    @property
    def max_length(self) -> int:
        """How many characters can be entered."""
        return MAX_KEYS_LENGTH if self.setting.type is SettingType.PUBLIC_KEYS else MAX_LENGTH

    @property
    def title(self) -> str:
        """What names this field among the others of its form."""
        return f"{self.label} ({self.name})" if self.family else self.label


def build_setting_field(
    setting: Setting,
    name: str,
    value: str,
    error: str,
    *,
    is_stored: bool = True,
    is_removable: bool = False,
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
        setting=setting,
        label=setting.label_or_derived_label,
        help=setting.help,
        description=setting.type_description,
        value="" if setting.is_secret else value,
        # A stored value that is no longer valid stays visible.
        options=(*options, value) if options and value and value not in options else options,
        is_secret=setting.is_secret,
        is_required=setting.required,
        placeholder=unchanged if setting.is_secret else setting.default,
        error=error,
        is_stored=is_stored,
        is_removable=is_removable,
        shows_name=not setting.label,
    )
