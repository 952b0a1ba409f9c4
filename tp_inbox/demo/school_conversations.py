"""What the two schools' shared inboxes hold: several authors, and families who answer the school."""

from __future__ import annotations

from tp_inbox.demo.conversations import Conversation, home, school
from tp_inbox.demo.district import LINCOLN, ROOSEVELT
from tp_inbox.domain.delivery import FailureReason

OF_LINCOLN = (
    Conversation(
        LINCOLN,
        "Denise Walker",
        (
            school(
                "principal",
                2,
                "07:35",
                "Bus 12 is running about 20 minutes late this morning. We are sorry for the wait.",
            ),
            home(2, "07:38", "Thanks. Caleb is at the stop with two other kids, all good."),
            school("principal", 2, "07:41", "Thank you! They will not be marked late."),
        ),
    ),
    Conversation(
        LINCOLN,
        "Amina Hassan",
        (
            school(
                "counselor",
                4,
                "10:00",
                "Hello, we are still missing Zakariya's permission slip for the science museum. He can hand it in at "
                "the office until Friday.",
            ),
            home(4, "17:15", "Haa, waan saxiixay. Berri ayuu keeni doonaa."),
            school("counselor", 3, "09:02", "We have it now. Mahadsanid!"),
        ),
    ),
    Conversation(
        LINCOLN,
        "María Ramírez",
        (
            school(
                "principal",
                3,
                "09:40",
                "Valeria no llegó hoy a la escuela. Por favor avísenos si está enferma. Valeria was not in school "
                "today; please tell us if she is sick.",
            ),
            home(3, "09:52", "Disculpe, tiene cita con el dentista. Llega como a las 11."),
            school("counselor", 3, "09:58", "Gracias por avisar. Que pase por la oficina cuando llegue."),
            home(3, "11:06", "Ya la dejé en la puerta. Gracias."),
        ),
    ),
    Conversation(
        LINCOLN,
        "Rosa Hernández",
        (
            school(
                "principal",
                5,
                "13:10",
                "Picture day is tomorrow. Order forms are in the Thursday folders. Mañana es el día de fotos.",
            ),
            home(5, "15:55", "Gracias. ¿Se puede pagar en efectivo?"),
            school("counselor", 5, "16:02", "Sí, en un sobre con el nombre de Mateo."),
        ),
    ),
    Conversation(
        LINCOLN,
        "Patrick Murphy",
        (
            home(
                1, "08:20", "Hi, Declan lost his winter jacket, navy blue with an orange zipper. Did anyone hand it in?"
            ),
            school("counselor", 1, "08:45", "Nothing yet, we will look in the gym and on the bus."),
            school("principal", 1, "13:25", "Found it! It was in the music room. It is waiting for him at the office."),
            home(1, "13:31", "You people are the best. Thank you!!"),
        ),
    ),
    Conversation(
        LINCOLN,
        "Greg Peterson",
        (
            school("principal", 5, "13:10", "Picture day is tomorrow. Order forms are in the Thursday folders."),
            home(5, "13:26", "STOP"),
        ),
    ),
    Conversation(
        LINCOLN,
        "Carol Peterson",
        (
            school(
                "counselor",
                4,
                "09:12",
                "Hello Ms. Peterson, Sophie's library books are due this week.",
                failed=FailureReason.LANDLINE,
            ),
        ),
    ),
    Conversation(
        LINCOLN,
        "Samira Mansour",
        (
            home(0, "07:52", "صباح الخير، كريم عنده موعد عند الطبيب. سآخذه من المدرسة الساعة الواحدة."),
            school(
                "principal",
                0,
                "08:05",
                "Good morning, thank you. Please ring at door 1, Karim will wait in the office at 1:00.",
            ),
            home(0, "08:09", "شكراً جزيلاً."),
        ),
        unread_by=("office",),
    ),
    Conversation(
        LINCOLN,
        "Aminata Diallo",
        (
            school(
                "counselor",
                6,
                "14:30",
                "Bonjour, la répétition de la chorale finit aujourd'hui à 16 h 15 au lieu de 15 h 45.",
            ),
            home(6, "14:41", "D'accord, merci. Son père vient la chercher."),
        ),
    ),
    Conversation(
        LINCOLN,
        "Linda Carter",
        (
            school(
                "counselor",
                2,
                "10:25",
                "Ms. Carter, Jordan's school supplies have come. Would you like to pick them up, or shall Jordan bring "
                "them home?",
            ),
            home(2, "11:10", "Jordan can bring them. Thank you for arranging this."),
            home(
                0,
                "10:02",
                "Hello, Jordan has a dentist appointment and has to leave at 1:30. I'll come to the office.",
            ),
        ),
        unread_by=("counselor", "principal", "office"),
    ),
    Conversation(
        LINCOLN,
        "(773) 555-0164",
        (
            home(
                0, "10:47", "Hi, I am Zoe's aunt, visiting from Chicago. What time does basketball practice end today?"
            ),
        ),
        unread_by=("counselor", "principal", "office"),
    ),
)

OF_ROOSEVELT = (
    Conversation(
        ROOSEVELT,
        "Janet Kowalski",
        (
            home(1, "07:42", "The bus app says bus 31 is 15 min late. Will Adam still get breakfast?"),
            school("assistant.principal", 1, "07:49", "Yes, breakfast stays open until 8:30 when buses are late."),
            home(1, "07:51", "Perfect, thanks."),
        ),
    ),
    Conversation(
        ROOSEVELT,
        "Zainab Al-Jabouri",
        (
            school(
                "assistant.principal",
                3,
                "10:35",
                "Hello, tomorrow is an early release day. Maryam's bus leaves at 12:40.",
            ),
            home(3, "11:20", "شكراً على التذكير."),
        ),
    ),
    Conversation(
        ROOSEVELT,
        "Natalia Petrova",
        (
            school(
                "counselor.roosevelt", 2, "09:30", "Hello Ms. Petrova, would 3:30 tomorrow work for Maxim's conference?"
            ),
            home(2, "10:14", "Здравствуйте! Да, приду в 15:30. Нужно что-нибудь принести?"),
            school("counselor.roosevelt", 2, "10:20", "Nothing at all. Room 204, and an interpreter will be there."),
        ),
    ),
    Conversation(
        ROOSEVELT,
        "Isabel Torres",
        (
            school(
                "assistant.principal",
                0,
                "09:05",
                "Andrés no llegó a la primera clase. ¿Está enfermo? Andrés was not in first period. Is he sick today?",
            ),
            home(0, "09:31", "Buenos días. Perdió el autobús, mi mamá lo está llevando. Llega en 10 minutos."),
        ),
        unread_by=("counselor.roosevelt",),
    ),
    Conversation(
        ROOSEVELT,
        "Keisha Johnson",
        (
            school(
                "counselor.roosevelt",
                4,
                "14:50",
                "Reminder: Amara's band concert is tomorrow at 7 pm. Musicians arrive at 6:15 in black.",
            ),
            home(4, "15:30", "We'll be there! Is there a charge for little ones?"),
            school("assistant.principal", 4, "15:42", "Free for everyone under 12."),
        ),
    ),
    Conversation(
        ROOSEVELT,
        "Estelle Kouassi",
        (
            school(
                "counselor.roosevelt",
                5,
                "09:20",
                "Bonjour Madame Kouassi, Grace a oublié son ordinateur. Elle peut en emprunter un aujourd'hui.",
            ),
            home(5, "09:44", "Merci de votre aide !"),
        ),
    ),
)

AT_SCHOOLS: tuple[Conversation, ...] = (*OF_LINCOLN, *OF_ROOSEVELT)
