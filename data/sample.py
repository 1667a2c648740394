"""The bundled sample: invented Korean sentences in KLUE-RE's form, to train on offline in about a minute.

Everything is made here, from the templates and syllables below; nothing comes from a data set, and no person or company
is real. A sentence states one to four facts, several of its entity pairs become rows, and pairs that it leaves
unrelated become `no_relation`. So neither the types nor the words of a pair give its label away: a model must read who
stands where. dev has names, phrases and sentence plans that train never shows, made of the syllables and words of
train. Every process and Python version makes the same rows: `random.Random` is seeded with the part's name.

    python -m data.sample FOLDER        writes train.json, dev.json and vocab.txt there
"""

import argparse
import json
import random
import re
import string
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import permutations
from pathlib import Path
from typing import NamedTuple


class Relation(NamedTuple):
    rows: int  # in train: KLUE's count to the power 0.4, so that the tail can be learned in a minute too
    subject: str  # kinds of entity: the keys of TYPE
    object: str
    train: tuple[str, ...]  # how a sentence says it: with {a} a noun phrase about a, without it what follows "a는"
    dev: tuple[str, ...]  # only in dev, with words that some phrase of train uses


TYPE = {
    "PER": "PER", "ALIAS": "PER", "ORG": "ORG", "SCHOOL": "ORG", "UNION": "ORG", "BRAND": "ORG", "LOC": "LOC",
    "DAT": "DAT", "TITLE": "POH", "FAITH": "POH", "WORK": "POH", "GOODS": "POH", "PEOPLE": "NOH", "MONEY": "NOH",
}  # fmt: skip

