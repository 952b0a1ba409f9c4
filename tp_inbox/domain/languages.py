"""The languages that families read, by their ISO 639-1 codes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    name: str


ENGLISH = Language("en", "English")

LANGUAGES = {
    language.code: language
    for language in (
        ENGLISH,
        Language("es", "Spanish"),
        Language("vi", "Vietnamese"),
        Language("ar", "Arabic"),
        Language("so", "Somali"),
        Language("ru", "Russian"),
        Language("fr", "French"),
        Language("ht", "Haitian Creole"),
        Language("pt", "Portuguese"),
        Language("uk", "Ukrainian"),
        Language("zh", "Chinese"),
        Language("fa", "Persian"),
    )
}


def language(code: str) -> Language:
    """The language of a code, "es-MX" and "ES" included; one that we do not know is shown by its code."""
    base = code.replace("_", "-").partition("-")[0].lower()
    return LANGUAGES.get(base) or Language(code, code)
