"""The families of the demonstration district. Every name is made up, every number is reserved for fiction.

Numbers end in 0130 to 0195 and simply work; 0196 is switched off, 0197 a landline, 0198 behind a filter.
Ages are told from the day of seeding, so that some students turn 13 within the weeks after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from tp_inbox.demo.district import LINCOLN, ROOSEVELT


@dataclass(frozen=True, slots=True)
class Birthday:
    """The birthday at which a student turned ``years``, so many days ago; less than 0 is yet to come."""

    years: int
    days_ago: int


def turned(years: int, days_ago: int) -> Birthday:
    return Birthday(years, days_ago)


def turns(years: int, in_days: int) -> Birthday:
    return Birthday(years, -in_days)


def birth_date(birthday: Birthday, today: date) -> date:
    """The date of birth; a birthday on 29 February is taken to be on 1 March where the year of birth has none."""
    day = today - timedelta(days=birthday.days_ago)
    try:
        return day.replace(year=day.year - birthday.years)
    except ValueError:
        return date(day.year - birthday.years, 3, 1)


@dataclass(frozen=True, slots=True)
class Child:
    """``phone`` is the student's own, or a parent's that they use too."""

    name: str
    school: str
    grade: int
    birthday: Birthday | None
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Adult:
    name: str
    relation: str
    phone: str = ""
    source: str = "roster"


@dataclass(frozen=True, slots=True)
class Family:
    """Adults who are each a contact of every one of the children."""

    language: str
    adults: tuple[Adult, ...]
    children: tuple[Child, ...]


ENGLISH = (
    Family(
        "en",
        (Adult("Keisha Johnson", "mother", "(612) 555-0130"), Adult("Darnell Johnson", "father", "(612) 555-0131")),
        (
            Child("Jaylen Johnson", LINCOLN, 7, turned(13, 40), "(612) 555-0132"),
            Child("Amara Johnson", ROOSEVELT, 9, turned(14, 200)),
        ),
    ),
    Family(  # both parents on one number
        "en",
        (Adult("Kirsten Andersen", "mother", "(651) 555-0130"), Adult("Erik Andersen", "father", "(651) 555-0130")),
        (Child("Linnea Andersen", LINCOLN, 8, turned(13, 300)),),
    ),
    Family(  # the children use their father's phone; one is under 13
        "en",
        (Adult("Patrick Murphy", "father", "(763) 555-0130"),),
        (
            Child("Declan Murphy", LINCOLN, 7, turned(12, 250), "(763) 555-0130"),
            Child("Nora Murphy", ROOSEVELT, 9, turned(14, 90), "(763) 555-0130"),
        ),
    ),
    Family(
        "en",
        (Adult("Dorothy Robinson", "grandmother and guardian", "(612) 555-0133"),),
        (
            Child("Tyrese Robinson", LINCOLN, 8, turned(13, 150)),
            Child("Imani Robinson", LINCOLN, 6, turned(11, 340)),
        ),
    ),
    Family(  # a landline
        "en",
        (Adult("Carol Peterson", "mother", "(952) 555-0197"), Adult("Greg Peterson", "father", "(952) 555-0130")),
        (Child("Sophie Peterson", LINCOLN, 7, turns(13, 20)),),
    ),
    Family(
        "en",
        (Adult("Laura Schmidt", "mother", "(952) 555-0131"),),
        (Child("Ben Schmidt", LINCOLN, 7, turns(13, 9), "(952) 555-0141"),),
    ),
    Family(  # a contact without a phone
        "en",
        (Adult("Denise Walker", "mother", "(612) 555-0134"), Adult("Ray Walker", "father")),
        (Child("Caleb Walker", LINCOLN, 8, turned(13, 210), "(612) 555-0135"),),
    ),
    Family(
        "en",
        (Adult("Mai Thao", "mother", "(651) 555-0131"), Adult("Pao Thao", "father", "(651) 555-0132")),
        (
            Child("Kevin Thao", LINCOLN, 8, turned(13, 75)),
            Child("Chloe Thao", ROOSEVELT, 10, turned(15, 120), "(651) 555-0147"),
        ),
    ),
    Family(
        "en",
        (Adult("Heather Larson", "mother", "(763) 555-0131"), Adult("Jim Larson", "stepfather", "(763) 555-0132")),
        (Child("Ella Larson", LINCOLN, 6, turned(12, 10)), Child("Owen Larson", ROOSEVELT, 9, turned(14, 30))),
    ),
    Family(  # a phone that is switched off
        "en",
        (
            Adult("Monique Washington", "mother", "(612) 555-0196"),
            Adult("Andre Washington", "father", "(612) 555-0136"),
        ),
        (Child("Zoe Washington", LINCOLN, 7, turned(13, 5)),),
    ),
    Family(
        "en",
        (Adult("Anita Patel", "mother", "(952) 555-0132"), Adult("Rakesh Patel", "father", "(952) 555-0133")),
        (
            Child("Rohan Patel", LINCOLN, 8, turned(13, 280), "(952) 555-0134"),
            Child("Diya Patel", ROOSEVELT, 9, turned(14, 310)),
        ),
    ),
    Family(  # no birth date on file, though there is a phone
        "en",
        (Adult("Janet Kowalski", "mother", "(414) 555-0130"),),
        (Child("Adam Kowalski", ROOSEVELT, 9, None, "(414) 555-0131"),),
    ),
    Family(
        "en",
        (Adult("Tamara Brooks", "mother", "(651) 555-0133"), Adult("Jessica Miller", "mother", "(651) 555-0134")),
        (Child("Micah Brooks", LINCOLN, 7, turned(12, 120)),),
    ),
    Family(
        "en",
        (Adult("Ken Nakamura", "father", "(206) 555-0130"),),
        (Child("Emi Nakamura", ROOSEVELT, 9, turned(14, 170), "(651) 555-0135"),),
    ),
    Family(
        "en",
        (Adult("Linda Carter", "foster mother", "(507) 555-0130"),),
        (Child("Jordan Price", LINCOLN, 7, turns(13, 27)),),
    ),
    Family(
        "en",
        (Adult("Angela Fairbanks", "mother", "(218) 555-0130"), Adult("Robert Fairbanks", "uncle", "(218) 555-0131")),
        (Child("Skye Fairbanks", LINCOLN, 8, turned(14, 12)), Child("Wyatt Fairbanks", ROOSEVELT, 10, turned(15, 60))),
    ),
)

SPANISH = (
    Family(
        "es",
        (Adult("Rosa Hernández", "mother", "(612) 555-0137"), Adult("Miguel Hernández", "father", "(612) 555-0138")),
        (
            Child("Mateo Hernández", LINCOLN, 7, turned(13, 60)),
            Child("Sofía Hernández", ROOSEVELT, 9, turned(14, 250), "(612) 555-0139"),
        ),
    ),
    Family(
        "es",
        (Adult("Guadalupe García", "mother", "(651) 555-0136"),),
        (Child("Luis García", LINCOLN, 8, turned(13, 190)),),
    ),
    Family(  # both parents on one number
        "es",
        (Adult("María Ramírez", "mother", "(612) 555-0140"), Adult("José Ramírez", "father", "(612) 555-0140")),
        (Child("Valeria Ramírez", LINCOLN, 7, turned(12, 300)), Child("Diego Ramírez", LINCOLN, 8, turned(14, 40))),
    ),
    Family(
        "es",
        (Adult("Ana Morales", "mother", "(763) 555-0133"), Adult("Carlos Morales", "uncle", "(763) 555-0134")),
        (Child("Camila Morales", LINCOLN, 7, turns(13, 16)),),
    ),
    Family(  # the aunt was added by hand
        "es",
        (
            Adult("Carmen Torres", "grandmother", "(612) 555-0141"),
            Adult("Isabel Torres", "mother", "(612) 555-0142"),
            Adult("Teresa Vega", "aunt", "(312) 555-0130", source="hand"),
        ),
        (Child("Andrés Torres", ROOSEVELT, 9, turned(14, 140)),),
    ),
    Family(
        "es",
        (Adult("Lucía Flores", "mother", "(952) 555-0135"), Adult("Raúl Flores", "father", "(952) 555-0142")),
        (Child("Emiliano Flores", LINCOLN, 8, turned(13, 330), "(952) 555-0136"),),
    ),
    Family(
        "es",
        (Adult("Juan Cruz", "father", "(713) 555-0130"), Adult("Alma Cruz", "mother", "(713) 555-0131")),
        (Child("Ximena Cruz", LINCOLN, 7, turned(12, 210)),),
    ),
    Family(
        "es",
        (Adult("Patricia Mendoza", "mother", "(651) 555-0137"), Adult("Ricardo Mendoza", "father", "(651) 555-0138")),
        (Child("Gael Mendoza", LINCOLN, 7, turned(13, 1)), Child("Daniela Mendoza", ROOSEVELT, 10, turned(15, 200))),
    ),
    Family(
        "es",
        (Adult("Blanca Quispe", "mother", "(612) 555-0143"),),
        (Child("Kevin Quispe", ROOSEVELT, 9, turned(14, 20)),),
    ),
)

SOMALI = (
    Family(
        "so",
        (Adult("Fadumo Ali", "mother", "(612) 555-0144"), Adult("Abdi Warsame", "father", "(612) 555-0145")),
        (
            Child("Ayaan Abdi Warsame", LINCOLN, 7, turned(13, 110)),
            Child("Hamza Abdi Warsame", ROOSEVELT, 9, turned(14, 220)),
        ),
    ),
    Family(
        "so",
        (Adult("Amina Hassan", "mother", "(612) 555-0146"), Adult("Mohamed Yusuf", "father", "(612) 555-0157")),
        (Child("Zakariya Mohamed Yusuf", LINCOLN, 8, turned(13, 240)),),
    ),
    Family(
        "so",
        (Adult("Halima Jama", "mother", "(651) 555-0139"), Adult("Ismail Osman", "father", "(651) 555-0140")),
        (
            Child("Hibaq Ismail Osman", LINCOLN, 7, turned(12, 280)),
            Child("Liban Ismail Osman", LINCOLN, 8, turned(14, 5)),
        ),
    ),
    Family(  # mother and grandmother on one number
        "so",
        (Adult("Khadra Farah", "mother", "(763) 555-0135"), Adult("Asha Nur", "grandmother", "(763) 555-0135")),
        (Child("Sagal Ahmed Ali", ROOSEVELT, 9, turned(14, 60), "(763) 555-0136"),),
    ),
    Family(
        "so",
        (Adult("Sahra Abdullahi", "mother", "(612) 555-0147"),),
        (Child("Mustafe Ahmed Nuur", LINCOLN, 7, turned(13, 15)),),
    ),
)

VIETNAMESE = (
    Family(
        "vi",
        (Adult("Lan Nguyen", "mother", "(651) 555-0141"), Adult("Minh Nguyen", "father", "(651) 555-0142")),
        (
            Child("An Nguyen", LINCOLN, 8, turned(13, 130)),
            Child("Linh Nguyen", ROOSEVELT, 10, turned(15, 90), "(651) 555-0148"),
        ),
    ),
    Family(  # both parents on one number
        "vi",
        (Adult("Hoa Tran", "mother", "(763) 555-0137"), Adult("Tuan Tran", "father", "(763) 555-0137")),
        (Child("Bao Tran", LINCOLN, 7, turned(12, 355)),),
    ),
    Family(
        "vi",
        (Adult("Thuy Pham", "mother", "(952) 555-0137"), Adult("Long Pham", "father", "(952) 555-0143")),
        (Child("Khoa Pham", ROOSEVELT, 9, turned(14, 330)),),
    ),
    Family(
        "vi",
        (Adult("Dung Le", "grandfather", "(651) 555-0143"), Adult("Mai Le", "mother", "(651) 555-0144")),
        (Child("Vy Le", LINCOLN, 7, turned(13, 95)),),
    ),
)

ARABIC = (
    Family(
        "ar",
        (Adult("Layla Haddad", "mother", "(612) 555-0148"), Adult("Omar Haddad", "father", "(612) 555-0149")),
        (Child("Yusuf Haddad", LINCOLN, 8, turned(13, 170)), Child("Noor Haddad", LINCOLN, 6, turned(11, 300))),
    ),
    Family(
        "ar",
        (Adult("Rania Al-Khatib", "mother", "(952) 555-0138"), Adult("Basel Al-Khatib", "father", "(952) 555-0144")),
        (Child("Sami Al-Khatib", LINCOLN, 7, turned(13, 33)),),
    ),
    Family(
        "ar",
        (Adult("Zainab Al-Jabouri", "mother", "(763) 555-0138"), Adult("Ali Al-Jabouri", "father", "(763) 555-0139")),
        (Child("Maryam Al-Jabouri", ROOSEVELT, 9, turned(14, 270)),),
    ),
    Family(
        "ar",
        (Adult("Samira Mansour", "mother", "(651) 555-0145"),),
        (Child("Karim Mansour", LINCOLN, 8, turned(14, 80)),),
    ),
)

RUSSIAN = (
    Family(
        "ru",
        (Adult("Olga Ivanova", "mother", "(952) 555-0139"), Adult("Dmitri Ivanov", "father", "(952) 555-0140")),
        (Child("Anastasia Ivanova", LINCOLN, 7, turned(12, 240)),),
    ),
    Family(
        "ru",
        (Adult("Natalia Petrova", "mother", "(763) 555-0140"), Adult("Alexei Petrov", "father", "(763) 555-0143")),
        (Child("Maxim Petrov", ROOSEVELT, 9, turned(14, 180), "(763) 555-0141"),),
    ),
    Family(  # a carrier that filters texts
        "ru",
        (Adult("Svetlana Sokolova", "mother", "(612) 555-0198"), Adult("Pavel Sokolov", "father", "(612) 555-0152")),
        (Child("Ivan Sokolov", LINCOLN, 8, turned(13, 260)),),
    ),
)

FRENCH = (
    Family(
        "fr",
        (Adult("Aminata Diallo", "mother", "(612) 555-0150"), Adult("Ousmane Diallo", "father", "(612) 555-0151")),
        (
            Child("Fatou Diallo", LINCOLN, 7, turned(13, 70)),
            Child("Ibrahima Diallo", ROOSEVELT, 10, turned(15, 300)),
        ),
    ),
    Family(
        "fr",
        (Adult("Akossiwa Mensah", "mother", "(763) 555-0142"), Adult("Yao Mensah", "father", "(763) 555-0144")),
        (Child("Kofi Mensah", LINCOLN, 8, turned(14, 110)),),
    ),
    Family(  # no birth date on file
        "fr",
        (Adult("Clarisse Mbarga", "mother", "(651) 555-0146"),),
        (Child("Junior Mbarga", LINCOLN, 7, None),),
    ),
    Family(
        "fr",
        (Adult("Estelle Kouassi", "mother", "(612) 555-0153"), Adult("Marc Kouassi", "father", "(612) 555-0154")),
        (Child("Grace Kouassi", ROOSEVELT, 9, turned(14, 150)),),
    ),
)

FAMILIES: tuple[Family, ...] = (*ENGLISH, *SPANISH, *SOMALI, *VIETNAMESE, *ARABIC, *RUSSIAN, *FRENCH)

STRANGERS = ("(773) 555-0164",)
"""Numbers that have texted a school, and of which the district knows nothing."""
