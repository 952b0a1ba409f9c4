"""What counselors, nurse and therapist have written to families from their own numbers, and what came back."""

from __future__ import annotations

from tp_inbox.demo.conversations import Conversation, home, school
from tp_inbox.domain.delivery import FailureReason

COUNSELOR = (
    Conversation(
        "counselor",
        "Rosa Hernández",
        (
            school(
                "counselor",
                3,
                "14:20",
                "Buenas tardes, señora Hernández. Mateo tuvo una semana excelente en matemáticas: su maestra está "
                "muy contenta con él. ¡Felicidades!",
            ),
            home(3, "15:02", "¡Muchas gracias, maestra! Qué gusto me da. En casa está estudiando todas las noches."),
            home(1, "10:41", "Maestra, quisiera hablar con usted sobre la clase avanzada para el próximo año."),
            school("counselor", 1, "12:15", "Con mucho gusto. ¿Le queda bien mañana a las 3:15 en mi oficina?"),
            home(0, "08:12", "Sí, a las 3:15 está perfecto. ¿Puede venir también mi esposo?"),
        ),
        unread_by=("counselor",),
    ),
    Conversation(
        "counselor",
        "Keisha Johnson",
        (
            school(
                "counselor",
                6,
                "09:05",
                "Good morning Ms. Johnson. Jaylen has been late to first period three times in the last two weeks. "
                "Is the morning bus a problem?",
            ),
            home(6, "12:10", "Hi! I start work at 6 now so he gets himself out the door. I'll talk to him tonight."),
            school(
                "counselor",
                6,
                "12:24",
                "Thank you, that helps. There is also a breakfast club from 7:15 if an early start is easier for him.",
            ),
            home(5, "07:48", "He would love that. Can he just show up?"),
            school("counselor", 5, "08:02", "Yes, no sign-up needed. Door 4 by the gym."),
            home(2, "16:05", "He's been every day this week. Thank you so much!"),
        ),
    ),
    Conversation(
        "counselor",
        "Jaylen Johnson",
        (
            school("counselor", 2, "08:40", "Hi Jaylen, on time every day this week. Well done! Come by at lunch?"),
            home(2, "08:44", "ok can i bring my lunch"),
            school("counselor", 2, "08:46", "Of course. See you at 11:40."),
            home(2, "08:46", "👍"),
        ),
    ),
    Conversation(
        "counselor",
        "Lan Nguyen",
        (
            school(
                "counselor",
                4,
                "13:30",
                "Hello Ms. Nguyen, conferences are coming up. Would 3:45 or 5:15 next Tuesday suit you to talk about "
                "An's schedule? We will have a Vietnamese interpreter with us.",
            ),
            home(4, "17:22", "Cảm ơn cô. Tôi chọn 5 giờ 15 được không ạ? Tôi tan làm lúc 4 rưỡi."),
            school("counselor", 3, "08:10", "5:15 it is. Room 118, next to the library. See you then!"),
            home(3, "08:31", "Dạ, cảm ơn cô nhiều."),
        ),
    ),
    Conversation(
        "counselor",
        "Monique Washington",
        (
            school(
                "counselor",
                1,
                "09:20",
                "Good morning Ms. Washington. Zoe left her glasses in my office; they are safe with me until she "
                "comes by.",
                failed=FailureReason.UNREACHABLE,
            ),
        ),
    ),
    Conversation(
        "counselor",
        "Andre Washington",
        (
            school(
                "counselor",
                1,
                "09:34",
                "Good morning Mr. Washington. Zoe left her glasses in my office; they are safe with me until she "
                "comes by. I could not reach Zoe's mother by text.",
            ),
            home(1, "10:50", "Thanks for letting me know. Monique's phone broke, use this number for now please."),
            school("counselor", 1, "11:02", "Will do, thank you."),
        ),
    ),
    Conversation(
        "counselor",
        "Fadumo Ali",
        (
            school(
                "counselor",
                2,
                "13:05",
                "Hello Ms. Ali, Ayaan was chosen for the student council. She needs a signed form by Friday; it is in "
                "her blue folder.",
            ),
            home(2, "18:10", "Mahadsanid macalimad, aad ayaan ugu faraxsanahay! Waan saxiixi doonaa caawa."),
            home(0, "09:26", "Foomkii waan saxiixay. Ayaan baa maanta keeni doonta."),
        ),
        unread_by=("counselor",),
    ),
    Conversation(
        "counselor",
        "Dorothy Robinson",
        (
            school(
                "counselor",
                5,
                "10:15",
                "Good morning Mrs. Robinson. Tyrese has been a real help to a new student this week. I wanted you to "
                "hear that from us.",
            ),
            home(5, "11:32", "That does my heart good. His grandfather would be proud."),
            home(1, "14:47", "Ms. Ortiz, Tyrese says there is a trip to the science museum. What does he need?"),
        ),
        draft="Good morning Mrs. Robinson. He needs a bag lunch and the signed slip. The trip is free for him, and "
        "the bus leaves at ",
    ),
    Conversation(
        "counselor",
        "Aminata Diallo",
        (
            school(
                "counselor",
                4,
                "09:50",
                "Bonjour Madame Diallo. Fatou s'est très bien intégrée dans l'équipe de robotique. Bravo à elle !",
            ),
            home(4, "12:05", "Merci beaucoup, madame. Elle en parle tous les soirs à la maison."),
        ),
    ),
    Conversation(
        "counselor",
        "Rania Al-Khatib",
        (
            school(
                "counselor",
                0,
                "07:55",
                "Good morning Ms. Al-Khatib. Sami told me that he was sick last week. Could you send a short note, so "
                "that the day counts as excused?",
            ),
            home(0, "09:58", "صباح الخير. نعم، كان عنده زكام. سأرسل الورقة معه غداً إن شاء الله."),
        ),
        unread_by=("counselor",),
    ),
)

