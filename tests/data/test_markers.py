"""Markers go in by character offset; the spans of `Marked` slice out exactly what they name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.markers import (
    ABSENT,
    MARKERS,
    QUERIES,
    TYPE_WORDS,
    TYPES,
    added_tokens,
    descriptions,
    ends_in_consonant,
    mark,
    ordinary_marks,
    question,
)
from data.schema import Example, Span


def example(text: str, subject: str, object: str, types=("ORG", "POH"), **more) -> Example:
    """`text` has the entities in brackets: [subject] and {object}; the brackets are taken out."""
    starts, clean = {}, ""
    for character in text:
        if character in "[{":
            starts[character] = len(clean)
        elif character not in "]}":
            clean += character
    spans = [
        Span(starts[bracket], starts[bracket] + len(word), word, kind)
        for bracket, word, kind in zip("[{", (subject, object), types, strict=True)
    ]
    return Example("1", clean, subject=spans[0], object=spans[1], **more)


def pieces(marked) -> list[list[str | None]]:
    """What the spans cut out of the text: whole, type, words, of subject and object."""
    return [[None if span == ABSENT else marked.text[slice(*span)] for span in parts] for parts in marked.spans]


# text, subject, object -> by marker: the text; the spans follow from it
CASES = {
    "subject first": ("[별무리]가 낸 {새벽} 앨범", "별무리", "새벽", {
        "none": "별무리가 낸 새벽 앨범",
        "entity": "<subj> 별무리 </subj> 가 낸 <obj> 새벽 </obj> 앨범",
        "entity_punct": "@ 별무리 @ 가 낸 # 새벽 # 앨범",
        "typed": "<S:ORG> 별무리 </S:ORG> 가 낸 <O:POH> 새벽 </O:POH> 앨범",
        "typed_punct": "@ * 단체 * 별무리 @ 가 낸 # ^ 기타 ^ 새벽 # 앨범",
    }),
    "object first": ("앨범 {새벽}은 [별무리]의 것", "별무리", "새벽", {
        "none": "앨범 새벽은 별무리의 것",
        "entity": "앨범 <obj> 새벽 </obj> 은 <subj> 별무리 </subj> 의 것",
        "entity_punct": "앨범 # 새벽 # 은 @ 별무리 @ 의 것",
        "typed": "앨범 <O:POH> 새벽 </O:POH> 은 <S:ORG> 별무리 </S:ORG> 의 것",
        "typed_punct": "앨범 # ^ 기타 ^ 새벽 # 은 @ * 단체 * 별무리 @ 의 것",
    }),
    "nothing else": ("[별무리] {새벽}", "별무리", "새벽", {
        "none": "별무리 새벽",
        "entity": "<subj> 별무리 </subj> <obj> 새벽 </obj>",
        "entity_punct": "@ 별무리 @ # 새벽 #",
        "typed": "<S:ORG> 별무리 </S:ORG> <O:POH> 새벽 </O:POH>",
        "typed_punct": "@ * 단체 * 별무리 @ # ^ 기타 ^ 새벽 #",
    }),
    "adjacent without a blank": ("그 {새벽}[별무리].", "별무리", "새벽", {
        "none": "그 새벽별무리.",
        "entity": "그 <obj> 새벽 </obj> <subj> 별무리 </subj> .",
        "entity_punct": "그 # 새벽 # @ 별무리 @ .",
        "typed": "그 <O:POH> 새벽 </O:POH> <S:ORG> 별무리 </S:ORG> .",
        "typed_punct": "그 # ^ 기타 ^ 새벽 # @ * 단체 * 별무리 @ .",
    }),
    "second occurrence": ("서울의 새벽과 [서울]의 {새벽}", "서울", "새벽", {
        "none": "서울의 새벽과 서울의 새벽",
        "entity": "서울의 새벽과 <subj> 서울 </subj> 의 <obj> 새벽 </obj>",
        "entity_punct": "서울의 새벽과 @ 서울 @ 의 # 새벽 #",
        "typed": "서울의 새벽과 <S:ORG> 서울 </S:ORG> 의 <O:POH> 새벽 </O:POH>",
        "typed_punct": "서울의 새벽과 @ * 단체 * 서울 @ 의 # ^ 기타 ^ 새벽 #",
    }),
    "one holds the other's word": ("[새벽별무리]의 {새벽}", "새벽별무리", "새벽", {
        "none": "새벽별무리의 새벽",
        "entity": "<subj> 새벽별무리 </subj> 의 <obj> 새벽 </obj>",
        "entity_punct": "@ 새벽별무리 @ 의 # 새벽 #",
        "typed": "<S:ORG> 새벽별무리 </S:ORG> 의 <O:POH> 새벽 </O:POH>",
        "typed_punct": "@ * 단체 * 새벽별무리 @ 의 # ^ 기타 ^ 새벽 #",
    }),
    "outer blanks stay outside": ("낸[ 별무리 ]의{새벽 }앨범", " 별무리 ", "새벽 ", {
        "none": "낸 별무리 의새벽 앨범",
        "entity": "낸 <subj> 별무리 </subj> 의 <obj> 새벽 </obj> 앨범",
        "entity_punct": "낸 @ 별무리 @ 의 # 새벽 # 앨범",
        "typed": "낸 <S:ORG> 별무리 </S:ORG> 의 <O:POH> 새벽 </O:POH> 앨범",
        "typed_punct": "낸 @ * 단체 * 별무리 @ 의 # ^ 기타 ^ 새벽 # 앨범",
    }),
    "punctuation at the rim": ("('[별무리]'), \"{'새벽'}\"!", "별무리", "'새벽'", {
        "none": "('별무리'), \"'새벽'\"!",
        "entity": "(' <subj> 별무리 </subj> '), \" <obj> '새벽' </obj> \"!",
        "entity_punct": "(' @ 별무리 @ '), \" # '새벽' # \"!",
        "typed": "(' <S:ORG> 별무리 </S:ORG> '), \" <O:POH> '새벽' </O:POH> \"!",
        "typed_punct": "(' @ * 단체 * 별무리 @ '), \" # ^ 기타 ^ '새벽' # \"!",
    }),
    "words that look like markers": ("@ [@] # {# ^}*", "@", "# ^", {
        "none": "@ @ # # ^*",
        "entity": "@ <subj> @ </subj> # <obj> # ^ </obj> *",
        "entity_punct": "@ @ @ @ # # # ^ # *",
        "typed": "@ <S:ORG> @ </S:ORG> # <O:POH> # ^ </O:POH> *",
        "typed_punct": "@ @ * 단체 * @ @ # # ^ 기타 ^ # ^ # *",
    }),
    "other blanks": ("앞\n[별무리]\t뒤\u3000{새벽}\r\n", "별무리", "새벽", {
        "none": "앞\n별무리\t뒤\u3000새벽\r\n",
        "entity": "앞\n<subj> 별무리 </subj>\t뒤\u3000<obj> 새벽 </obj>\r\n",
        "entity_punct": "앞\n@ 별무리 @\t뒤\u3000# 새벽 #\r\n",
        "typed": "앞\n<S:ORG> 별무리 </S:ORG>\t뒤\u3000<O:POH> 새벽 </O:POH>\r\n",
        "typed_punct": "앞\n@ * 단체 * 별무리 @\t뒤\u3000# ^ 기타 ^ 새벽 #\r\n",
    }),
}  # fmt: skip
WHOLE = {
    "none": ("{}", "{}"),
    "entity": ("<subj> {} </subj>", "<obj> {} </obj>"),
    "entity_punct": ("@ {} @", "# {} #"),
    "typed": ("<S:ORG> {} </S:ORG>", "<O:POH> {} </O:POH>"),
    "typed_punct": ("@ * 단체 * {} @", "# ^ 기타 ^ {} #"),
}


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("text, subject, object, expected", CASES.values(), ids=CASES)
def test_marked_text_and_its_spans(text, subject, object, expected, marker):
    marked = mark(example(text, subject, object), marker)
    assert marked.text == expected[marker]
    assert marked.second is None
    words = (subject.strip(), object.strip())
    kinds = ("단체", "기타") if marker == "typed_punct" else (None, None)
    assert pieces(marked) == [
        [whole.format(word), kind, word] for whole, kind, word in zip(WHOLE[marker], kinds, words, strict=True)
    ]


def test_spans_point_at_the_occurrence_that_is_the_entity():
    marked = mark(example("서울의 새벽과 [서울]의 {새벽}", "서울", "새벽"), "typed_punct")
    assert marked.text.index("서울") == 0
    assert marked.spans[0] == ((8, 21), (12, 14), (17, 19))
    assert marked.spans[1] == ((24, 37), (28, 30), (33, 35))


@pytest.mark.parametrize("language", TYPE_WORDS)
@pytest.mark.parametrize("kind", TYPES)
def test_type_words(language, kind):
    marked = mark(example("[가]와 {나}", "가", "나", (kind, "PER")), "typed_punct", type_words=language)
    word = TYPE_WORDS[language][kind]
    assert marked.text == f"@ * {word} * 가 @ 와 # ^ {TYPE_WORDS[language]['PER']} ^ 나 #"
    assert pieces(marked)[0][1] == word


def test_type_words_are_distinct():
    assert TYPE_WORDS["korean"]["POH"] == "기타"
    assert TYPE_WORDS["english"] == {
        "PER": "person", "ORG": "organization", "LOC": "location", "DAT": "date", "POH": "other", "NOH": "number",
    }  # fmt: skip
    for words in TYPE_WORDS.values():
        assert set(words) == set(TYPES)
        assert len(set(words.values())) == 6


def test_unknown_type_is_written_in_small_letters():
    marked = mark(example("[가]와 {나}", "가", "나", ("CLS", "학명")), "typed_punct")
    assert marked.text == "@ * cls * 가 @ 와 # ^ 학명 ^ 나 #"


def test_added_tokens():
    assert added_tokens("entity", TYPES) == ["<subj>", "</subj>", "<obj>", "</obj>"]
    assert added_tokens("typed", ("PER", "CLS")) == [
        "<S:PER>", "</S:PER>", "<S:CLS>", "</S:CLS>", "<O:PER>", "</O:PER>", "<O:CLS>", "</O:CLS>",
    ]  # fmt: skip
    assert [added_tokens(marker, TYPES) for marker in ("none", "entity_punct", "typed_punct")] == [[], [], []]


@pytest.mark.parametrize("marker", ["entity", "typed"])
def test_every_marker_in_a_text_is_one_of_the_added_tokens(marker):
    for kind in TYPES:
        marked = mark(example("[가]와 {나}", "가", "나", (kind, kind)), marker)
        found = [word for word in marked.text.split() if word.startswith("<")]
        assert len(found) == len(set(found)) == 4
        assert set(found) <= set(added_tokens(marker, TYPES))


def test_text_without_entities_comes_back_as_it_is():
    for marker in MARKERS:
        for query in QUERIES:
            marked = mark(Example("1", " 그냥 글 ", text_pair="둘째 글"), marker, query)
            assert (marked.text, marked.second) == (" 그냥 글 ", "둘째 글")
            assert marked.spans == ((ABSENT,) * 3, (ABSENT,) * 3)


@pytest.mark.parametrize(
    "subject, object, relation",
    [
        ("별무리", "새벽", "별무리와 새벽의 관계"),
        ("서울", "나", "서울과 나의 관계"),
        ("누", "나", "누와 나의 관계"),
        ("힣", "나", "힣과 나의 관계"),
        ("가", "나", "가와 나의 관계"),
        ("각", "나", "각과 나의 관계"),
        ("BTS", "나", "BTS와 나의 관계"),
        ("2001년", "1월", "2001년과 1월의 관계"),
        ("ㄱ", "나", "ㄱ와 나의 관계"),
        (" 서울 ", " 나 ", "서울과 나의 관계"),
    ],
)
def test_queries(subject, object, relation):
    marked_example = example(f"그 [{subject}]에서 {{{object}}}까지", subject, object)
    assert question(marked_example, "relation") == relation
    assert question(marked_example, "question") == f"{relation}는 무엇입니까?"
    for query, expected in (("none", None), ("relation", relation), ("question", f"{relation}는 무엇입니까?")):
        assert mark(marked_example, "entity_punct", query).second == expected


def test_consonant_of_every_syllable():
    closed = [chr(code) for code in range(ord("가"), ord("힣") + 1) if ends_in_consonant(chr(code))]
    assert len(closed) == 11172 - 399  # 19 initials x 21 vowels are open
    assert not set("가나다라마바사아자차카타파하고구그기게개") & set(closed)
    assert set("각난닫랄맘밥삿앙잦찿캌탙팦핳") <= set(closed)


def test_query_needs_the_second_segment():
    pair = example("[가]와 {나}", "가", "나", text_pair="둘째")
    assert mark(pair, "entity", "none").second == "둘째"
    with pytest.raises(ValueError, match=r"data\.query relation needs the second segment"):
        mark(pair, "entity", "relation")


# any text -----------------------------------------------------------------------------------------------------------

ALPHABET = st.sampled_from("가나각 \t\n.'\"@#*^<>s:ab") | st.characters(exclude_categories=["Cs"])


@st.composite
def marked_examples(draw) -> Example:
    """Two spans that do not overlap, anywhere in any text; words repeat, since the alphabet is small."""
    before, first, between, second, after = draw(
        st.tuples(*(st.text(ALPHABET, max_size=size) for size in (5, 4, 5, 4, 5))).filter(
            lambda parts: parts[1].strip() and parts[3].strip()
        )
    )
    text = before + first + between + second + after
    start = len(before) + len(first) + len(between)
    spans = [Span(len(before), len(before) + len(first), first, draw(st.sampled_from(TYPES))),
             Span(start, start + len(second), second, draw(st.sampled_from(TYPES)))]  # fmt: skip
    if draw(st.booleans()):
        spans.reverse()
    return Example("1", text, subject=spans[0], object=spans[1])


def without_blanks(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=400, deadline=None)
@given(marked_examples(), st.sampled_from(MARKERS), st.sampled_from(sorted(TYPE_WORDS)))
def test_any_text(example, marker, type_words):
    marked = mark(example, marker, "none", type_words)
    text = marked.text
    order = sorted((0, 1), key=lambda role: (example.subject, example.object)[role].start)
    kept, position = "", 0
    for role in order:
        span = (example.subject, example.object)[role]
        (start, end), kind, (words_start, words_end) = marked.spans[role]
        assert text[words_start:words_end] == span.text.strip()
        assert start <= words_start < words_end <= end
        # outside markers: what stood there, and at most one blank more at each rim
        kept += text[position:start] + text[words_start:words_end]
        position = end
        if marker == "none":
            assert (start, end) == (words_start, words_end)
        else:
            assert start == 0 or text[start - 1].isspace()
            assert end == len(text) or text[end].isspace()
            assert text[words_start - 1] == text[words_end] == " "
        if marker == "typed_punct":
            assert text[slice(*kind)] == TYPE_WORDS[type_words][span.type]
            inner = "*^"[role]
            assert text[start:words_start] == f"{'@#'[role]} {inner} {text[slice(*kind)]} {inner} "
        else:
            assert kind == ABSENT
    kept += text[position:]
    assert without_blanks(kept) == without_blanks(example.text)
    if marker == "none":
        assert text == example.text
    else:
        # blanks of the text stay where they are: two a marked entity are the most that may be new
        assert 0 <= len(kept) - len(example.text) <= 4
    # the occurrence is the one at the offsets: as many characters stand before it as before
    for role, span in ((0, example.subject), (1, example.object)):
        other = (example.object, example.subject)[role]
        stripped = span.start + len(span.text) - len(span.text.lstrip())
        before = without_blanks(text[: marked.spans[role][2][0]])
        markers = len(without_blanks(text[marked.spans[role][0][0] : marked.spans[role][2][0]]))
        if other.start < span.start:
            whole, _, words = marked.spans[1 - role]
            markers += len(without_blanks(text[slice(*whole)])) - len(without_blanks(text[slice(*words)]))
        assert len(before) - markers == len(without_blanks(example.text[:stripped]))


def around(role: int, span: Span, marker: str, words: dict[str, str]) -> str:
    """The words of an entity with their markers, by the table at the top of data/markers.py."""
    name, kind, text = ("subj", "obj")[role], span.type, span.text.strip()
    outer, inner = ("@*", "#^")[role]
    return {
        "none": text,
        "entity": f"<{name}> {text} </{name}>",
        "entity_punct": f"{outer} {text} {outer}",
        "typed": f"<{'SO'[role]}:{kind}> {text} </{'SO'[role]}:{kind}>",
        "typed_punct": f"{outer} {inner} {words[kind]} {inner} {text} {outer}",
    }[marker]


@settings(max_examples=400, deadline=None)
@given(marked_examples(), st.sampled_from(MARKERS), st.sampled_from(sorted(TYPE_WORDS)))
def test_without_markers_and_their_blanks_any_text_is_back(example, marker, type_words):
    """Nothing of the text is lost, moved or changed: new is a marker, or a blank between one and its neighbour."""
    marked = mark(example, marker, "none", type_words)
    first, second = sorted((0, 1), key=lambda role: (example.subject, example.object)[role].start)
    rest, back = marked.text, ""
    position = 0
    for role in (first, second):
        span = (example.subject, example.object)[role]
        start = example.text.index(span.text.strip(), span.start)  # blanks at the rim of an entity stay outside
        piece = example.text[position:start]
        position = start + len(span.text.strip())
        if marker != "none":
            new = (" " if role == second and not piece[:1].isspace() else "") + piece
            new += " " if new and not new[-1].isspace() else ""
        else:
            new = piece
        whole = around(role, span, marker, TYPE_WORDS[type_words])
        assert rest.startswith(new + whole)
        rest = rest[len(new + whole) :]
        back += piece + span.text.strip()
    tail = example.text[position:]
    assert rest == (" " if marker != "none" and tail and not tail[0].isspace() else "") + tail
    assert back + tail == example.text


# embeddings of new tokens, and marks that are ordinary text ---------------------------------------------------------


def test_a_typed_marker_starts_from_its_types_word():
    assert descriptions("typed", ("PER", "CLS"), "korean") == {
        "<S:PER>": "사람", "</S:PER>": "사람", "<S:CLS>": "cls", "</S:CLS>": "cls",
        "<O:PER>": "사람", "</O:PER>": "사람", "<O:CLS>": "cls", "</O:CLS>": "cls",
    }  # fmt: skip
    assert descriptions("typed", ("ORG",), "english")["</O:ORG>"] == "organization"
    assert descriptions("entity", TYPES, "korean") == dict.fromkeys(added_tokens("entity", TYPES))
    assert [descriptions(marker, TYPES, "korean") for marker in ("none", "entity_punct", "typed_punct")] == [{}, {}, {}]
    assert all(list(descriptions(marker, TYPES, "korean")) == added_tokens(marker, TYPES) for marker in MARKERS)


def test_types_that_end_alike_are_told_apart():
    assert descriptions("typed", ("E:PER", "PER"), "korean")["<S:E:PER>"] == "e:per"
    assert descriptions("typed", ("PER", "E:PER"), "korean")["<S:E:PER>"] == "e:per"


@pytest.mark.parametrize("marker", MARKERS)
def test_ordinary_marks_are_all_that_a_marked_text_holds_beside_added_tokens(marker):
    example = Example("1", "가 나", subject=Span(0, 1, "가", "PER"), object=Span(2, 3, "나", "CLS"))
    pieces = set(mark(example, marker).text.split()) - {"가", "나"} - set(added_tokens(marker, ("PER", "CLS")))
    assert pieces == set(ordinary_marks(marker, ("PER", "CLS"), "korean"))
