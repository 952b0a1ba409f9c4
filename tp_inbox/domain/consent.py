"""Whether a family wants to be texted: reading their words, and the standing of an append-only ledger.

Opt-outs are honoured in any reasonable wording (47 CFR 64.1200(a)(10)): a clear word at once, anything
likely by asking the member of staff who reads it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from enum import StrEnum


class Verdict(StrEnum):
    """What a family's text says about being texted."""

    STOP_CERTAIN = "stop_certain"
    """Opt out now."""
    STOP_LIKELY = "stop_likely"
    """Ask the member of staff who reads it."""
    START = "start"
    HELP = "help"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reading:
    """``carrier_handles``: the carrier has acted and answered by itself, so we do not answer.

    ``only_if_opted_out``: YES opens a closed line again, and is an ordinary answer on an open one.
    """

    verdict: Verdict
    carrier_handles: bool = False
    only_if_opted_out: bool = False


CARRIER_WORDS = {
    **dict.fromkeys("stop stopall unsubscribe cancel end quit revoke optout".split(), Verdict.STOP_CERTAIN),
    **dict.fromkeys("start unstop yes".split(), Verdict.START),
    **dict.fromkeys("help info".split(), Verdict.HELP),
}
"""What the carrier acts on by itself, alone in a message and in any case."""


def read_consent(body: str) -> Reading:
    """What a family's text says about being texted; staff still see the text itself.

    Certain: a stop word alone, whatever its case, punctuation or emoji, or with nothing but a courtesy.
    Likely: a sentence of its own that says stop, or a wording of "no more texts" ("take me off this list").
    START is read only alone or with a courtesy, YES only alone. The carrier acts on its own words alone in
    a message; where it reports what it did, believe the report instead.
    """
    exact = body.strip().casefold()
    if exact in CARRIER_WORDS:
        return Reading(CARRIER_WORDS[exact], carrier_handles=True, only_if_opted_out=exact == "yes")
    said = _normal(body)
    if said == "yes":
        return Reading(Verdict.START, only_if_opted_out=True)
    return Reading(_verdict(said, body))


def _verdict(said: str, body: str) -> Verdict:
    telling = _telling(said)
    if _STOP.fullmatch(telling) or _STOP_ALONE.fullmatch(said):
        return Verdict.STOP_CERTAIN
    if _START.fullmatch(telling):
        return Verdict.START
    if _HELP.fullmatch(telling):
        return Verdict.HELP
    likely = _STOP_ALONE.fullmatch(telling) or _LIKELY.search(said) or _has_stop_sentence(body)
    return Verdict.STOP_LIKELY if likely else Verdict.NONE


def _has_stop_sentence(body: str) -> bool:
    sentences = re.split(r"[.!?;,:\n،؟。！，]+|\s[-–—]+\s", body)
    return any(_STOP_SENTENCE.fullmatch(_telling(_normal(sentence))) for sentence in sentences)


def _telling(said: str) -> str:
    """What is left without the courtesies."""
    return " ".join(_COURTESY.sub(" ", said).split())


_APOSTROPHES = re.compile("['’‘ʼ`´]")
_ALEF = str.maketrans("أإآ", "ااا", "ـ")
_UNHEARD = {"Mn", "Me", "Cf"}