NURSE = (
    Conversation(
        "nurse",
        "Layla Haddad",
        (
            school(
                "nurse",
                0,
                "09:10",
                "Hello Ms. Haddad, Noor came to my office with a fever of 101.2. Can somebody pick her up?",
            ),
            home(0, "09:18", "شكراً لكِ. سيأتي والدها خلال نصف ساعة."),
            school("nurse", 0, "09:20", "Thank you. She is resting and has had some water. Please come to door 1."),
            home(0, "09:49", "وصل الآن وهو عند الباب."),
        ),
        unread_by=("nurse",),
    ),
    Conversation(
        "nurse",
        "Kirsten Andersen",
        (
            school(
                "nurse", 5, "10:30", "Hello, Linnea's inhaler at school runs out this month. Could you send a new one?"
            ),
            home(5, "13:12", "Yes, picking it up from the pharmacy tomorrow. This is Erik, her dad."),
            home(3, "08:05", "It's in her backpack, with the doctor's form."),
            school("nurse", 3, "08:40", "Got it, thank you both."),
        ),
    ),
    Conversation(
        "nurse",
        "Guadalupe García",
        (
            school(
                "nurse",
                4,
                "11:00",
                "Buenos días, señora García. A Luis le falta un comprobante de vacuna (Tdap). Puede mandarme una foto "
                "de la cartilla por aquí.",
            ),
            home(4, "19:03", "Buenas noches. Ya pedí la cartilla en la clínica, me la dan esta semana."),
            school("nurse", 3, "07:50", "Perfecto, muchas gracias."),
            home(0, "08:33", "Ya la tengo. ¿Se la mando con Luis o por aquí?"),
        ),
        unread_by=("nurse",),
    ),
    Conversation(
        "nurse",
        "Olga Ivanova",
        (
            school(
                "nurse",
                2,
                "12:40",
                "Hello Ms. Ivanova, Anastasia twisted her ankle in gym. It is a little swollen; we are icing it, "
                "and she is in good spirits. You may want to have a doctor look at it.",
            ),
            home(2, "12:52", "Спасибо, что сообщили. Я заберу её в 14:00, хорошо?"),
            school("nurse", 2, "12:55", "Yes, she will wait with me."),
            home(1, "09:30", "Перелома нет, просто растяжение. Завтра придёт в школу, но без физкультуры."),
            school("nurse", 1, "10:05", "Good news! No gym for two weeks, I will tell the teachers."),
        ),
    ),
    Conversation(
        "nurse",
        "Hoa Tran",
        (home(0, "07:41", "Chào cô y tá, cháu Bảo bị sốt từ tối qua. Hôm nay xin phép cho cháu nghỉ học ạ."),),
        unread_by=("nurse",),
    ),
    Conversation(
        "nurse",
        "Sahra Abdullahi",
        (
            school(
                "nurse",
                6,
                "13:15",
                "Hello Ms. Abdullahi, Mustafe had a headache and rested here for 30 minutes. He is back in class.",
            ),
            home(6, "13:40", "Waad ku mahadsan tahay. Caawa waan la hadli doonaa."),
        ),
    ),
)

