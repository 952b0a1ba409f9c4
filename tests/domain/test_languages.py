"""The languages of the district's families."""

import pytest

from tp_inbox.domain.languages import language


@pytest.mark.parametrize("code", ["en", "es", "vi", "ar", "so", "ru", "fr", "ht"])
def test_the_districts_languages_have_a_name_for_staff(code: str) -> None:
    assert language(code).code == code
    assert language(code).name != code


@pytest.mark.parametrize("code", ["es", "ES", "es-MX", "es_US"])
def test_a_region_does_not_change_the_language(code: str) -> None:
    assert language(code).name == "Spanish"


def test_an_unknown_language_is_shown_by_its_code() -> None:
    assert language("tlh").name == "tlh"