# {b} is the other entity; {을}, {이}, {은}, {과}, {으로} become the form that fits the sound before them.
RELATIONS = {
    "org:dissolved": Relation(43, "ORG", "DAT",
        ("{b}에 해체되었다", "{b}에 문을 닫은 {a}", "{b}에 끝내 문을 닫았다"),
        ("{b}에 해체된 {a}", "{b}에 문을 닫았다", "{b}에 끝내 해체되었다")),
    "org:founded": Relation(93, "ORG", "DAT",
        ("{b}에 설립되었다", "{b}에 처음 설립된 {a}", "{b}에 문을 연 {a}", "{b}에 처음 문을 열었다"),
        ("{b}에 설립된 {a}", "{b}에 문을 열었다", "{b}에 처음 설립되었다")),
    "org:place_of_headquarters": Relation(137, "ORG", "LOC",
        ("{b}에 본사를 두고 있다", "{b}에 본부를 둔 {a}", "본사가 {b}에 있다", "본부가 {b}에 있는 {a}"),
        ("{b}에 본부를 두고 있다", "{b}에 본사를 둔 {a}", "본부가 {b}에 있다", "본사가 {b}에 있는 {a}")),
    "org:alternate_names": Relation(142, "ORG", "BRAND",
        ("약칭이 {b}이다", "옛 이름이 {b}인 {a}", "약칭 {b}{으로} 알려진 {a}", "옛 이름 {b}{으로} 알려져 있다"),
        ("약칭이 {b}인 {a}", "옛 이름이 {b}이다", "옛 이름 {b}{으로} 알려진 {a}", "약칭 {b}{으로} 알려져 있다")),
    "org:member_of": Relation(164, "ORG", "UNION",
        ("{b}에 가입했다", "{b} 산하 {a}", "{b}에 속해 있다", "{b}에 속한 {a}", "{b} 산하에 속해 있다"),
        ("{b}에 가입한 {a}", "{b} 산하에 속한 {a}", "{b} 산하에 가입했다")),
    "org:members": Relation(90, "UNION", "ORG",
        ("{b}{을} 회원으로 두고 있다", "{b}{을} 산하에 둔 {a}", "{b}{이} 가입한 {a}", "{b}{을} 새 회원으로 두었다"),
        ("{b}{을} 산하에 두고 있다", "{b}{을} 회원으로 둔 {a}", "{b}{이} 새 회원으로 가입한 {a}")),
    "org:political/religious_affiliation": Relation(50, "ORG", "FAITH",
        ("{b} 계열이다", "{b} 정신을 따르는 {a}", "{b} 계열인 {a}", "{b} 정신을 따랐다"),
        ("{b} 정신을 따르는 계열이다", "{b} 정신을 따르는 계열인 {a}")),
    "org:product": Relation(87, "ORG", "GOODS",
        ("'{b}'{을} 출시했다", "'{b}'{을} 만든 {a}", "신제품 '{b}'{을} 만들었다", "신제품 '{b}'{을} 출시한 {a}"),
        ("신제품 '{b}'{을} 출시했다", "'{b}'{을} 만들었다", "신제품 '{b}'{을} 만든 {a}")),
    "org:founded_by": Relation(60, "ORG", "PER",
        ("{b}{이} 설립했다", "{b}{이} 세운 {a}", "창립자가 {b}이다", "{b}{이} 처음 설립한 {a}"),
        ("{b}{이} 처음 설립했다", "{b}{이} 설립한 {a}", "창립자가 {b}인 {a}")),
    "org:top_members/employees": Relation(228, "ORG", "PER",
        ("{b}{을} 대표로 뽑았다", "{b}{이} 회장을 맡고 있다", "대표가 {b}인 {a}", "회장이 {b}이다",
         "{b}{을} 회장으로 둔 {a}",
         "{b}{을} 새 직원으로 뽑았다"),
        ("{b}{이} 대표를 맡고 있다", "{b}{을} 대표로 둔 {a}", "대표가 {b}이다", "{b}{을} 새 회장으로 뽑았다")),
    "org:number_of_employees/members": Relation(38, "ORG", "PEOPLE",
        ("직원이 {b}이다", "직원 {b}{을} 둔 {a}", "회원 {b}{을} 두고 있다", "회원이 모두 {b}인 {a}"),
        ("직원이 모두 {b}이다", "회원 {b}{을} 둔 {a}")),
    "per:date_of_birth": Relation(134, "PER", "DAT",
        ("{b}에 태어났다", "{b}에 출생한 {a}", "{b}에 첫째로 태어난 {a}", "{b}에 출생했다"),
        ("{b}에 태어난 {a}", "{b}에 첫째로 태어났다", "{b}에 첫째로 출생한 {a}")),
    "per:date_of_death": Relation(90, "PER", "DAT",
        ("{b}에 사망했다", "{b}에 세상을 떠난 {a}", "{b}에 병으로 사망한 {a}", "{b}에 병으로 세상을 떠났다"),
        ("{b}에 사망한 {a}", "{b}에 세상을 떠났다", "{b}에 병으로 사망했다")),
    "per:place_of_birth": Relation(62, "PER", "LOC",
        ("{b}에서 태어났다", "{b}에서 출생한 {a}", "{b}에서 첫째로 태어난 {a}", "{b}에서 출생했다"),
        ("{b}에서 태어난 {a}", "{b}에서 첫째로 태어났다", "{b}에서 첫째로 출생한 {a}")),
    "per:place_of_death": Relation(35, "PER", "LOC",
        ("{b}에서 사망했다", "{b}에서 세상을 떠난 {a}", "{b}에서 병으로 사망한 {a}", "{b}에서 병으로 세상을 떠났다"),
        ("{b}에서 사망한 {a}", "{b}에서 세상을 떠났다", "{b}에서 병으로 사망했다")),
    "per:place_of_residence": Relation(66, "PER", "LOC",
        ("{b}에 살고 있다", "{b}에 사는 {a}", "{b}에 거주했다", "{b}에 오래 거주한 {a}"),
        ("{b}에 오래 살고 있다", "{b}에 거주한 {a}", "{b}에 오래 거주했다")),
    "per:origin": Relation(139, "PER", "LOC",
        ("{b} 출신이다", "{b} 출신 {a}", "고향이 {b}이다", "본래 고향이 {b}인 {a}"),
        ("고향이 {b}인 {a}", "본래 {b} 출신이다", "본래 {b} 출신인 {a}")),
    "per:employee_of": Relation(212, "PER", "ORG",
        ("{b}에서 근무했다", "{b} 대표 {a}", "{b}의 회장을 맡고 있다", "{b}의 직원이다", "{b} 직원 {a}",
         "{b}에서 직원으로 근무한 {a}"),
        ("{b}에서 근무한 {a}", "{b}의 대표를 맡고 있다", "{b} 회장 {a}", "{b}에서 직원으로 근무했다")),
    "per:schools_attended": Relation(47, "PER", "SCHOOL",
        ("{b}{을} 졸업했다", "{b}에 입학한 {a}", "{b}{을} 일찍 졸업한 {a}", "{b}에 입학했다"),
        ("{b}{을} 졸업한 {a}", "{b}에 일찍 입학했다", "{b}{을} 일찍 졸업했다")),
    "per:alternate_names": Relation(128, "PER", "ALIAS",
        ("본명이 {b}이다", "필명이 {b}인 {a}", "본명 {b}{으로} 알려진 {a}", "필명 {b}{으로} 알려져 있다"),
        ("본명이 {b}인 {a}", "필명이 {b}이다", "필명 {b}{으로} 알려진 {a}", "본명 {b}{으로} 알려져 있다")),
    "per:parents": Relation(98, "PER", "PER",
        ("{b}의 아들이다", "{b}의 딸 {a}", "아버지가 {b}이다", "어머니가 {b}인 {a}", "{b}의 딸로 알려져 있다"),
        ("{b}의 아들 {a}", "어머니가 {b}이다", "아버지가 {b}인 {a}", "{b}의 아들로 알려져 있다")),
    "per:children": Relation(79, "PER", "PER",
        ("{b}의 아버지이다", "{b}의 어머니 {a}", "아들이 {b}이다", "딸이 {b}인 {a}", "{b}의 어머니로 알려져 있다"),
        ("{b}의 아버지 {a}", "딸이 {b}이다", "아들이 {b}인 {a}", "{b}의 아버지로 알려져 있다")),
    "per:siblings": Relation(57, "PER", "PER",
        ("{b}의 동생이다", "{b}의 형 {a}", "동생이 {b}인 {a}", "{b}의 형으로 알려져 있다"),
        ("{b}의 동생 {a}", "{b}의 형이다", "동생이 {b}이다")),
    "per:spouse": Relation(116, "PER", "PER",
        ("{b}{과} 결혼했다", "{b}의 남편 {a}", "{b}의 아내이다", "아내가 {b}인 {a}"),
        ("{b}의 아내 {a}", "{b}의 남편이다", "아내가 {b}이다", "{b}{과} 결혼한 {a}")),
    "per:other_family": Relation(66, "PER", "PER",
        ("{b}의 조카이다", "{b}의 사촌 {a}", "조카가 {b}인 {a}", "{b}의 사촌으로 알려져 있다"),
        ("{b}의 조카 {a}", "{b}의 사촌이다", "조카가 {b}이다")),
    "per:colleagues": Relation(99, "PER", "PER",
        ("{b}{과} 함께 연구했다", "{b}의 동료이다", "{b}의 동료 {a}", "{b}{과} 오래 함께 연구한 {a}"),
        ("{b}{과} 함께 연구한 {a}", "{b}{과} 오래 함께 연구했다", "{b}의 동료로 알려져 있다")),
    "per:product": Relation(58, "PER", "WORK",
        ("소설 '{b}'{을} 지었다", "'{b}'{을} 지은 {a}", "대표작이 '{b}'이다", "소설 '{b}'의 작가 {a}"),
        ("'{b}'{을} 지었다", "대표작이 '{b}'인 {a}", "소설 '{b}'{을} 지은 {a}", "'{b}'의 작가이다")),
    "per:religion": Relation(50, "PER", "FAITH",
        ("{b}{을} 믿었다", "{b} 신자이다", "{b}{을} 믿은 {a}", "{b} 신자 {a}", "{b}{을} 오래 믿었다"),
        ("{b}{을} 믿은 신자 {a}", "{b}{을} 오래 믿은 {a}", "{b}{을} 믿은 신자이다")),
    "per:title": Relation(172, "PER", "TITLE",
        ("{b}이다", "{b} {a}", "{b}{을} 지낸 {a}", "{b}{으로} 활동한 {a}", "{b}{을} 지냈다"),
        ("{b}{으로} 활동했다", "{b}인 {a}")),
}  # fmt: skip

