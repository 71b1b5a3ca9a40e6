"""The names of countries for people: `holidays` has only names of modules, such as `hongkong`."""

from collections.abc import Mapping

# By ISO 3166-1 code: the names that differ from the name of the module in title case.
NAMES: Mapping[str, str] = {
    "AX": "Åland Islands",
    "BL": "Saint Barthélemy",
    "BQ": "Bonaire, Sint Eustatius and Saba",
    "CC": "Cocos (Keeling) Islands",
    "CD": "Democratic Republic of the Congo",
    "CG": "Republic of the Congo",
    "CW": "Curaçao",
    "GW": "Guinea-Bissau",
    "HK": "Hong Kong",
    "MO": "Macao",
    "RE": "Réunion",
    "SH": "Saint Helena, Ascension and Tristan da Cunha",
    "ST": "São Tomé and Príncipe",
    "SY": "Syria",
    "TL": "Timor-Leste",
    "TR": "Türkiye",
    "UM": "United States Minor Outlying Islands",
    "VI": "U.S. Virgin Islands",
}
LOWER_CASE_TERMS = frozenset({"and", "of", "the", "da"})


def country_name(code: str, module: str) -> str:
    """Return the name of a country: `isle_of_man` is Isle of Man."""
    if code in NAMES:
        return NAMES[code]
    terms = module.split("_")
    return " ".join(term if term in LOWER_CASE_TERMS else term.title() for term in terms).replace(
        "Mcd", "McD"
    )
