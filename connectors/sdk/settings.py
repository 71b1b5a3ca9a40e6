"""Typed settings, declared by a connector, channel or tile: checked on entry, read as values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from connectors.sdk import parse_setting_values as values
from connectors.sdk.events import IdentifierScheme
from connectors.sdk.payload import ParkReason, PayloadError


class SettingType(StrEnum):
    """What kind of value a setting takes."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    DURATION = "duration"
    DURATION_OR_NEVER = "duration_or_never"
    ZONE = "zone"
    URL = "url"
    DATE = "date"
    SCHEME_AT_ISSUER = "scheme_at_issuer"
    SOURCE = "source"
    SECRET = "secret"  # noqa: S105  # the name of a type


EXAMPLES: Mapping[SettingType, str] = {
    SettingType.TEXT: "text",
    SettingType.INTEGER: "whole number",
    SettingType.DECIMAL: "number",
    SettingType.BOOLEAN: "yes or no",
    SettingType.CHOICE: "choice",
    SettingType.DURATION: "duration, such as 30 min",
    SettingType.DURATION_OR_NEVER: "duration, such as 26 h, or never",
    SettingType.ZONE: "time zone, such as America/Chicago",
    SettingType.URL: "http(s) URL",
    SettingType.DATE: "date or time, such as 2026-01-31",
    SettingType.SCHEME_AT_ISSUER: "number range, such as sales_order@erp",
    SettingType.SOURCE: "name of a source, such as erp",
    SettingType.SECRET: "secret",
}


# Terms of names of settings that are not written in lower case.
ABBREVIATIONS: Mapping[str, str] = {
    term.lower(): term
    for term in (
        *("API", "CRM", "CSV", "EDI", "ERP", "FTP", "GS", "HTTP", "ID", "IP", "ISA", "OAuth"),
        *("PO", "SFTP", "SKU", "SSCC", "TLS", "URL", "WMS", "3PL"),
    )
}


def derive_label(name: str) -> str:
    """Return the label of a setting without one: `base_url` is Base URL.

    The label of a family is that of its beginning: `customer.<ISA id>` is Customer.
    """
    terms = name.split("<")[0].replace(".", " ").replace("_", " ").split()
    label = " ".join(ABBREVIATIONS.get(term.lower(), term) for term in terms)
    return label[:1].upper() + label[1:] or name


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connector, a channel or a tile.

    A name such as `customer.<ISA id>` declares a family: one setting for each id. A secret setting
    is encrypted and never shown. `default` is text, as a person would enter it. `check` raises
    ValueError for a value that the type alone allows, and `check_id` for the id of a family
    member. `label`: its name on a form; without one it is derived from `name`. `has_lines`: a form
    has several lines for it.
    """

    name: str
    help: str
    type: SettingType = SettingType.TEXT
    default: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None
    check: Callable[[str], object] | None = None
    check_id: Callable[[str], object] | None = None
    label: str = ""
    has_lines: bool = False

    @property
    def is_family(self) -> bool:
        """Whether it declares one setting per id."""
        return "<" in self.name

    @property
    def family_prefix(self) -> str:
        """The beginning of the names of a family."""
        return self.name.split("<")[0]

    @property
    def label_or_derived_label(self) -> str:
        """Its name on a form, such as Base URL of `base_url`."""
        return self.label or derive_label(self.name)

    @property
    def is_secret(self) -> bool:
        """Whether the value is encrypted and never shown."""
        return self.type is SettingType.SECRET

    @property
    def type_description(self) -> str:
        """The kind of value in words, with the choices or bounds."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        limits = [
            f"{label} {limit}"
            for label, limit in (("from", self.minimum), ("to", self.maximum))
            if limit is not None
        ]
        return " ".join([EXAMPLES[self.type], *limits])