# Said of a person, yet only the way back has a label: a founder is founded_by's object.
FOUNDER = Relation(60, "PER", "ORG",
    ("{b}{을} 설립했다", "{b}{을} 세운 {a}", "{b}의 창립자이다", "{b}의 창립자 {a}"),
    ("{b}{을} 처음 설립했다", "{b}{을} 설립한 {a}"),
)  # fmt: skip

# True of the pair, and none of the relations above.
UNRELATED = (
    Relation(1, "PER", "PER",
        ("{b}{을} 비판했다", "{b}{을} 처음 만난 {a}", "{b}{을} 비판한 {a}", "{b}{을} 처음 만났다"),
        ("{b}{을} 처음 비판했다", "{b}{을} 만났다", "{b}{을} 만난 {a}")),
    Relation(1, "PER", "ORG",
        ("{b}{을} 비판했다", "{b}{을} 처음 방문한 {a}", "{b}{을} 비판한 {a}", "{b}{을} 방문했다"),
        ("{b}{을} 처음 방문했다", "{b}{을} 방문한 {a}")),
    Relation(1, "PER", "LOC",
        ("{b}{을} 방문했다", "{b}에서 강연했다", "{b}{을} 처음 방문한 {a}", "{b}에서 강연한 {a}"),
        ("{b}{을} 처음 방문했다", "{b}에서 처음 강연한 {a}")),
    Relation(1, "PER", "DAT",
        ("{b}에 강연했다", "{b}에 상을 받은 {a}", "{b}에 처음 강연한 {a}", "{b}에 처음 상을 받았다"),
        ("{b}에 상을 받았다", "{b}에 처음 강연했다", "{b}에 강연한 {a}")),
    Relation(1, "PER", "WORK",
        ("'{b}'{을} 비판했다", "'{b}'{을} 칭찬한 {a}", "소설 '{b}'{을} 칭찬했다"),
        ("'{b}'{을} 칭찬했다", "소설 '{b}'{을} 비판한 {a}")),
    Relation(1, "PER", "FAITH",
        ("{b}{을} 비판했다", "{b}{을} 처음 비판한 {a}"),
        ("{b}{을} 비판한 {a}", "{b}{을} 처음 비판했다")),
    Relation(1, "PER", "MONEY",
        ("{b}{을} 기부했다", "상금 {b}{을} 기부한 {a}", "상금 {b}{을} 받았다"),
        ("상금 {b}{을} 기부했다", "{b}{을} 기부한 {a}")),
    Relation(1, "ORG", "PER",
        ("{b}{을} 비판했다", "{b}{을} 칭찬한 {a}", "{b}{을} 초청한 {a}", "{b}{을} 처음 초청했다"),
        ("{b}{을} 초청했다", "{b}{을} 비판한 {a}", "{b}{을} 칭찬했다")),
    Relation(1, "ORG", "ORG",
        ("{b}{과} 협약을 맺었다", "{b}{을} 비판했다", "{b}{과} 처음 협약을 맺은 {a}", "{b}{을} 비판한 {a}"),
        ("{b}{과} 협약을 맺은 {a}", "{b}{과} 처음 협약을 맺었다")),
    Relation(1, "ORG", "LOC",
        ("{b}에서 행사를 열었다", "{b}에서 처음 행사를 연 {a}", "{b}{을} 방문했다"),
        ("{b}에서 행사를 연 {a}", "{b}에서 처음 행사를 열었다")),
    Relation(1, "ORG", "DAT",
        ("{b}에 행사를 열었다", "{b}에 상을 받은 {a}", "{b}에 처음 상을 받았다"),
        ("{b}에 상을 받았다", "{b}에 처음 행사를 열었다", "{b}에 행사를 연 {a}")),
    Relation(1, "ORG", "GOODS",
        ("'{b}'{을} 칭찬했다", "'{b}'{을} 비판한 {a}", "신제품 '{b}'{을} 비판했다"),
        ("신제품 '{b}'{을} 칭찬했다", "'{b}'{을} 비판했다")),
    Relation(1, "ORG", "PEOPLE",
        ("손님 {b}{을} 초청했다", "학생 {b}{을} 칭찬한 {a}", "학생 {b}{을} 초청했다"),
        ("손님 {b}{을} 칭찬했다", "학생 {b}{을} 초청한 {a}")),
    Relation(1, "ORG", "MONEY",
        ("{b}{을} 기부했다", "상금 {b}{을} 기부한 {a}"),
        ("상금 {b}{을} 기부했다", "{b}{을} 기부한 {a}")),
)  # fmt: skip