def _normal(text: str) -> str:
    """Lower-case words with single spaces: no punctuation, emoji, apostrophes, or Arabic vowel signs."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_ALEF)
    text = "".join(character for character in text if unicodedata.category(character) not in _UNHEARD)
    return " ".join(re.findall(r"[^\W_]+", _APOSTROPHES.sub("", text)))


def _said(phrases: str) -> re.Pattern[str]:
    """One or several of the phrases, which are written with a comma between."""
    longest_first = sorted((phrase.strip() for phrase in phrases.split(",")), key=len, reverse=True)
    return re.compile(rf"(?:\b(?:{'|'.join(longest_first)})\b ?)+")


_COURTESY = _said(
    "please, pls, plz, kindly, thank you, thank you very much, thanks, thx, ty, just, now, immediately, ok, okay, hi,"
    "hello, sorry, por favor, gracias, muchas gracias, hola, ahora, merci, svp, sil vous plaît, sil vous plait,"
    "sil te plaît, bonjour, tanpri, mèsi, cảm ơn, cám ơn, cam on, làm ơn, xin, fadlan, mahadsanid, пожалуйста, спасибо,"
    "من فضلك, من فضلكم, لو سمحت, شكرا, por gentileza, obrigado, obrigada, будь ласка, дякую, لطفا, 谢谢"
)

_STOP = _said(
    "stop, stop all, stopall, unsubscribe, unsubcribe, unsuscribe, opt out, optout, quit, revoke, alto, pare, paren,"
    "parar, detener,"
    "deténgase, deténganse, detengase, detenganse, arret,"
    "arrêt, arreter, arrêter, arretez, arrêtez, désabonner, desabonner, dừng, dừng lại, dừng lại đi, dung lai,"
    "ngừng, ngừng lại, jooji, joogso, стоп,"
    "отписаться, отписка, прекратите, прекратить, відписатися, sispann, توقف, توقفوا, ايقاف, اوقف, اوقفوا,"
    "الغاء الاشتراك, لغو اشتراك, توقف کنید, 停止, 请停止, 退订"
)
"""Means an end of texts even with a courtesy beside it."""

_STOP_ALONE = _said(
    "cancel, end, cancelar, baja, basta, annuler, dung, hủy, huỷ, kanpe, anile, sair, отмена, хватит, остановить,"
    "досить, الغاء, لغو, قف, 取消, 停"
)
"""Certain only when nothing else is said: "Cancel, thank you" may be about an appointment."""

_STOP_SENTENCE = re.compile(rf"(?:no )?{_STOP.pattern}(?:it|this|that|these)?")

_START = _said(
    "start, unstop, opt in, optin, subscribe, resume, comenzar, iniciar, empezar, reanudar, commencer, démarrer,"
    "reprendre, bắt đầu, bilow, старт, начать, kòmanse, começar, почати, ابدا, بدء, شروع, 开始"
)
_HELP = _said("help, info, ayuda, aide, trợ giúp, giúp, caawimaad, помощь, èd, ajuda, допомога, مساعدة, کمک, 帮助")

_TEXTS = r"(?:text\w*|messag\w*|msgs?|sms|notif\w*|alerts?|spam\w*|contacting|writing|bothering)"
_ALL_THE = r"(?:(?:all|the|these|those|this|your|any|more|with|to|get|sending|getting|receive|receiving|me|us|my) )*"
_NUMBER = r"(?:me|us|my (?:name|number|phone|cell)|(?:this|our) (?:number|phone))"
_NOT_BEFORE = r"\b(?<!dont )(?<!not )(?<!never )(?<!cant )(?<!bus )"
_LIKELY = re.compile(
    "|".join(
        (
            rf"{_NOT_BEFORE}(?:stop|quit|cease|end|cancel) {_ALL_THE}{_TEXTS}\b",
            rf"{_NOT_BEFORE}stop (?:contacting|sending) (?:me|us|these|this)\b",
            rf"\b(?:dont|do not) (?:want|wish|need|send) {_ALL_THE}{_TEXTS}\b",
            r"\b(?:dont|do not) (?:text|message|contact|write) (?:to )?(?:me|us|this|here|anymore|again)\b",
            r"\bnever (?:text|message|contact|write) (?:to )?(?:me|us) (?:again|anymore)\b",
            rf"\bno (?:more|further) {_TEXTS}\b",
            rf"\b(?:take|get|remove|delete) {_NUMBER} (?:off|from|out)(?: \w+)* (?:lists?|system|{_TEXTS})\b",
            rf"\b(?:remove|unsubscribe) {_NUMBER}\b|\bdelete (?:my|this|our) (?:number|phone)\b",
            r"\b(?:to|me|us) (?:unsubscribe|opt out)\b|\bopt (?:me|us) out\b",
            r"\bi (?:said|say|wish to|would like to|want (?:this |these |it |you )?to) stop$",
            rf"\b(?:revoke|withdraw) (?:my |our )?consent(?:$| (?:to|for) {_ALL_THE}{_TEXTS}\b)",
            rf"\b(?:dont|do not|no longer) consent to {_ALL_THE}{_TEXTS}\b",
            r"\bleave (?:me|us) alone\b|\blose (?:my|this|our) number\b|^yes (?:please )?stop$",
            r"^(?:remove|no more)$|^wrong (?:number|person)\b|\byou have (?:the|a) wrong (?:number|person)\b",
            r"\bno (?:quiero|queremos|deseo) (?:recibir )?(?:más |mas )?(?:sus )?(?:mensajes|textos)\b|^basta ya$",
            r"\bno (?:me|nos) (?:mande|envíe|envie)[ns]? (?:más |mas )?(?:mensajes|textos)\b",
            r"\bno (?:me|nos) (?:escriba|textee|contacte)[ns]?\b|\bno (?:más|mas) (?:mensajes|textos)\b",
            r"\bdeje[ns]? de (?:enviar|mandar|escribir|textear)\w*|\bdar(?:me|nos)? de baja\b",
            r"\b(?:quíte|quite|sáque|saque|elimíne|elimine|bórre|borre)n?(?:me|nos) de (?:la|esta|su) lista\b",
            r"\barrêtez de \w*(?:envoy|écri|contact)\w*|\bne (?:me |nous |m)?(?:envoy|écri|contact)\w+ plus\b",
            r"\bdésabonne[zr] (?:moi|nous)\b|\bveux plus (?:de|recevoir)\b|\b(?:retir|enlev)ez moi de\b",
            r"\b(?:ngừng|dừng) gửi$|\bkhông (?:nhắn tin|gửi tin|nhận tin)(?: \w+)* nữa$",
            r"\b(?:đừng|dừng|ngừng|dung|ngung) (?:nhắn|nhan|(?:gửi|gui)(?: \w+){0,2} tin)\b",
            r"\bلا (?:تراسل|ترسل\w* (?:\w+ ){0,2}(?:ال)?رسائل)|\b(?:توقف|اوقف)وا? (?:عن|ال?رسائل|ارسال)",
            r"\bلا (?:اريد|نريد) (?:\w+ ){0,2}(?:ال)?رسائل|^كفى$|\bپیام (?:\w+ ){0,2}ن(?:ف|د)رست\w*",
            r"\bjooji(?:ya)? f+ar+iim\w+|\bf+ar+iim\w+ jooji\w*|\bha i+ soo (?:dir|qor)\w+",
            r"\bне (?:пишите|присылайте|отправляйте|шлите) (?:мне|нам|сюда|больше|сообщ\w+|смс)\b",
            r"\bбольше не (?:пишите|присылайте|отправляйте|шлите)\b|\b(?:удалите|отпишите) (?:меня|нас)\b",
            r"\b(?:перестаньте|прекратите|хватит) (?:мне |нам )?(?:писать|присылать|отправлять|слать)\b",
            r"\bне хочу (?:больше )?получать\b|\bне надо (?:больше )?(?:писать|присылать|сообщ\w+|смс)\b",
            r"\bне (?:пишіть|надсилайте|шліть) (?:мені|нам|сюди|більше|повідомл\w+|смс)\b",
            r"\bбільше не (?:пишіть|надсилайте)\b|\bне хочу (?:більше )?отримувати\b",
            r"\b(?:перестаньте|припиніть|досить) (?:мені |нам )?(?:писати|надсилати|слати)\b",
            r"\bn[ãa]o (?:quero|queremos)(?: mais)? (?:receber )?(?:mais )?(?:suas )?mensagens\b",
            r"\bparem? de (?:me |nos )?(?:enviar|mandar|escrever)\w*|\bn[ãa]o (?:me|nos) (?:mande|envie|escreva)m?\b",
            r"\bpa vle (?:resevwa )?(?:plis )?mesaj\b",
            r"\bpa (?:voye|ekri)(?: \w+){0,2} mesaj\b|\bpa ekri (?:m|mwen|nou)\b|\bsispann (?:voye|ekri)\b",
            r"(?:不要|别|停止)再?(?:给我)?发(?:短信|信息|消息)|(?:不要|别)再?发了",
        )
    )
)
"""Reasonable wordings of "no more texts", as `_normal` spells them."""


class ConsentScope(StrEnum):
    """How far an opt-out or opt-in reaches: one of our numbers, a school's numbers, those of the people who work at
    several schools, or the whole district. A STOP reaches as far as the carrier blocks: a Messaging Service.
    """

    NUMBER = "number"
    SCHOOL = "school"
    SHARED = "shared"
    ALL = "all"


class ConsentKind(StrEnum):
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"


class ConsentSource(StrEnum):
    """Who says so: the family's own text, a member of staff who recorded it, or the carrier's report."""

    FAMILY = "family"
    STAFF = "staff"
    CARRIER = "carrier"


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One line of a family phone's ledger. ``school_id`` belongs to scope SCHOOL.

    ``number_id``: the number of ours that it was said to. None on what an admin has recorded for a school or the
    district, which reaches people and not numbers.
    """

    kind: ConsentKind
    scope: ConsentScope
    at: datetime
    source: ConsentSource = ConsentSource.FAMILY
    number_id: int | None = None
    school_id: int | None = None

    @property
    def target(self) -> tuple[ConsentScope, int | None, bool]:
        """What the event is about: an opt-in ends the opt-outs before it that are about the same."""
        said_to_a_number = self.number_id is not None
        if self.scope is ConsentScope.NUMBER:
            return self.scope, self.number_id, said_to_a_number
        return self.scope, self.school_id, said_to_a_number


