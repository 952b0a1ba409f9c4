"""What a family hears that calls a number of ours, which takes texts only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tp_inbox.domain.languages import ENGLISH, language as known_language


@dataclass(frozen=True, slots=True)
class Called:
    """Whose number it is, as far as the caller may hear it: ``person`` is empty for a stranger, and for a school's own.

    ``office`` is where the call is put through to, E.164; without one the caller is asked to call there.
    """

    school: str
    person: str = ""
    office: str = ""
    language: str = ENGLISH.code


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentences of one language."""

    of_person: str
    of_school: str
    put_through: str
    call_instead: str


PHRASES: Mapping[str, Phrases] = {
    "en": Phrases(
        "You have reached {school}. This is the texting number of {person}.",
        "You have reached {school}. This number is for text messages.",
        "Please hold while we put you through to the school office.",
        "Calls to this number are not answered. Please send a text, or call the school office. Goodbye.",
    ),
    "es": Phrases(
        "Usted ha llamado a {school}. Este es el número de mensajes de texto de {person}.",
        "Usted ha llamado a {school}. Este número es para mensajes de texto.",
        "Por favor espere mientras le comunicamos con la oficina de la escuela.",
        "En este número no se contestan llamadas. Por favor envíe un mensaje de texto o llame a la oficina de la "
        "escuela. Adiós.",
    ),
    "fr": Phrases(
        "Vous avez joint {school}. Ce numéro sert aux messages texte de {person}.",
        "Vous avez joint {school}. Ce numéro sert aux messages texte.",
        "Veuillez patienter, nous vous mettons en communication avec le bureau de l’école.",
        "On ne répond pas aux appels à ce numéro. Veuillez envoyer un message texte ou appeler le bureau de l’école. "
        "Au revoir.",
    ),
    "pt": Phrases(
        "Você ligou para {school}. Este é o número de mensagens de texto de {person}.",
        "Você ligou para {school}. Este número é para mensagens de texto.",
        "Aguarde, por favor, enquanto transferimos a ligação para a secretaria da escola.",
        "Ligações para este número não são atendidas. Envie uma mensagem de texto ou ligue para a secretaria da "
        "escola. Até logo.",
    ),
}
"""Languages in which a voice reads a name of a school well enough to be understood; the others hear English."""

NOBODY_KNOWS = (
    "You have reached a number that is for text messages only. "
    "Please send a text, or call the office of your school. Goodbye."
)


def spoken_in(language: str) -> str:
    """The language in which somebody who reads this one is spoken to."""
    code = known_language(language).code
    return code if code in PHRASES else ENGLISH.code


def greeting(called: Called | None) -> str:
    """Whose number it is and what happens next; a general sentence when nobody knows."""
    if called is None:
        return NOBODY_KNOWS
    phrases = PHRASES[spoken_in(called.language)]
    whose = phrases.of_person if called.person else phrases.of_school
    then = phrases.put_through if called.office else phrases.call_instead
    return f"{whose.format(school=called.school, person=called.person)} {then}"