# A row also says what holds the other way round.
INVERSE = {
    "per:parents": "per:children", "per:employee_of": "org:top_members/employees", "org:member_of": "org:members",
    "per:children": "per:parents", "org:top_members/employees": "per:employee_of", "org:members": "org:member_of",
    "founder": "org:founded_by",
} | {label: label for label in (
    "per:siblings", "per:spouse", "per:other_family", "per:colleagues", "per:alternate_names", "org:alternate_names"
)}  # fmt: skip

ALIASES = {"per:alternate_names", "org:alternate_names"}
NAMED_AGAIN = {"PER", "ORG", "SCHOOL", "UNION"}  # kinds that can be a subject, or the topic of a clause
KINSHIP = {label for label, relation in RELATIONS.items() if relation.object in NAMED_AGAIN} | {"founder"}

NEGATIVE = "no_relation"
NEGATIVE_ROWS = 1160  # of 4,000: KLUE's 29 %
LABELS = (NEGATIVE, *RELATIONS)
MARKER_WORDS = ("사람", "단체", "장소", "날짜", "기타", "수량", "와", "과", "의", "관계", "는", "무엇입니까", "?")
WORD_ENDINGS = "이다|이고|이며|다|고|으며|며|으로|[을를이가은는의에로인]"
PARTS = {"train": 1, "dev": 5}  # dev holds a fifth of train's rows, at least 4 a label