@dataclass(frozen=True, slots=True)
class Line:
    """A number of ours as consent sees it.

    ``number_id``: None for one that is not bought yet. ``campaign_school_id``: whose Messaging Service it is in; None
    for the district's. ``school_ids``: for which its inbox writes. ``earlier_number_ids``: numbers of colleagues who
    have left and whose conversation goes on here; a STOP to one of them ends it, whoever has it now.
    """

    number_id: int | None
    campaign_school_id: int | None = None
    school_ids: Collection[int] = ()
    earlier_number_ids: Collection[int] = ()

    def is_reached_by(self, event: ConsentEvent) -> bool:
        """What a family says reaches as far as the carrier blocks, and always the number that it was said to, wherever
        that has moved meanwhile. What an admin records for a school reaches everybody who works there.
        """
        if event.number_id is not None and event.number_id in (self.number_id, *self.earlier_number_ids):
            return True
        if event.scope is ConsentScope.SCHOOL:
            said_to_a_number = event.number_id is not None
            mine = event.school_id in self.school_ids and not said_to_a_number
            return mine or event.school_id == self.campaign_school_id
        shared = event.scope is ConsentScope.SHARED and self.campaign_school_id is None
        return shared or event.scope is ConsentScope.ALL


def standing(ledger: Iterable[ConsentEvent], line: Line) -> ConsentEvent | None:
    """The opt-out that closes one of our numbers to a family phone, the widest first; None when it is open.

    ``ledger`` holds that phone's events in the order written.
    """
    return next(iter(closures(ledger, line)), None)


