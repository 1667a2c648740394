"""The bundled sample's invented names, and the particles that follow them."""

import random
import re
import zlib

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
