"""Phone numbers: E.164 inside, the way people write them outside."""

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from tp_inbox.domain.errors import Invalid

NORTH_AMERICA = 1
_NORTH_AMERICAN = re.compile(r"(?!.11)[2-9]\d{2}(?!.11)[2-9]\d{6}")
"""Area code and exchange begin with 2 to 9 and are not N11, like 911 (ATIS-0300051)."""

_NOT_A_NUMBER = "This is not a phone number. Write it with its area code, like (312) 555-0142."


def parse_phone(text: str, country: str = "US") -> str:
    """The E.164 form of what a person typed or a roster holds; ``country`` is meant where no +code is written.

    In North America the structure alone decides: numbers reserved for fiction pass, and so does an area
    code that is newer than our tables. Elsewhere the country's numbering plan decides.

    Raises Invalid for anything else, for letters, and for an extension, which no text can reach.
    """
    number = _read(text, country)
    if number.extension:
        raise Invalid("A text cannot reach an extension. Leave the extension out, or use another number.")
    if any(character.isalpha() for character in text) or not _is_real(number):
        raise Invalid(_NOT_A_NUMBER)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _read(text: str, country: str) -> PhoneNumber:
    if not digits(text):
        raise Invalid(_NOT_A_NUMBER)
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException as error:
        raise Invalid(_NOT_A_NUMBER) from error


def _is_real(number: PhoneNumber) -> bool:
    if number.country_code == NORTH_AMERICA:
        return _NORTH_AMERICAN.fullmatch(phonenumbers.national_significant_number(number)) is not None
    return phonenumbers.is_valid_number(number)


def display_phone(e164: str, country: str = "US") -> str:
    """ "(312) 555-0142" at home, "+52 55 1234 5678" from abroad; what is no E.164 (a short code) stays as it is."""
    if not e164.startswith("+"):
        return e164
    try:
        number = phonenumbers.parse(e164)
    except NumberParseException:
        return e164
    at_home = number.country_code == phonenumbers.country_code_for_region(country)
    return phonenumbers.format_number(
        number, PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL
    )


def digits(text: str) -> str:
    """The digits of a search or a number, as 0 to 9 whatever script they were typed in."""
    return "".join(str(unicodedata.digit(character)) for character in text if character.isdecimal())
