"""What families are answered about being texted, in every language of the district."""

import pytest

from tp_inbox.domain.consent import Verdict, read_consent
from tp_inbox.domain.consent_words import help_answer, start_confirmation, stop_confirmation
from tp_inbox.domain.languages import LANGUAGES

WHO, OFFICE = "Lincoln Middle School", "(312) 555-0199"


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_each_names_the_school_and_the_word_that_undoes_it(code: str) -> None:
    for text, word in (
        (stop_confirmation(code, WHO), "START"),
        (start_confirmation(code, WHO), "STOP"),
        (help_answer(code, WHO, OFFICE), "STOP"),
    ):
        assert WHO in text
        assert word in text
    assert OFFICE in help_answer(code, WHO, OFFICE)
    assert OFFICE not in help_answer(code, WHO, "")


def test_each_language_has_words_of_its_own() -> None:
    assert len({stop_confirmation(code, WHO) for code in LANGUAGES}) == len(LANGUAGES)
    assert len({start_confirmation(code, WHO) for code in LANGUAGES}) == len(LANGUAGES)
    assert len({help_answer(code, WHO, OFFICE) for code in LANGUAGES}) == len(LANGUAGES)


def test_a_language_that_nobody_here_writes_is_answered_in_english() -> None:
    assert stop_confirmation("tlh", WHO) == stop_confirmation("en", WHO)
    assert stop_confirmation("es-MX", WHO) == stop_confirmation("es", WHO)


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_no_answer_that_comes_back_is_taken_for_a_word(code: str) -> None:
    """Two machines would answer each other for ever."""
    for text in (stop_confirmation(code, WHO), start_confirmation(code, WHO), help_answer(code, WHO, OFFICE)):
        assert read_consent(text).verdict in (Verdict.NONE, Verdict.STOP_LIKELY)