def closures(ledger: Iterable[ConsentEvent], line: Line) -> list[ConsentEvent]:
    """Every opt-out that closes the number and that no later opt-in has lifted, the widest and newest first."""
    return sorted((event for event in not_lifted(ledger) if line.is_reached_by(event)), key=_width)


def not_lifted(ledger: Iterable[ConsentEvent]) -> list[ConsentEvent]:
    """The opt-outs that stand. Of two events at the same moment, the one that was written last is the later one."""
    standing: dict[tuple[ConsentScope, int | None, bool], list[ConsentEvent]] = {}
    for event in sorted(ledger, key=lambda event: event.at):
        if event.kind is ConsentKind.OPTED_IN:
            standing.pop(event.target, None)
        else:
            standing.setdefault(event.target, []).append(event)
    return [event for events in standing.values() for event in events]


def _width(opt_out: ConsentEvent) -> tuple[int, bool, float]:
    widest_first = (ConsentScope.ALL, ConsentScope.SCHOOL, ConsentScope.SHARED, ConsentScope.NUMBER)
    return widest_first.index(opt_out.scope), opt_out.number_id is not None, -opt_out.at.timestamp()


def lifted(closed: Iterable[ConsentEvent], at: datetime, source: ConsentSource) -> list[ConsentEvent]:
    """What to write when the number is opened again: one opt-in for everything that closed it."""
    by_target = {event.target: event for event in closed}
    return [replace(event, kind=ConsentKind.OPTED_IN, at=at, source=source) for event in by_target.values()]