# A sentence plan: clauses, each a topic and what is said of it. n: a new entity by its name; N: in a phrase that states
# a fact; s, o: the last clause's topic or object, named again; p: states a fact; q: one whose object comes as N does.
PLANS = {
    "train": ("N p", "N p", "n p p", "n p, n p", "n p, n p", "n p, N p", "N p, n p", "n q", "n p, s p", "n p, o p"),
    "dev": ("N q", "N p, N p", "n p, n p p"),
}
PLAIN = {"train": 0.45, "dev": 0.3}  # how often a sentence is "n p": these teach the words, the others who is meant
OPENINGS = {
    "train": ("당시 기록에 따르면 ", "한편 ", "널리 알려진 대로 ", "{d}에 나온 기사에 따르면 ", "{d} 기록을 보면 "),
    "dev": ("당시 기사에 따르면 ", "{d}에 나온 기록을 보면 ", "한편 널리 알려진 대로 "),
}

FAMILY_NAMES = dict(zip("강고구남류문민배서성송심안오", "姜高具南柳文閔裵徐成宋沈安吳", strict=True))
GIVEN_NAMES = dict(zip("담설율단호벽림초옥란운풍월해휘산", "潭雪律丹湖碧林草玉蘭雲風月海輝山", strict=True))
READING = {hanja: hangul for hangul, hanja in (FAMILY_NAMES | GIVEN_NAMES).items()} | {"江": "강", "光": "광"}
STEMS = ("가나다라마바오아자하노누도두모보소수우미비시이", "온람솔빛울빈들별샘결늘름란봄품터루리로미")
LATIN = ("Ba", "Co", "De", "Fi", "Go", "Lu", "Mi", "No", "Pe", "Ri", "Sa", "To", "Ve", "Za")
ENDINGS = {
    "ORG": ("전자", "건설", "제약", "은행", "신문", "출판", "대학교", "연구소", "식품", "해운"),
    "SCHOOL": ("대학교", "고등학교", "대학원"),
    "UNION": ("그룹", "연합회", "협회", "연맹"),
    "BRAND": ("상회", "공사", "산업", "학당"),
    "LOC": ("시", "군", "읍", "동", "섬", "마을"),
    "FAITH": ("교", "불교", "정교"),
    "GOODS": ("폰", "카", "북", "차"),
}
RANKS = ("수석", "책임", "선임", "상임", "객원", "명예", "특임", "초빙", "전임", "원로")
ROLES = ("교수", "연구원", "위원", "고문", "기자", "감독", "지휘자", "변호사", "평론가", "통역사")
SCENES = ("새벽", "겨울", "바다", "언덕", "편지", "등불", "강(江)", "골목", "여름", "빛(光)", "기차", "호수")
MANNERS = ("푸른", "먼", "마지막", "작은", "하얀", "느린", "낯선", "오래된", "깊은", "조용한")


def invent(kind: str, part: str, rng: random.Random, owner: str = "") -> str:
    """A new word of that kind. A checksum deals the names out to train and dev; dates and numbers are open to both."""
    while True:
        stem, other = (
            "".join(map(rng.choice, STEMS)),
            rng.choice(LATIN) + rng.choice(("", "", "'")) + rng.choice(LATIN).lower(),
        )
        if kind == "DAT":
            day = f" {rng.randint(1, 12)}월" + f" {rng.randint(1, 28)}일" * rng.randint(0, 1)
            return f"{rng.randint(1900, 2019)}년" + day * (rng.random() < 0.3)
        if kind == "PEOPLE":
            return f"{rng.randint(2, 99)}{rng.choice(('명', '0명', '00명'))}"
        if kind == "MONEY":
            return f"{rng.randint(2, 99)}{rng.choice(('억 원', '만 원', ',000원'))}"
        if kind == "PER" or (kind == "ALIAS" and rng.random() < 0.3):
            word = core = rng.choice([*FAMILY_NAMES]) + "".join(rng.sample([*GIVEN_NAMES], 2))
        elif kind == "ALIAS":  # the owner's name in Hanja, or a name in Latin letters
            family, given = FAMILY_NAMES.get(owner[:1], ""), (GIVEN_NAMES.get(letter, "") for letter in owner[1:])
            hanja = "".join([family, *given])
            if len(hanja) == 3 and rng.random() < 0.7:
                return hanja
            word = core = rng.choice(("Mc", "De ", "La ")) + other
        elif kind == "TITLE":
            word = core = f"{rng.choice(RANKS)} {rng.choice(ROLES)}"
        elif kind == "WORK":
            scene, second = rng.sample(SCENES, 2)
            word = core = rng.choice((f"{rng.choice(MANNERS)} {scene}", f"{scene}, 그리고 {second}"))
        else:
            latin = kind not in ("LOC", "FAITH") and rng.random() < 0.12
            core = (other if latin else stem) + rng.choice(ENDINGS[kind])
            word = "(주)" * (core.endswith(("전자", "건설", "제약")) and rng.random() < 0.3) + core
        if (zlib.crc32(core.encode()) % 6 == 0) == (part == "dev"):
            return word


