"""The languages that families read, by their ISO 639-1 codes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """``name`` is for staff, ``native`` for the family; ``rtl`` says that it is written from right to left."""

    code: str
    name: str
    native: str
    rtl: bool = False

    @property
    def direction(self) -> str:
        return "rtl" if self.rtl else "ltr"


ENGLISH = Language("en", "English", "English")

LANGUAGES = {
    language.code: language
    for language in (
        ENGLISH,
        Language("es", "Spanish", "Español"),
        Language("vi", "Vietnamese", "Tiếng Việt"),
        Language("ar", "Arabic", "العربية", rtl=True),
        Language("so", "Somali", "Soomaali"),
        Language("ru", "Russian", "Русский"),
        Language("fr", "French", "Français"),
        Language("ht", "Haitian Creole", "Kreyòl ayisyen"),
        Language("pt", "Portuguese", "Português"),
        Language("uk", "Ukrainian", "Українська"),
        Language("zh", "Chinese", "中文"),
        Language("fa", "Persian", "فارسی", rtl=True),
    )
}


def language(code: str) -> Language:
    """The language of a code, "es-MX" and "ES" included; one that we do not know is shown by its code."""
    base = code.replace("_", "-").partition("-")[0].lower()
    return LANGUAGES.get(base) or Language(code, code, code)
