"""Numbers that belong to nobody: which are for sale, and which fail in which believable way.

555-0100 to 555-0199 of every area code is reserved for fiction. The simulator sells 0100 to 0129; 0130 to 0195 are
left for family phones that simply work; the last four are family phones that do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

AREA_CODES: dict[str, str] = {
    "AL": "205 251 256 334 659 938",
    "AK": "907",
    "AZ": "480 520 602 623 928",
    "AR": "327 479 501 870",
    "CA": "209 213 279 310 323 341 350 369 408 415 424 442 510 530 559 562 619 626 628 650 657 661 669 707 714 747 760"
    " 805 818 820 831 840 858 909 916 925 949 951",
    "CO": "303 719 720 970 983",
    "CT": "203 475 860 959",
    "DE": "302",
    "DC": "202 771",
    "FL": "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 954",
    "GA": "229 404 470 478 678 706 762 770 912 943",
    "HI": "808",
    "ID": "208 986",
    "IL": "217 224 309 312 331 447 464 618 630 708 730 773 779 815 847 861 872",
    "IN": "219 260 317 463 574 765 812 930",
    "IA": "319 515 563 641 712",
    "KS": "316 620 785 913",
    "KY": "270 364 502 606 859",
    "LA": "225 318 337 457 504 985",
    "ME": "207",
    "MD": "227 240 301 410 443 667",
    "MA": "339 351 413 508 617 774 781 857 978",
    "MI": "231 248 269 313 517 586 616 679 734 810 906 947 989",
    "MN": "218 320 507 612 651 763 924 952",
    "MS": "228 601 662 769",
    "MO": "235 314 417 557 573 636 660 816 975",
    "MT": "406",
    "NE": "308 402 531",
    "NV": "702 725 775",
    "NH": "603",
    "NJ": "201 551 609 640 732 848 856 862 908 973",
    "NM": "505 575",
    "NY": "212 315 329 332 347 363 516 518 585 607 624 631 646 680 716 718 838 845 914 917 929 934",
    "NC": "252 336 472 704 743 828 910 919 980 984",
    "ND": "701",
    "OH": "216 220 234 283 326 330 380 419 436 440 513 567 614 740 937",
    "OK": "405 539 572 580 918",
    "OR": "458 503 541 971",
    "PA": "215 223 267 272 412 445 484 570 582 610 717 724 814 835 878",
    "RI": "401",
    "SC": "803 821 839 843 854 864",
    "SD": "605",
    "TN": "423 615 629 731 865 901 931",
    "TX": "210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 903 915 936 940 945 956"
    " 972 979",
    "UT": "385 435 801",
    "VT": "802",
    "VA": "276 434 540 571 686 703 757 804 826 948",
    "WA": "206 253 360 425 509 564",
    "WV": "304 681",
    "WI": "262 274 353 414 534 608 715 920",
    "WY": "307",
}
REGION_OF: dict[str, str] = {code: state for state, codes in AREA_CODES.items() for code in codes.split()}
FOR_SALE = range(100, 130)

KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
US_NUMBER = re.compile(r"\+1[2-9]\d\d[2-9]\d{6}", re.ASCII)
WORLD_NUMBER = re.compile(r"\+[2-9]\d{6,14}", re.ASCII)


@dataclass(frozen=True)
class Fate:
    """What happens to texts for a number. status None: Twilio refuses them at once with that code."""

    code: int
    status: str | None
    message: str
    sentence: str


# By the last four digits of a fictional number.
FATES: dict[str, Fate] = {
    "0196": Fate(
        30003,
        "undelivered",
        "Unreachable destination handset",
        "This phone is switched off for good: texts to it end as undelivered (30003).",
    ),
    "0197": Fate(
        30006,
        "undelivered",
        "Landline or unreachable carrier",
        "This is a landline: texts to it end as undelivered (30006).",
    ),
    "0198": Fate(
        30007, "undelivered", "Message filtered", "This phone's carrier filters texts: they end as undelivered (30007)."
    ),
    "0199": Fate(
        21211,
        None,
        "Invalid 'To' Phone Number",
        "This number is not valid: Twilio refuses texts to it at once (21211).",
    ),
}


def fate_of(number: str) -> Fate | None:
    """The fate of a fictional number's texts; None: they arrive."""
    return FATES.get(number[-4:]) if is_fictional(number) else None


def is_fictional(number: str) -> bool:
    """Whether the number is one of 555-0100 to 555-0199."""
    return bool(US_NUMBER.fullmatch(number)) and number[5:10] == "55501"


def is_sold_here(number: str) -> bool:
    """Whether the number is of the stock that the simulator sells."""
    return is_fictional(number) and int(number[-4:]) in FOR_SALE and number[2:5] in REGION_OF


def stock(area_code: str = "") -> Iterator[str]:
    """Every number the simulator could sell; of one area code, or of all."""
    codes = [area_code] if area_code else REGION_OF
    return (f"+1{code}555{line:04d}" for code in codes if code in REGION_OF for line in FOR_SALE)


def normalize(text: str) -> str | None:
    """A number as people write it, in E.164; None when it is none."""
    digits = re.sub(r"[\s().-]", "", text)
    if re.fullmatch(r"\d{10}", digits):
        digits = "+1" + digits
    elif re.fullmatch(r"1\d{10}", digits):
        digits = "+" + digits
    return digits if US_NUMBER.fullmatch(digits) or WORLD_NUMBER.fullmatch(digits) else None


def spoken(number: str) -> str:
    """(212) 555-0123"""
    return f"({number[2:5]}) {number[5:8]}-{number[8:]}" if US_NUMBER.fullmatch(number) else number


def matches(number: str, pattern: str) -> bool:
    """Twilio's Contains: digits, letters of the keypad, and * for any one digit, anywhere in the number."""
    wanted = re.sub(r"[^0-9*]", "", pattern.upper().translate(KEYPAD))
    return bool(re.search(wanted.replace("*", r"\d"), number))