def final_consonant(text: str) -> int:
    """The number of the last sound's final consonant (0: none, 8: ㄹ), read past closing quotes and a parenthesis."""
    last = re.sub(r"(?<=.)\([^()]*\)$", "", text.rstrip("'"))[-1]
    last = READING.get(last, last)
    return (ord(last) - ord("가")) % 28 if "가" <= last <= "힣" else 0  # the invented Latin words end in vowels


def particle(form: str, text: str) -> str:
    """은/는, 이/가, 을/를, 과/와 or 으로/로 after `text`; `form` names the one that follows a consonant."""
    final = final_consonant(text)
    if form == "으로":
        return form if final not in (0, 8) else "로"
    return form if final else {"은": "는", "이": "가", "을": "를", "과": "와"}[form]


class Mention(NamedTuple):
    word: str
    kind: str
    start: int

    def entity(self) -> dict:
        end = self.start + len(self.word) - 1
        return {"word": self.word, "start_idx": self.start, "end_idx": end, "type": TYPE[self.kind]}


class Sentence:
    """One sentence: its text, the entities placed in it and the facts it states, as (subject, object, label)."""

    def __init__(self, part: str, rng: random.Random, wanted: Counter):
        self.part, self.rng, self.wanted = part, rng, wanted
        self.text, self.mentions, self.facts = "", [], []
        if rng.random() < 0.15:
            self.write(rng.choice(OPENINGS[part]), d=partial(self.place_object, "DAT", ""))
        plan = "n p" if rng.random() < PLAIN[part] else rng.choice(PLANS[rng.choice(("train", "train", part))])
        for number, clause in enumerate(plan.split(", ")):
            if number:  # 했다 becomes 했고 or 했으며, 이다 becomes 이고 or 이며; or a sentence ends here
                past = final_consonant(self.text[:-1]) > 0
                joints = ("다. ",) if clause[0] == "s" else ("고, ", "으며, " if past else "며, ", "다. ")
                self.text = self.text[:-1] + rng.choice(joints)
            self.clause(*clause.split())
        self.text += "."

    def clause(self, topic: str, *predicates: str) -> None:
        """Write a topic and what is said of it, in the letters of PLANS."""
        if topic in "so":
            subject, object, _ = self.facts[-1]
            about = object if topic == "o" and object.kind in NAMED_AGAIN else subject
            about = self.place(about.kind, about.word)
        elif topic == "N":
            about = self.describe(self.topic_kind())
        else:
            about = self.place(*self.invent(self.topic_kind()))
        self.write("{은} ")
        for number, predicate in enumerate(predicates):
            if number:
                self.text = self.text[:-1] + "고 "
            stated = {fact[2] for fact in self.facts if fact[0].word == about.word} - {NEGATIVE}
            label, relation, phrase = self.draw(about.kind, noun_phrase=False)
            while label in stated:  # nobody is born twice
                label, relation, phrase = self.draw(about.kind, noun_phrase=False)
            if predicate == "q" and relation.object in NAMED_AGAIN:
                placed = self.write(phrase, b=partial(self.describe, relation.object))
            else:
                placed = self.write(phrase, b=partial(self.place_object, relation.object, about.word))
            self.facts.append((about, placed["b"], label))

    def topic_kind(self) -> str:
        """Mostly the type of the last topic, so that two of a type compete for the facts."""
        while True:
            kind = self.draw(None, noun_phrase=False)[1].subject
            if not self.facts or TYPE[kind] == TYPE[self.facts[-1][0].kind] or self.rng.random() < 0.2:
                return kind

    def describe(self, kind: str) -> Mention:
        """Write a noun phrase that states a fact about a new entity, and return the entity."""
        kind, word = self.invent(kind)
        label, relation, phrase = self.draw(kind, noun_phrase=True)
        placed = self.write(
            phrase, a=partial(self.place, kind, word), b=partial(self.place_object, relation.object, word)
        )
        self.facts.append((placed["a"], placed["b"], label))
        return placed["a"]

    def draw(self, kind: str | None, noun_phrase: bool) -> tuple[str, Relation, str]:
        """A relation that can be said of that kind of subject, those still wanted first, and a phrase for it."""
        options, weights = [], []
        unrelated = [(NEGATIVE, relation) for relation in UNRELATED]
        for label, relation in (*RELATIONS.items(), ("founder", FOUNDER), *unrelated):
            if kind in (None, relation.subject) or (relation.subject == "ORG" and TYPE[kind] == "ORG"):
                options.append((label, relation))
                missing = self.wanted[label] + self.wanted[INVERSE.get(label)] / 2
                weights.append(self.wanted[NEGATIVE] / 80 + 0.001 if label == NEGATIVE else missing)
        label, relation = self.rng.choices(options, weights)[0]
        fits = [[phrase for phrase in phrases if noun_phrase == ("{a}" in phrase)] for phrases in relation[3:]]
        unseen = self.part == "dev" and fits[1] and (not self.facts or self.rng.random() < 0.4)
        return label, relation, self.rng.choice(fits[1] if unseen else fits[0])

    def write(self, phrase: str, **slots: Callable[[], Mention]) -> dict[str, Mention]:
        """Append the phrase, its slots filled and its particles in the right form; returns what the slots placed."""
        placed = {}
        for piece in re.findall(r"\{\w+\}|[^{]+", phrase):
            name = piece.strip("{}")
            if name in slots:
                placed[name] = slots[name]()
            else:
                self.text += particle(name, self.text) if piece[0] == "{" else piece
        return placed

    def invent(self, kind: str, owner: str = "") -> tuple[str, str]:
        """The kind, an ORG of any sort, and a word that the sentence does not have yet."""
        if kind == "ORG":
            kind = self.rng.choice(("ORG", "ORG", "ORG", "SCHOOL", "UNION"))
        while (word := invent(kind, self.part, self.rng, owner)) in f"{self.text} {owner}":
            pass
        return kind, word

    def place_object(self, kind: str, owner: str) -> Mention:
        """An object for the owner: now and then one that the sentence has named already, the same word once more."""
        known = {owner, *(object.word for about, object, _ in self.facts if about.word == owner)}
        again = [mention.word for mention in self.mentions if mention.kind == kind and mention.word not in known]
        if again and kind in ("LOC", "DAT", "SCHOOL", "UNION") and self.rng.random() < 0.2:
            return self.place(kind, self.rng.choice(again))
        return self.place(*self.invent(kind, owner))

    def place(self, kind: str, word: str) -> Mention:
        self.mentions.append(Mention(word, kind, len(self.text)))
        self.text += word
        return self.mentions[-1]

    def pairs(self) -> tuple[list, list]:
        """The pairs that the sentence relates, both ways round, and those that it clearly leaves unrelated."""
        links: dict[str, dict[str, set]] = {mention.word: {} for mention in self.mentions}
        for subject, object, label in self.facts:
            links[subject.word].setdefault(object.word, set()).add(label)
            links[object.word].setdefault(subject.word, set()).add(label)
        facts = [fact for fact in self.facts if len(links[fact[0].word][fact[1].word]) == 1]
        facts += [(object, subject, INVERSE[label]) for subject, object, label in facts if label in INVERSE]

        def unclear(x: str, y: str) -> bool:  # a sister's father, an alias's birthplace: a reader could work it out
            shared = [links[x][other] | links[y][other] for other in links[x].keys() & links[y].keys()]
            return any(ALIASES & both or both <= KINSHIP for both in shared)

        unrelated = [(x, y, NEGATIVE) for x, y, label in facts if label == NEGATIVE]
        for x, y in permutations(self.mentions, 2):
            linked = x.word == y.word or y.word in links[x.word] or unclear(x.word, y.word)
            if x.kind in NAMED_AGAIN and not linked:
                unrelated.append((x, y, NEGATIVE))
        return [fact for fact in facts if fact[2] in RELATIONS], unrelated


