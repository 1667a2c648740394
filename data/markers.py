"""Entity markers, put in by character offset, and the second segment that asks for the relation.

    none           비틀즈가 낸 앨범
    entity         <subj> 비틀즈 </subj> 가 낸 ...               added tokens (KLUE's official baseline)
    entity_punct   @ 비틀즈 @ 가 낸 ...      # 앨범 #             no new tokens (Zhou and Chen 2021)
    typed          <S:ORG> 비틀즈 </S:ORG> 가 낸 ...             added tokens
    typed_punct    @ * 단체 * 비틀즈 @ 가 낸 ... # ^ 기타 ^ 앨범 #   no new tokens; the type as an ordinary word

Zhou and Chen 2021: An Improved Baseline for Sentence-level Relation Extraction, arXiv 2102.01373.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from data.schema import Example, Span

MARKERS = ("none", "entity", "entity_punct", "typed", "typed_punct")
TYPED = ("typed", "typed_punct")  # these write the type of an entity
QUERIES = ("none", "relation", "question")
TYPES = ("PER", "ORG", "LOC", "DAT", "POH", "NOH")
TYPE_WORDS = {
    "korean": {"PER": "사람", "ORG": "단체", "LOC": "장소", "DAT": "날짜", "POH": "기타", "NOH": "수량"},
    "english": {"PER": "person", "ORG": "organization", "LOC": "location", "DAT": "date", "POH": "other",
                "NOH": "number"},
}  # fmt: skip
ABSENT = (-1, -1)


@dataclass(frozen=True)
class Marked:
    """A text with its markers and where things are in it.

    `spans[role][part]`: characters (start, end exclusive) in `text`, role 0 subject and 1 object, part 0 the whole
    marked span with its markers, 1 the type word, 2 the entity's own words; (-1, -1) where there is none.
    """

    text: str
    second: str | None
    spans: tuple[tuple[tuple[int, int], ...], ...]


def reads_types(marker: str, embeddings: Sequence[str]) -> bool:
    """Whether a model sees the types of entities: in the text, or in `model.entity_embeddings`."""
    return marker in TYPED or "type" in embeddings


def added_tokens(marker: str, types: tuple[str, ...]) -> list[str]:
    """The tokens that a tokenizer must know for `marker`; empty where ordinary characters mark the entities."""
    if marker == "entity":
        return ["<subj>", "</subj>", "<obj>", "</obj>"]
    if marker == "typed":
        return [f"<{slash}{role}:{kind}>" for role in "SO" for kind in types for slash in ("", "/")]
    return []


def descriptions(marker: str, types: tuple[str, ...], type_words: str) -> dict[str, str | None]:
    """The tokens of `added_tokens`, each with the word of its type, from which its embedding can start, or None."""
    tokens = added_tokens(marker, types)
    if marker != "typed":
        return dict.fromkeys(tokens)
    words = [TYPE_WORDS[type_words].get(kind, kind.lower()) for _ in "SO" for kind in types for _ in ("", "/")]
    return dict(zip(tokens, words, strict=True))


def ordinary_marks(marker: str, types: tuple[str, ...], type_words: str) -> list[str]:
    """The characters and words of a text that stand for markers; of the first two each stands for one role."""
    if marker == "entity_punct":
        return ["@", "#"]
    if marker == "typed_punct":
        return ["@", "#", "*", "^", *(TYPE_WORDS[type_words].get(kind, kind.lower()) for kind in types)]
    return []


def affixes(role: str, span: Span, marker: str, words: dict[str, str]) -> tuple[list[str], list[str], int | None]:
    """Pieces before and after the entity, and which of the first ones is the type word."""
    if marker == "none":
        return [], [], None
    if marker == "entity":
        name = {"subject": "subj", "object": "obj"}[role]
        return [f"<{name}>"], [f"</{name}>"], None
    if marker == "typed":
        name = {"subject": "S", "object": "O"}[role]
        return [f"<{name}:{span.type}>"], [f"</{name}:{span.type}>"], None
    outer, inner = {"subject": ("@", "*"), "object": ("#", "^")}[role]
    if marker == "entity_punct":
        return [outer], [outer], None
    return [outer, inner, words.get(span.type, span.type.lower()), inner], [outer], 2


def mark(example: Example, marker: str, query: str = "none", type_words: str = "korean") -> Marked:
    """Put the markers of `marker` around both entities of `example` and add the query segment.

    A blank separates marker and neighbour, so that no tokenizer merges them into one token; blanks at the rim of an
    entity stay outside. Text without entities comes back as it is.
    """
    if not example.entities():
        return Marked(example.text, example.text_pair, ((ABSENT,) * 3,) * 2)
    if query != "none" and example.text_pair is not None:
        raise ValueError(f"data.query {query} needs the second segment, but the row has a text_pair of its own")

    text, position = "", 0
    spans = {}
    for role, span in sorted(example.entities(), key=lambda item: item[1].start):
        words = span.text.strip()
        start = span.start + span.text.index(words)
        before, after, type_piece = affixes(role, span, marker, TYPE_WORDS[type_words])
        text += example.text[position:start]
        position = start + len(words)

        if before and text and not text[-1].isspace():
            text += " "
        whole_start, type_span = len(text), ABSENT
        for number, piece in enumerate(before):
            if number == type_piece:
                type_span = (len(text), len(text) + len(piece))
            text += piece + " "
        inner = (len(text), len(text) + len(words))
        text += words
        for piece in after:
            text += " " + piece
        spans[role] = ((whole_start, len(text)), type_span, inner)
        if after and position < len(example.text) and not example.text[position].isspace():
            text += " "
    text += example.text[position:]

    second = example.text_pair if query == "none" else question(example, query)
    return Marked(text, second, (spans["subject"], spans["object"]))


def question(example: Example, query: str) -> str:
    """`x와 y의 관계` (relation) or `x와 y의 관계는 무엇입니까?` (question); 와/과 by the last syllable."""
    subject, object = example.subject.text.strip(), example.object.text.strip()
    phrase = f"{subject}{'과' if ends_in_consonant(subject) else '와'} {object}의 관계"
    return phrase if query == "relation" else phrase + "는 무엇입니까?"


def ends_in_consonant(word: str) -> bool:
    """Whether the last Hangul syllable is closed: 28 syllables a vowel, the first of them open (Unicode 3.12)."""
    return "가" <= word[-1] <= "힣" and (ord(word[-1]) - ord("가")) % 28 != 0
