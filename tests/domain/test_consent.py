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
    Line,
    Reading,
    Told,
    Verdict,
    closures,
    coverage_sentence,
    lifted,
    may_be_taken_back,
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
        "unsuscribe", "Unsubcribe please", "Stop?", "STOP 🛑🛑", "Deténganse por favor", "dừng lại đi",
        "Стоп, будь ласка", "Досить", "توقف کنید", "停止", "arretez svp",
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
        "Stop - not my kid", "no thanks stop", "NO MORE", "remove", "Wrong number", "You have the wrong number",
        "how do I stop these texts?", "STOP\n\nSent from my phone", "I'd like to opt out",
        "No quiero recibir más mensajes", "no quiero mas mensajes", "ya no me manden mensajes", "Basta ya",
        "Không nhắn tin nữa", "Ngừng gửi", "Я не хочу получать сообщения", "Не надо больше сообщений",
        "Не пишіть мені", "Припиніть надсилати", "Не хочу більше отримувати повідомлення",
        "Não quero mais receber mensagens", "Parem de me mandar mensagens", "Não me escreva",
        "I revoke my consent", "I withdraw consent to receiving these texts", "I do not consent to text messages",
        "leave me alone", "Lose my number", "Yes, please stop.",
        "Mwen pa vle resevwa mesaj ankò", "لا أريد رسائل", "كفى", "دیگر پیام نفرستید", "请停止发短信", "不要再发了",
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
        "I'm going to stop by", "Can we stop the medication?", "He needs to stop bullying my son", "stop the bus",
        "Stop sending my son to the office", "The meeting will end at 3", "no more homework please?",
        "cancelar la cita",
        "No quiero que falte a clase", "I gave the office a wrong number for the dentist", "STOP THIS BULLYING",
        "I withdraw my consent for the field trip", "We do not consent to the photos", "Did he lose his number again?",
        "Yes, stop by at 3", "Не хочу опоздать", "Ela não quer ir", "He wears a stop sign for Halloween - cute",
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


NUMBER, SCHOOL, SHARED, ALL = ConsentScope.NUMBER, ConsentScope.SCHOOL, ConsentScope.SHARED, ConsentScope.ALL
OUT, IN = ConsentKind.OPTED_OUT, ConsentKind.OPTED_IN
NOON = datetime(2025, 11, 3, 18, 0, tzinfo=UTC)
MARIAS_NUMBER, ANOTHER_NUMBER, LINCOLN, WASHINGTON = 7, 8, 1, 2
MARIA = Line(MARIAS_NUMBER, LINCOLN, {LINCOLN})
"""She works at Lincoln alone."""
NORA = Line(9, None, {LINCOLN, WASHINGTON})
"""She works at both, so that her number is in the district's Messaging Service."""


def event(
    kind: ConsentKind,
    scope: ConsentScope,
    *,
    minutes: int = 0,
    to: int | None = ANOTHER_NUMBER,
    school: int = LINCOLN,
    source: ConsentSource = ConsentSource.FAMILY,
) -> ConsentEvent:
    """``to``: the number that it was said to; None for what an admin has recorded."""
    of_school = school if scope is SCHOOL else None
    return ConsentEvent(kind, scope, NOON + timedelta(minutes=minutes), source, to, of_school)


def test_a_family_that_said_nothing_may_be_texted() -> None:
    assert standing([], MARIA) is None


@pytest.mark.parametrize(
    "said",
    [
        {"scope": NUMBER, "to": MARIAS_NUMBER},
        {"scope": SCHOOL},
        {"scope": SCHOOL, "to": None},
        {"scope": ALL, "to": None},
    ],
)
def test_an_opt_out_closes_what_it_reaches_until_a_newer_opt_in(said: dict) -> None:
    out = event(OUT, **said)
    assert standing([out], MARIA) == out
    assert standing([out, event(IN, minutes=1, **said)], MARIA) is None


@pytest.mark.parametrize("said", [{"scope": NUMBER}, {"scope": SCHOOL, "school": WASHINGTON}, {"scope": SHARED}])
def test_an_opt_out_elsewhere_closes_nothing_here(said: dict) -> None:
    assert standing([event(OUT, **said)], MARIA) is None


def test_a_stop_to_a_school_does_not_reach_people_of_several_schools_and_the_other_way_round() -> None:
    assert standing([event(OUT, SCHOOL)], NORA) is None
    assert standing([event(OUT, SHARED)], NORA) is not None


def test_what_an_admin_records_for_a_school_reaches_everybody_who_works_there() -> None:
    for school in (LINCOLN, WASHINGTON):
        out = event(OUT, SCHOOL, to=None, school=school, source=ConsentSource.STAFF)
        assert standing([out], NORA) == out


def test_a_stop_goes_with_the_number_that_it_was_said_to() -> None:
    """Maria works at a second school now, and her number has moved to the district's Messaging Service."""
    out = event(OUT, SCHOOL, to=MARIAS_NUMBER)
    assert standing([out, event(OUT, SCHOOL, minutes=1)], Line(MARIAS_NUMBER, None, {LINCOLN, WASHINGTON})) == out


