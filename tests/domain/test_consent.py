"""Reading opt-outs in the families' languages, and the standing of a phone's ledger."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from tp_inbox.domain.consent import (
    ConsentEvent,
    ConsentKind,
    ConsentScope,
    ConsentSource,
    Reading,
    Verdict,
    closures,
    lifted,
    opt_out_sentence,
    read_consent,
    standing,
)

CERTAIN, LIKELY, NONE = Verdict.STOP_CERTAIN, Verdict.STOP_LIKELY, Verdict.NONE


@pytest.mark.parametrize("word", ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"])
@pytest.mark.parametrize("spelling", ["{}", " {}\n"])
def test_the_carriers_eight_words_are_certain_and_answered_by_the_carrier(word: str, spelling: str) -> None:
    for said in (word, word.lower(), word.title()):
        assert read_consent(spelling.format(said)) == Reading(CERTAIN, carrier_handles=True)


@pytest.mark.parametrize(
    "body",
    [
        "STOP.", "Stop!!!", "stop 🛑", "“Stop”", "ＳＴＯＰ", "stop stop stop", "Cancel.", "QUIT!", "Opt out", "opt-out",
        "Stop all", "Stop. Thank you", "please stop", "Stop please 🙏", "OK stop now, thanks",
        "Unsubscribe, thank you.", "ALTO", "Parar", "cancelar", "Alto, gracias", "Por favor, paren",
        "ARRET", "Arrêt", "ARRÊTEZ", "arre\u0302t", "Arrêtez, s'il vous plaît", "Stop svp merci",
        "DUNG", "Dừng", "DỪNG LẠI", "Dừng lại, cảm ơn", "Hủy",
        "توقف", "إيقاف", "أوقف", "من فضلك توقف", "إلغاء الاشتراك", "قف",
        "Jooji", "Fadlan jooji", "СТОП", "стоп!", "Отписаться, пожалуйста", "Sispann", "Tanpri sispann", "退订",
    ],
)  # fmt: skip
def test_a_stop_word_alone_or_with_a_courtesy_is_certain_and_ours_to_answer(body: str) -> None:
    assert read_consent(body) == Reading(CERTAIN)


@pytest.mark.parametrize(
    "body",
    [
        "please stop texting me", "Stop sending me messages!", "STOP TEXTING", "stop all these texts please",
        "take me off this list", "Please remove me from your texting list", "remove my number", "Unsubscribe me",
        "I don't want these messages", "I don’t want to get any more texts", "do not text me again", "no more texts",
        "I want to unsubscribe", "opt me out", "Never contact us again", "I want this to stop",
        "Stop. You have the wrong person.", "Who is this? STOP", "stop it", "Cancel, thank you", "please end",
        "No me manden más mensajes", "no más mensajes por favor", "Quíteme de la lista", "No me escriban",
        "Dejen de enviarme textos", "Quiero darme de baja",
        "Arrêtez de m'envoyer des messages", "Ne m’envoyez plus de textos", "Désabonnez-moi",
        "Đừng nhắn tin cho tôi nữa", "Xin ngừng gửi tin nhắn",
        "لا ترسلوا لي رسائل", "توقفوا عن إرسال الرسائل", "لا تراسلوني",
        "Jooji fariimaha", "Fariimaha jooji", "Ha ii soo dirin fariimo",
        "Не пишите мне больше", "больше не присылайте", "Перестаньте мне писать", "удалите меня из списка",
        "Pa voye mesaj ban mwen ankò", "Sispann voye mesaj",
    ],
)  # fmt: skip
def test_a_reasonable_wording_asks_the_member_of_staff(body: str) -> None:
    assert read_consent(body) == Reading(LIKELY)


@pytest.mark.parametrize(
    "body",
    [
        "", "👍", "we have got to STOP this bill", "The bus stop is on Oak Street", "He will stop by the office at 3",
        "Don't stop texting me, it helps", "Please don't stop sending us messages", "Cancel. He is sick.",
        "We need to cancel the meeting", "Can you get me out of the meeting?", "The end of the year is near",
        "You never texted me back", "I did not get a text", "Is he at the end of the list?", "Quitting time is 5",
        "Can you take him off the bus list?", "No me llegan mensajes", "Es muy alto", "No me escribieron",
        "Đúng", "Đúng rồi, cảm ơn", "Chị Dung đây", "Стоп-кран сломан", "Он не пишет", "Il n'y a plus de place",
        "plus de messages", "لا ترسلوا ابني الى البيت اليوم", "Thank you", "ok thanks", "stopping by", "nonstop",
    ],
)  # fmt: skip
def test_ordinary_talk_is_left_alone(body: str) -> None:
    assert read_consent(body) == Reading(NONE)


def test_the_carriers_words_open_the_line_again() -> None:
    assert read_consent("START") == read_consent(" unstop ") == Reading(Verdict.START, carrier_handles=True)


@pytest.mark.parametrize("body", ["Start!", "start please", "Opt in", "Comenzar", "Bắt đầu", "ابدأ", "Старт"])
def test_other_start_words_are_ours_to_answer(body: str) -> None:
    assert read_consent(body) == Reading(Verdict.START)


@pytest.mark.parametrize("body", ["School starts at 8", "When does it start?", "start the car", "sí"])
def test_start_within_a_text_opens_nothing(body: str) -> None:
    assert read_consent(body).verdict is NONE


def test_yes_is_a_start_only_for_who_has_opted_out() -> None:
    assert read_consent("Yes") == Reading(Verdict.START, carrier_handles=True, only_if_opted_out=True)
    assert read_consent("yes!") == Reading(Verdict.START, only_if_opted_out=True)
    assert read_consent("Yes, thank you") == Reading(NONE)


def test_help_is_recognised() -> None:
    assert read_consent("HELP") == read_consent("info") == Reading(Verdict.HELP, carrier_handles=True)
    assert read_consent("Ayuda por favor") == Reading(Verdict.HELP)
    assert read_consent("I need help with the form") == Reading(NONE)


@given(st.text())
def test_whatever_a_family_writes_is_read(body: str) -> None:
    assert isinstance(read_consent(body), Reading)


def test_a_long_text_is_read_as_quickly_as_a_short_one() -> None:
    assert read_consent("stop sending the these all your any " * 400).verdict in Verdict


NUMBER, SCHOOL, ALL = ConsentScope.NUMBER, ConsentScope.SCHOOL, ConsentScope.ALL
OUT, IN = ConsentKind.OPTED_OUT, ConsentKind.OPTED_IN
NOON = datetime(2025, 11, 3, 18, 0, tzinfo=UTC)
MARIAS_NUMBER, LINCOLN, WASHINGTON = 7, 1, 2


def event(kind: ConsentKind, scope: ConsentScope, *, minutes: int = 0, about: int | None = None) -> ConsentEvent:
    number_id, school_id = (about if scope is NUMBER else None), (about if scope is SCHOOL else None)
    return ConsentEvent(kind, scope, NOON + timedelta(minutes=minutes), number_id=number_id, school_id=school_id)


def of_maria(*ledger: ConsentEvent) -> ConsentEvent | None:
    return standing(ledger, number_id=MARIAS_NUMBER, school_ids={LINCOLN})


def test_a_family_that_said_nothing_may_be_texted() -> None:
    assert of_maria() is None


@pytest.mark.parametrize(("scope", "about"), [(NUMBER, MARIAS_NUMBER), (SCHOOL, LINCOLN), (ALL, None)])
def test_an_opt_out_closes_what_it_reaches_until_a_newer_opt_in(scope: ConsentScope, about: int | None) -> None:
    out = event(OUT, scope, about=about)
    assert of_maria(out) == out
    assert of_maria(out, event(IN, scope, minutes=1, about=about)) is None


@pytest.mark.parametrize(("scope", "about"), [(NUMBER, 8), (SCHOOL, WASHINGTON)])
def test_an_opt_out_elsewhere_closes_nothing_here(scope: ConsentScope, about: int) -> None:
    assert of_maria(event(OUT, scope, about=about)) is None


def test_an_opt_in_of_one_scope_leaves_the_others_closed() -> None:
    out = event(OUT, ALL)
    assert of_maria(out, event(IN, NUMBER, minutes=1, about=MARIAS_NUMBER)) == out


def test_the_newest_wins_in_whatever_order_the_events_were_written() -> None:
    out = event(OUT, SCHOOL, minutes=5, about=LINCOLN)
    assert of_maria(out, event(IN, SCHOOL, minutes=1, about=LINCOLN)) == out


def test_of_two_at_the_same_moment_the_one_written_last_wins() -> None:
    out, back = event(OUT, SCHOOL, about=LINCOLN), event(IN, SCHOOL, about=LINCOLN)
    assert of_maria(out, back) is None
    assert of_maria(back, out) == out


def test_a_number_of_several_schools_is_closed_when_one_of_them_is() -> None:
    out = event(OUT, SCHOOL, about=WASHINGTON)
    assert standing([out], number_id=MARIAS_NUMBER, school_ids=[LINCOLN, WASHINGTON]) == out


def test_a_number_not_bought_yet_is_closed_by_its_school() -> None:
    out = event(OUT, SCHOOL, about=LINCOLN)
    assert standing([out], number_id=None, school_ids=[LINCOLN]) == out


def test_start_lifts_everything_that_closed_the_number() -> None:
    ledger = [event(OUT, ALL), event(OUT, SCHOOL, about=LINCOLN), event(OUT, NUMBER, about=MARIAS_NUMBER)]
    closed = closures(ledger, number_id=MARIAS_NUMBER, school_ids=[LINCOLN])
    assert closed == ledger
    assert of_maria(*ledger, *lifted(closed, NOON + timedelta(hours=1), ConsentSource.FAMILY)) is None


def sentence(scope: ConsentScope, source: ConsentSource = ConsentSource.FAMILY, year: int = 2025) -> str:
    out = ConsentEvent(OUT, scope, datetime(2025, 11, 4, 3, 0, tzinfo=UTC), source)
    return opt_out_sentence(out, ZoneInfo("America/Chicago"), date(year, 12, 1))


def test_the_composer_says_why_it_is_closed_and_what_opens_it() -> None:
    assert sentence(NUMBER) == (
        "This family texted STOP to this number on Nov 3. You cannot text them from it until they text START."
    )
    assert sentence(SCHOOL) == (
        "This family texted STOP to this school on Nov 3. Nobody at the school can text them until they text START."
    )
    assert sentence(ALL, ConsentSource.STAFF, 2026) == (
        "This family asked for no more texts from the district on Nov 3, 2025. "
        "Nobody can text them until they text START."
    )