@dataclass(frozen=True, slots=True)
class SettingError:
    """An invalid setting: its name, and a sentence for the person who entered it."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ParsedSettings:
    """Typed values by name, and the errors. A setting with an error has no value.

    Reading an invalid setting raises PayloadError: the messages of the source are parked until the
    setting is corrected. Falling back to the default would create wrong events.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[SettingError, ...] = ()

    def raise_if_invalid_else_true(self, name: str) -> bool:
        """Return True. Raises PayloadError if the setting is invalid."""
        self._value(name)
        return True

    def _value(self, name: str) -> Any:
        for error in self.errors:
            if error.name == name:
                raise PayloadError(ParkReason.MAPPING, "settings", f"{name}: {error.sentence}")
        return self.values[name]

    def text(self, name: str) -> str:
        """The value of a text, choice, zone, URL, date or secret setting; "" if unset."""
        return str(self._value(name) or "")

    def is_on(self, name: str) -> bool:
        """The value of a boolean setting."""
        return bool(self._value(name))

    def integer(self, name: str) -> int:
        """The value of an integer setting; 0 if unset."""
        return int(self._value(name) or 0)

    def decimal(self, name: str) -> Decimal:
        """The value of a decimal setting; 0 if unset."""
        return Decimal(self._value(name) or 0)

    def duration(self, name: str) -> timedelta:
        """The value of a duration setting; zero if unset."""
        value = self._value(name)
        return value if isinstance(value, timedelta) else timedelta()

    def identifier_scheme_and_issuer(
        self, name: str, default: tuple[IdentifierScheme, str]
    ) -> tuple[IdentifierScheme, str]:
        """The scheme and issuer of a `scheme_at_issuer` setting, or the default."""
        scheme, issuer = self._value(name) or default
        return IdentifierScheme(scheme), str(issuer)

    def list_of_texts(self, name: str) -> tuple[str, ...]:
        """The entries of a comma-separated text setting."""
        return tuple(filter(None, (entry.strip() for entry in self.text(name).split(","))))

    def values_of_family_by_id(self, prefix: str) -> dict[str, str]:
        """The values of a family by id: `customer.` returns {id: customer number}."""
        return {
            name.removeprefix(prefix): self.text(name)
            for name in (*self.values, *(e.name for e in self.errors))
            if name.startswith(prefix) and name != prefix
        }


def find_setting(declared: Sequence[Setting], name: str) -> Setting | None:
    """Return the declaration of a setting by its name, or None."""
    for setting in declared:
        prefix = setting.family_prefix
        if setting.name == name or (
            setting.is_family and name.startswith(prefix) and len(name) > len(prefix)
        ):
            return setting
    return None


def parse_and_check_settings(
    declared: Sequence[Setting], raw: Mapping[str, Any], *, owner: str = "connector"
) -> ParsedSettings:
    """Parse settings as entered or stored. Never raises.

    Every declared setting gets a value (its default if it is unset) or an error. `owner` is what
    declares the settings, for the sentence about an unknown name.
    """
    parsed: dict[str, Any] = {}
    errors = []
    for setting in declared:
        if not setting.is_family and not _setting_value_as_text(raw.get(setting.name)):
            if setting.required:
                errors.append(SettingError(setting.name, "This setting is required."))
            parsed[setting.name] = _parse_default(setting)
    for name, given in raw.items():
        declaration = find_setting(declared, name)
        if declaration is None:
            errors.append(SettingError(name, _unknown_name_sentence(declared, name, owner)))
            continue
        text = _setting_value_as_text(given)
        if not text:
            continue
        try:
            if declaration.is_family and declaration.check_id is not None:
                declaration.check_id(name.removeprefix(declaration.family_prefix))
            parsed[name] = parse_value(declaration, text)
        except ValueError as error:
            errors.append(SettingError(name, str(error)))
    return ParsedSettings(parsed, tuple(errors))


def parse_value(setting: Setting, text: str) -> Any:
    """Parse one value. Raises ValueError with a sentence."""
    parse: Callable[[str], Any] = PARSERS[setting.type]
    if setting.has_lines:
        parse = values.parse_storable_lines
    value = parse(text)
    if setting.choices and value not in setting.choices:
        raise ValueError(f"{text[:40]!r} is not one of {', '.join(setting.choices)}.")
    if setting.minimum is not None and value < setting.minimum:
        raise ValueError(f"{text[:40]} is less than {setting.minimum}.")
    if setting.maximum is not None and value > setting.maximum:
        raise ValueError(f"{text[:40]} is more than {setting.maximum}.")
    if setting.check is not None:
        setting.check(text)
    return value


def _parse_default(setting: Setting) -> Any:
    return parse_value(setting, setting.default) if setting.default else None


def _setting_value_as_text(value: Any) -> str:
    """A stored value as text. JSON written by hand may contain numbers and booleans."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).strip()


def _unknown_name_sentence(declared: Sequence[Setting], name: str, owner: str) -> str:
    names = ", ".join(sorted(setting.name for setting in declared)) or "none"
    return f"This {owner} has no setting {name[:60]!r}. Available settings: {names}."


PARSERS: Mapping[SettingType, Callable[[str], Any]] = {
    SettingType.TEXT: values.parse_storable_text,
    SettingType.INTEGER: values.parse_integer,
    SettingType.DECIMAL: values.parse_number,
    SettingType.BOOLEAN: values.parse_boolean,
    SettingType.CHOICE: values.parse_storable_text,
    SettingType.DURATION: values.parse_duration,
    SettingType.DURATION_OR_NEVER: values.parse_duration_or_never,
    SettingType.ZONE: values.check_and_return_zone_name,
    SettingType.URL: values.check_and_return_http_url,
    SettingType.DATE: values.check_and_return_date_or_time_text,
    SettingType.SCHEME_AT_ISSUER: values.parse_scheme_at_issuer,
    SettingType.SOURCE: values.parse_storable_text,
    SettingType.SECRET: values.parse_storable_text,
}