THERAPIST = (
    Conversation(
        "therapist",
        "Heather Larson",
        (
            school(
                "therapist",
                5,
                "08:30",
                "Hello Ms. Larson, starting next week I can see Ella on Mondays and Owen on Wednesdays, both during "
                "study hall. Does that work for you?",
            ),
            home(5, "09:45", "That works great. Thank you for keeping them out of core classes!"),
            home(1, "15:20", "Ella practiced her r's all weekend. We can hear the difference already."),
        ),
    ),
    Conversation(
        "therapist",
        "Ken Nakamura",
        (
            school(
                "therapist", 3, "10:10", "Mr. Nakamura, Emi's yearly review is due. Could we meet by phone next week?"
            ),
            home(3, "12:00", "Sure. Any day after 2 pm works for me, I am two hours behind you."),
            school("therapist", 3, "12:20", "Then Wednesday at 4:30 our time. I will call this number."),
        ),
    ),
    Conversation(
        "therapist",
        "Akossiwa Mensah",
        (
            school(
                "therapist",
                1,
                "13:00",
                "Bonjour Madame Mensah. Kofi fait de beaux progrès. Voici un exercice : lire 10 minutes à voix haute.",
            ),
            home(0, "08:57", "Bonjour Monsieur Rivera, merci ! Il a déjà commencé hier soir."),
        ),
        unread_by=("therapist",),
    ),
    Conversation(
        "therapist",
        "Thuy Pham",
        (
            school(
                "therapist",
                6,
                "14:05",
                "Hello Ms. Pham, Khoa finished his speech goals for this term. I am proud of him!",
            ),
            home(6, "16:48", "Cảm ơn thầy đã giúp cháu. Gia đình tôi rất vui."),
        ),
    ),
)

ROOSEVELT_COUNSELOR = (
    Conversation(
        "counselor.roosevelt",
        "Patricia Mendoza",
        (
            school(
                "counselor.roosevelt",
                4,
                "09:15",
                "Hello Ms. Mendoza, Daniela qualified for the college visit next month. The form is due in two weeks.",
            ),
            home(4, "18:31", "¡Qué buena noticia! Mañana la lleva firmada. Gracias, señor Okafor."),
        ),
    ),
    Conversation(
        "counselor.roosevelt",
        "Linh Nguyen",
        (
            home(0, "10:20", "Hi Mr. Okafor, can I still switch from French 2 to AP Biology?"),
            school(
                "counselor.roosevelt",
                0,
                "10:42",
                "Hi Linh, until Friday. Stop by during lunch and bring your schedule.",
            ),
        ),
    ),
)

PERSONAL: tuple[Conversation, ...] = (*COUNSELOR, *NURSE, *THERAPIST, *ROOSEVELT_COUNSELOR)