def test_an_opt_in_about_something_else_leaves_it_closed() -> None:
    out = event(OUT, ALL, to=None)
    assert standing([out, event(IN, NUMBER, minutes=1, to=MARIAS_NUMBER)], MARIA) == out


def test_a_familys_start_to_a_number_does_not_undo_what_an_admin_recorded_unless_it_closed_that_number() -> None:
    recorded = event(OUT, SCHOOL, to=None, source=ConsentSource.STAFF)
    assert standing([recorded, event(OUT, SCHOOL, minutes=1), event(IN, SCHOOL, minutes=2)], MARIA) == recorded


def test_the_newest_wins_in_whatever_order_the_events_were_written() -> None:
    out = event(OUT, SCHOOL, minutes=5)
    assert standing([out, event(IN, SCHOOL, minutes=1)], MARIA) == out


def test_of_two_at_the_same_moment_the_one_written_last_wins() -> None:
    out, back = event(OUT, SCHOOL), event(IN, SCHOOL)
    assert standing([out, back], MARIA) is None
    assert standing([back, out], MARIA) == out


def test_a_number_not_bought_yet_is_closed_by_its_school() -> None:
    out = event(OUT, SCHOOL)
    assert standing([out], Line(None, LINCOLN, [LINCOLN])) == out


def test_a_stop_to_a_colleague_who_has_left_ends_the_conversation_for_the_successor() -> None:
    out = event(OUT, SHARED, to=5)
    assert standing([out], Line(MARIAS_NUMBER, LINCOLN, {LINCOLN}, {5})) == out


def test_start_lifts_everything_that_closed_the_number() -> None:
    ledger = [
        event(OUT, ALL, to=None),
        event(OUT, SCHOOL, to=None),
        event(OUT, SCHOOL, to=MARIAS_NUMBER),
        event(OUT, SCHOOL, minutes=-1),
        event(OUT, NUMBER, to=MARIAS_NUMBER),
    ]
    closed = closures(ledger, MARIA)
    assert closed == ledger
    assert standing([*ledger, *lifted(closed, NOON + timedelta(hours=1), ConsentSource.FAMILY)], MARIA) is None


@pytest.mark.parametrize("source", [ConsentSource.FAMILY, ConsentSource.CARRIER])
def test_staff_take_back_only_what_staff_have_recorded(source: ConsentSource) -> None:
    recorded = event(OUT, SCHOOL, to=None, source=ConsentSource.STAFF)
    assert may_be_taken_back([recorded])
    assert not may_be_taken_back([recorded, event(OUT, SCHOOL, source=source)])
    assert not may_be_taken_back([])


def told(year: int = 2025, *elsewhere: str) -> Told:
    return Told(ZoneInfo("America/Chicago"), date(year, 12, 1), "Lincoln Middle School", "Dora Diaz", elsewhere)


def said(scope: ConsentScope, source: ConsentSource = ConsentSource.FAMILY, to: int | None = 1) -> ConsentEvent:
    return ConsentEvent(OUT, scope, datetime(2025, 11, 4, 3, 0, tzinfo=UTC), source, to, LINCOLN)


def test_the_composer_says_why_it_is_closed_and_what_opens_it() -> None:
    assert opt_out_sentence(said(NUMBER), told()) == (
        "This family texted STOP to this number on Nov 3. You cannot text them from it until they text START."
    )
    assert opt_out_sentence(said(SCHOOL), told()) == (
        "This family texted STOP to Lincoln Middle School on Nov 3. "
        "Nobody can text them from the school’s numbers until they text START."
    )
    assert opt_out_sentence(said(ALL, ConsentSource.STAFF, to=None), told(2026)) == (
        "This family asked for no more texts from the district on Nov 3, 2025. "
        "Nobody can text them until they text START."
    )
    assert opt_out_sentence(said(SCHOOL), told(), to_earlier_number=True) == (
        "This family texted STOP to the number from which this conversation was handed over on Nov 3. "
        "You cannot text them until they text START."
    )


def test_the_panel_says_what_a_stop_to_one_number_means_for_the_others() -> None:
    assert coverage_sentence(said(SCHOOL), told(2025, "Roosevelt High School")) == (
        "Texts from Lincoln Middle School are stopped: the family texted STOP on Nov 3. "
        "This covers the school’s number and the personal numbers of everyone who works only there. "
        "Roosevelt High School and people of several schools are not covered."
    )
    assert "Other schools and people of several schools are not" in coverage_sentence(said(SCHOOL), told())
    assert coverage_sentence(said(SHARED, ConsentSource.CARRIER), told()) == (
        "Texts from people of several schools are stopped: "
        "the phone company reported on Nov 3 that the family has stopped them. "
        "This covers the personal numbers of everyone who works at several schools. "
        "The schools’ own numbers and people of one school are not covered."
    )
    assert coverage_sentence(said(SCHOOL, ConsentSource.STAFF, to=None), told()) == (
        "Texts from Lincoln Middle School are stopped: "
        "Dora Diaz recorded on Nov 3 that the family wants no more. "
        "This covers the school’s number and the personal numbers of everyone who works there. "
        "People who do not work there are not covered."
    )
    assert "every school" in coverage_sentence(said(ALL, to=None), told())