def types(fact: tuple[Mention, Mention, str]) -> tuple[str, str]:
    return TYPE[fact[0].kind], TYPE[fact[1].kind]


@cache
def generate(part: str) -> tuple[list[dict], list[Sentence]]:
    """The rows of a part and the sentences that they are about."""
    if part not in PARTS:
        raise ValueError(f"the sample has no part {part!r}; its parts are {', '.join(map(repr, PARTS))}")
    rng = random.Random(f"plainloop-sample {part}")
    wanted = Counter({label: max(4, round(relation.rows / PARTS[part])) for label, relation in RELATIONS.items()})
    wanted[NEGATIVE] = round(NEGATIVE_ROWS / PARTS[part])
    share = wanted[NEGATIVE] / (wanted.total() - wanted[NEGATIVE])
    chosen, sentences, positives, negatives = [], [], Counter(), Counter()

    def surplus(fact: tuple[Mention, Mention, str]) -> int:
        """By how much a type pair's commonest relation outnumbers its no_relation rows: what types alone give away."""
        return max(positives[types(fact), label] for label in RELATIONS) - negatives[types(fact)]

    while wanted.total() > 0:
        sentence = Sentence(part, rng, wanted)
        facts, unrelated = sentence.pairs()
        rng.shuffle(unrelated)
        room = round(share * (positives.total() + len(facts))) - negatives.total()
        unrelated = sorted(unrelated, key=surplus, reverse=True)[: min(max(room, 0), 3)]
        asked = []
        for fact in facts + unrelated:
            if wanted[fact[2]] > 0:
                wanted[fact[2]] -= 1
                asked.append((sentence, *fact))
                if fact[2] == NEGATIVE:
                    negatives[types(fact)] += 1
                else:
                    positives[types(fact), fact[2]] += 1
        chosen += asked
        sentences += [sentence] * bool(asked)
    rng.shuffle(chosen)
    rows = [
        {
            "guid": f"plainloop-sample_{part}_{number:05d}",
            "sentence": sentence.text,
            "subject_entity": subject.entity(),
            "object_entity": object.entity(),
            "label": label,
            "source": "sample",
        }
        for number, (sentence, subject, object, label) in enumerate(chosen)
    ]
    return rows, sentences