def may_be_taken_back(closed: Collection[ConsentEvent]) -> bool:
    """Staff undo what staff have recorded; what a family has said itself ends by its START alone."""
    return bool(closed) and all(event.source is ConsentSource.STAFF for event in closed)


# In words ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What the sentences need. ``zone``: where the day is that of; ``today``: there. ``school``: of scope SCHOOL.

    ``by``: who recorded it, for source STAFF. ``elsewhere``: other schools of the family.
    """

    zone: tzinfo
    today: date
    school: str = ""
    by: str = ""
    elsewhere: tuple[str, ...] = ()

    def day_of(self, event: ConsentEvent) -> str:
        """With its year when that is not today's."""
        day = event.at.astimezone(self.zone).date()
        return f"{day:%b} {day.day}" if day.year == self.today.year else f"{day:%b} {day.day}, {day.year}"

    def in_words(self, pattern: str) -> str:
        return pattern.format(school=self.school or "this school", others=self._others)

    @property
    def _others(self) -> str:
        return ", ".join(self.elsewhere) or "Other schools"


def opt_out_sentence(opt_out: ConsentEvent, told: Told, *, to_earlier_number: bool = False) -> str:
    """Why the composer is closed, and what opens it."""
    reach = _EARLIER if to_earlier_number else _reach_of(opt_out)
    said = "texted STOP to" if opt_out.source is ConsentSource.FAMILY else "asked for no more texts from"
    closed = f"This family {said} {reach.target} on {told.day_of(opt_out)}. {reach.consequence} until they text START."
    return told.in_words(closed)


def coverage_sentence(opt_out: ConsentEvent, told: Told) -> str:
    """What is stopped, since when and by whom, and what that means for the district's other numbers."""
    reach = _reach_of(opt_out)
    return f"{told.in_words(reach.stopped)}: {_by_whom(opt_out, told)}. {told.in_words(reach.covered)}"


def _by_whom(opt_out: ConsentEvent, told: Told) -> str:
    day = told.day_of(opt_out)
    return {
        ConsentSource.FAMILY: f"the family texted STOP on {day}",
        ConsentSource.CARRIER: f"the phone company reported on {day} that the family has stopped them",
        ConsentSource.STAFF: f"{told.by or 'a colleague'} recorded on {day} that the family wants no more",
    }[opt_out.source]


def _reach_of(opt_out: ConsentEvent) -> Reach:
    recorded = opt_out.scope is ConsentScope.SCHOOL and opt_out.number_id is None
    return _EVERYONE_AT_SCHOOL if recorded else _REACH[opt_out.scope]


@dataclass(frozen=True, slots=True)
class Reach:
    """To whom it was said and what follows, for the composer; what is stopped and what that covers, for the panel."""

    target: str
    consequence: str
    stopped: str = ""
    covered: str = ""


_REACH = {
    ConsentScope.NUMBER: Reach(
        target="this number",
        consequence="You cannot text them from it",
        stopped="Texts from this number are stopped",
        covered="No other number of the schools is covered.",
    ),
    ConsentScope.SCHOOL: Reach(
        target="{school}",
        consequence="Nobody can text them from the school’s numbers",
        stopped="Texts from {school} are stopped",
        covered="This covers the school’s number and the personal numbers of everyone who works only there. "
        "{others} and people of several schools are not covered.",
    ),
    ConsentScope.SHARED: Reach(
        target="somebody who works at several schools",
        consequence="Nobody who does can text them",
        stopped="Texts from people of several schools are stopped",
        covered="This covers the personal numbers of everyone who works at several schools. "
        "The schools’ own numbers and people of one school are not covered.",
    ),
    ConsentScope.ALL: Reach(
        target="the district",
        consequence="Nobody can text them",
        stopped="All texts from the district are stopped",
        covered="This covers every school and everyone who works for the district.",
    ),
}
_EVERYONE_AT_SCHOOL = Reach(
    target="{school}",
    consequence="Nobody who works there can text them",
    stopped="Texts from {school} are stopped",
    covered="This covers the school’s number and the personal numbers of everyone who works there. "
    "People who do not work there are not covered.",
)
_EARLIER = Reach("the number from which this conversation was handed over", "You cannot text them")
