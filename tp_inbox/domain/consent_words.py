"""What a family is answered to STOP, START and HELP, in the language that it reads."""

from __future__ import annotations

from collections.abc import Mapping

from tp_inbox.domain.languages import ENGLISH, language


def stop_confirmation(code: str, who: str) -> str:
    """``code``: of the family's language. ``who``: the school, or the person and the school."""
    return _in(code, _STOPPED).format(who=who)


def start_confirmation(code: str, who: str) -> str:
    return _in(code, _STARTED).format(who=who)


def help_answer(code: str, who: str, office: str) -> str:
    """``office``: the number of the school's office; empty when it is not known."""
    said = _in(code, _HELP).format(who=who)
    at_the_office = _in(code, _OFFICE).format(office=office) if office else ""
    return " ".join(part for part in (said, at_the_office, _in(code, _HOW_TO_STOP)) if part)


def _in(code: str, words: Mapping[str, str]) -> str:
    return words.get(language(code).code, words[ENGLISH.code])


_STOPPED = {
    "en": "{who}: You will get no more texts from us. Text START to get them again.",
    "es": "{who}: Ya no le enviaremos más mensajes. Para recibirlos de nuevo, envíe START.",
    "vi": "{who}: Quý vị sẽ không nhận tin nhắn từ chúng tôi nữa. Để nhận lại, hãy nhắn START.",
    "ar": "{who}: لن تصلكم رسائل منا بعد الآن. لاستلامها من جديد أرسلوا START.",
    "so": "{who}: Fariimo dambe naga heli mayside. Si aad mar kale u hesho, soo dir START.",
    "ru": "{who}: Мы больше не будем присылать вам сообщения. Чтобы снова получать их, отправьте START.",
    "fr": "{who} : Vous ne recevrez plus nos messages. Pour les recevoir à nouveau, envoyez START.",
    "ht": "{who}: Nou p ap voye mesaj ba ou ankò. Pou w resevwa yo ankò, voye START.",
    "pt": "{who}: Você não receberá mais nossas mensagens. Para voltar a recebê-las, envie START.",
    "uk": "{who}: Ми більше не надсилатимемо вам повідомлень. Щоб знову їх отримувати, надішліть START.",
    "zh": "{who}：我们不会再给您发短信。如需重新接收，请回复 START。",
    "fa": "{who}: دیگر پیامکی از ما دریافت نخواهید کرد. برای دریافت دوباره، START را بفرستید.",
}
_STARTED = {
    "en": "{who}: You will get our texts again. Text STOP to end them at any time.",
    "es": "{who}: Volverá a recibir nuestros mensajes. Para dejar de recibirlos, envíe STOP.",
    "vi": "{who}: Quý vị sẽ lại nhận tin nhắn của chúng tôi. Để ngừng nhận, hãy nhắn STOP.",
    "ar": "{who}: ستصلكم رسائلنا من جديد. لإيقافها في أي وقت أرسلوا STOP.",
    "so": "{who}: Mar kale ayaad fariimahayaga heli doontaa. Si aad u joojiso, soo dir STOP.",
    "ru": "{who}: Вы снова будете получать наши сообщения. Чтобы отказаться от них, отправьте STOP.",
    "fr": "{who} : Vous recevrez à nouveau nos messages. Pour ne plus les recevoir, envoyez STOP.",
    "ht": "{who}: W ap resevwa mesaj nou yo ankò. Pou w sispann yo, voye STOP.",
    "pt": "{who}: Você voltará a receber nossas mensagens. Para deixar de recebê-las, envie STOP.",
    "uk": "{who}: Ви знову отримуватимете наші повідомлення. Щоб відмовитися від них, надішліть STOP.",
    "zh": "{who}：您将重新收到我们的短信。如需停止接收，请回复 STOP。",
    "fa": "{who}: دوباره پیامک‌های ما را دریافت خواهید کرد. برای پایان دادن، STOP را بفرستید.",
}
_HELP = {
    "en": "This number belongs to {who}.",
    "es": "Este número es de {who}.",
    "vi": "Số này của {who}.",
    "ar": "هذا الرقم يعود إلى {who}.",
    "so": "Lambarkan waxaa leh {who}.",
    "ru": "Этот номер: {who}.",
    "fr": "Ce numéro est celui de {who}.",
    "ht": "Nimewo sa a se pou {who}.",
    "pt": "Este número é de {who}.",
    "uk": "Цей номер: {who}.",
    "zh": "此号码属于 {who}。",
    "fa": "این شماره متعلق به {who} است.",
}
_OFFICE = {
    "en": "School office: {office}.",
    "es": "Oficina de la escuela: {office}.",
    "vi": "Văn phòng trường: {office}.",
    "ar": "مكتب المدرسة: {office}.",
    "so": "Xafiiska dugsiga: {office}.",
    "ru": "Канцелярия школы: {office}.",
    "fr": "Bureau de l’école : {office}.",
    "ht": "Biwo lekòl la: {office}.",
    "pt": "Secretaria da escola: {office}.",
    "uk": "Канцелярія школи: {office}.",
    "zh": "学校办公室：{office}。",
    "fa": "دفتر مدرسه: {office}.",
}
_HOW_TO_STOP = {
    "en": "Reply STOP to end texts.",
    "es": "Responda STOP para no recibir más mensajes.",
    "vi": "Trả lời STOP để ngừng nhận tin nhắn.",
    "ar": "لإيقاف الرسائل أرسلوا STOP.",
    "so": "Si aad u joojiso fariimaha, ku jawaab STOP.",
    "ru": "Чтобы отказаться от сообщений, ответьте STOP.",
    "fr": "Répondez STOP pour ne plus recevoir de messages.",
    "ht": "Reponn STOP pou w pa resevwa mesaj ankò.",
    "pt": "Responda STOP para não receber mais mensagens.",
    "uk": "Щоб відмовитися від повідомлень, дайте відповідь STOP.",
    "zh": "回复 STOP 停止接收短信。",
    "fa": "برای پایان دادن به پیامک‌ها، STOP را بفرستید.",
}