def rows(part: str) -> list[dict]:
    """The rows of "train" or "dev" in KLUE's form; `end_idx` is inclusive. ValueError for another part."""
    return json.loads(json_bytes(part))  # a copy: callers may change it


def json_bytes(part: str) -> bytes:
    """What a KLUE-RE JSON file with these rows would hold."""
    return json.dumps(generate(part)[0], ensure_ascii=False, indent=1).encode()


def vocabulary() -> list[str]:
    """A WordPiece vocabulary, line number = id, from train alone: specials, every character, then pieces by count.

    Names stay in characters, so that dev's new ones are read as train's are; the stems around them are whole. (The
    trainer of `tokenizers` gives another vocabulary in every process.)
    """
    sentences = generate("train")[1]
    letters = {letter for sentence in sentences for letter in sentence.text if not letter.isspace()}
    letters |= {*string.ascii_letters, *string.digits, *string.punctuation, *"".join(MARKER_WORDS), *READING}
    around, names = Counter(MARKER_WORDS), Counter()
    for sentence in sentences:
        text = sentence.text
        for mention in sentence.mentions:
            names.update("##" + mention.word[-size:] for size in (2, 3, 4) if size < len(mention.word))
            names[mention.word[:2]] += 1
            text = text[: mention.start] + "\0" * len(mention.word) + text[mention.start + len(mention.word) :]
        for word in re.findall(r"[\w\0]+", text):
            _, name, rest = word.rpartition("\0")
            stem, verb, ending = re.fullmatch(rf"(\w*?)(했|한|되었|된)?({WORD_ENDINGS}|)", rest).groups()
            around.update((stem, "##" + stem) if name else (stem,))  # a marker cuts a particle off its name
            around.update(("##" + (verb or ""), "##" + ending))
    pieces = around + Counter({piece: count for piece, count in names.items() if count >= 40})
    by_count = sorted(pieces, key=lambda piece: (-pieces[piece], piece))
    kept = [piece for piece in by_count if re.fullmatch(r"(##)?\w\w+", piece)]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"[unused{number}]" for number in range(20))]
    singles = sorted(letters)
    return list(dict.fromkeys([*specials, *singles, *("##" + letter for letter in singles), *kept]))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m data.sample", description="Write the bundled sample's files.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where train.json, dev.json and vocab.txt go")
    folder = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        (folder / f"{part}.json").write_bytes(json_bytes(part))
    words = vocabulary()
    (folder / "vocab.txt").write_bytes("".join(f"{word}\n" for word in words).encode())
    counts = ", ".join(f"{len(generate(part)[0]):,} {part} rows" for part in PARTS)
    print(f"wrote {counts} and a vocabulary of {len(words):,} to {folder}")


if __name__ == "__main__":
    main()
