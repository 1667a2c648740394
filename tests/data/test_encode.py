"""Examples to token numbers: templates, spans over tokens, windows, extra inputs."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.encode import Encoder, EncodingOptions, window
from data.markers import MARKERS, QUERIES, TYPES, added_tokens, mark
from data.schema import Example, Span
from models.tokens import add_tokens, load_tokenizer, wordpiece_tokenizer

TOKENIZERS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tokenizers"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CHARACTERS = sorted(
    set("가각간갈감갑갓강개객별무리새벽앨범서울누구의관계는무엇입니까과와단체사람기타장소날짜수량낸곳" + "@#*^?.,'ab12")
)
WORDS = ["단체", "기타", "별무리가", "##무리"]
PLACES = ["tiny", "klue-roberta-base", "klue-bert-base", "roberta-base", "kobigbird"]


def tiny():
    """One token a character, but for a few words."""
    return wordpiece_tokenizer([*SPECIALS, *CHARACTERS, *("##" + c for c in CHARACTERS), *WORDS])


def tokenizer_called(name: str):
    if name == "tiny":
        return tiny()
    if not (TOKENIZERS / name).is_dir():
        pytest.skip(f"../shared/data/tokenizers/{name} is absent")
    return load_tokenizer(str(TOKENIZERS / name))


def real(*names):
    return [pytest.param(name, marks=[] if name == "tiny" else pytest.mark.real_data) for name in names]


def make_encoder(tokenizer=None, **options) -> Encoder:
    tokenizer = tokenizer or tiny()
    options = EncodingOptions(**options)
    add_tokens(tokenizer, added_tokens(options.marker, options.types))
    return Encoder(tokenizer, options)


def make_example(parts: tuple[str, str, str, str, str], object_first=False, **more) -> Example:
    """Before, first entity, between, second entity, after."""
    starts = np.cumsum([0, *map(len, parts)])
    spans = [Span(int(starts[n]), int(starts[n + 1]), parts[n], kind) for n, kind in ((1, "ORG"), (3, "POH"))]
    if object_first:
        spans.reverse()
    return Example(more.pop("id", "1"), "".join(parts), subject=spans[0], object=spans[1], **more)


EXAMPLES = [
    make_example(("", "별무리", "가 낸 ", "새벽", " 앨범")),
    make_example(("앨범 ", "새벽", "은 ", "별무리", "가 낸 것이다."), object_first=True),
    make_example(("", "별무리", "", "새벽", "")),
    make_example(("서울의 새벽, ", "서울", "의 ", "새벽", "")),
    make_example(("낸", " 별무리 ", "의 ", "'새벽'", "!")),
]


def encode_one(encoder: Encoder, example: Example):
    (result,) = encoder.encode([example])
    if isinstance(result, ValueError):
        raise result
    return result


# templates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, single, pair",
    [
        ("tiny", [[2], [3]], [[2], [3], [3]]),
        pytest.param("klue-roberta-base", [[0], [2]], [[0], [2], [2]], marks=pytest.mark.real_data),
        pytest.param("klue-bert-base", [[2], [3]], [[2], [3], [3]], marks=pytest.mark.real_data),
        pytest.param("roberta-base", [[0], [2]], [[0], [2, 2], [2]], marks=pytest.mark.real_data),
        pytest.param("kobigbird", [[2], [3]], [[2], [3], [3]], marks=pytest.mark.real_data),
    ],
)
def test_template(name, single, pair):
    tokenizer = tokenizer_called(name)
    encoder = make_encoder(tokenizer)
    assert encoder.single == single
    assert encoder.pair == pair
    assert single[0] == [tokenizer.cls_token_id]
    assert pair[2] == [tokenizer.sep_token_id]


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("name", real(*PLACES))
def test_tokens_are_what_the_tokenizer_makes_of_the_marked_text(name, marker):
    tokenizer = tokenizer_called(name)
    for query in QUERIES:
        encoder = make_encoder(tokenizer, marker=marker, query=query)
        for example, result in zip(EXAMPLES, encoder.encode(EXAMPLES), strict=True):
            check_against_the_tokenizer(example, result, mark(example, marker, query), tokenizer)


def check_against_the_tokenizer(example, result, marked, tokenizer):
    expected = tokenizer(marked.text, marked.second, return_token_type_ids=True)
    assert result.tokens.tolist() == expected["input_ids"]
    assert result.tokens.dtype == np.int32
    assert not result.cut
    sequence = expected.sequence_ids(0)
    assert result.second == (len(sequence) if marked.second is None else sequence.index(1))
    if len(tokenizer("a", "a")["input_ids"]) == 5:  # RoBERTa's </s></s> has no token types
        segments = (np.arange(len(result.tokens)) >= result.second).astype(int)
        assert segments.tolist() == expected["token_type_ids"]
    assert result.types.tolist() == [TYPES.index(span.type) + 1 for _, span in example.entities()]
    # spans over tokens, back to characters through the tokenizer's own map
    wide = False
    for role, (_, span) in enumerate(example.entities()):
        for part, (first, last) in enumerate(marked.spans[role]):
            start, end = result.spans[role, part].tolist()
            if first < 0:
                assert (start, end) == (-1, -1)
                continue
            places = [expected.token_to_chars(token) for token in range(start, end)]
            if part == 2 and (places[0].start, places[-1].end) != (first, last):
                # the smallest cover: each of its tokens holds a character of the entity
                wide = True
                assert "@" not in marked.text
                assert "<" not in marked.text
                assert all(place.start < last and place.end > first for place in places)
            if "@" in marked.text or "<" in marked.text:
                assert (places[0].start, places[-1].end) == (first, last)
        assert marked.text[first:last] == span.text.strip()
    assert result.wide is wide


def test_spans_of_the_tiny_tokenizer_by_hand():
    encoder = make_encoder(marker="typed_punct", query="relation")
    result = encode_one(encoder, EXAMPLES[0])
    words = encoder.tokenizer.convert_ids_to_tokens(result.tokens.tolist())
    assert words == [
        "[CLS]", "@", "*", "단체", "*", "별", "##무리", "@", "가", "낸", "#", "^", "기타", "^", "새", "##벽", "#",
        "앨", "##범",
        "[SEP]", "별", "##무리", "##와", "새", "##벽", "##의", "관", "##계", "[SEP]",
    ]  # fmt: skip
    assert result.spans.tolist() == [[[1, 8], [3, 4], [5, 7]], [[10, 17], [12, 13], [14, 16]]]
    assert result.second == 20


def test_marker_tokens_are_one_token_each():
    for marker in ("entity", "typed"):
        encoder = make_encoder(marker=marker)
        result = encode_one(encoder, EXAMPLES[2])
        words = encoder.tokenizer.convert_ids_to_tokens(result.tokens.tolist())
        assert len(words) == 2 + 4 + 4
        assert [words[n] for n in (1, 4, 5, 8)] == (
            ["<subj>", "</subj>", "<obj>", "</obj>"]
            if marker == "entity"
            else ["<S:ORG>", "</S:ORG>", "<O:POH>", "</O:POH>"]
        )
        assert result.spans.tolist() == [[[1, 5], [-1, -1], [2, 4]], [[5, 9], [-1, -1], [6, 8]]]


def test_entity_inside_a_longer_token_is_covered_and_reported():
    """Without markers `별무리가` is one token; markers with their blanks cut the particle off."""
    wide = encode_one(make_encoder(marker="none"), EXAMPLES[0])
    assert wide.wide is True
    assert wide.spans[0].tolist() == [[1, 2], [-1, -1], [1, 2]]
    assert encode_one(make_encoder(marker="entity_punct"), EXAMPLES[0]).wide is False
    assert encode_one(make_encoder(marker="none"), EXAMPLES[2]).wide is False, "the same word before another one"


def test_text_without_entities_and_pairs():
    encoder = make_encoder()
    single, pair, empty = encoder.encode(
        [Example("1", "새벽의 곳"), Example("2", "새벽", text_pair="서울 곳"), Example("3", "새벽", text_pair="")]
    )
    assert words_of(encoder, single) == ["[CLS]", "새", "##벽", "##의", "곳", "[SEP]"]
    assert words_of(encoder, pair) == ["[CLS]", "새", "##벽", "[SEP]", "서", "##울", "곳", "[SEP]"]
    assert words_of(encoder, empty) == ["[CLS]", "새", "##벽", "[SEP]"]
    assert (single.second, pair.second, empty.second) == (6, 4, 4)
    for result in (single, pair, empty):
        assert (result.spans == -1).all()
        assert result.spans.shape == (2, 3, 2)
        assert result.types.tolist() == [0, 0]


@pytest.mark.parametrize(
    "lengths, kept",
    [((5, 5), (5, 5)), ((20, 3), (10, 3)), ((3, 20), (3, 10)), ((20, 20), (7, 6)), ((20, 6), (7, 6)), ((7, 20), (7, 6)),
     ((6, 20), (6, 7)), ((20, 7), (7, 6))],
)  # fmt: skip
def test_pairs_are_cut_at_the_end_of_the_longer_text(lengths, kept):
    """16 tokens, three of them special: 13 to share."""
    encoder = make_encoder(max_length=16)
    texts = [" ".join(CHARACTERS[n] for n in range(length)) for length in lengths]
    result = encode_one(encoder, Example("1", texts[0], text_pair=texts[1]))
    parts = [encoder.tokenizer.convert_tokens_to_ids(texts[n].split()[: kept[n]]) for n in (0, 1)]
    assert result.tokens.tolist() == [2, *parts[0], 3, *parts[1], 3]
    assert result.second == 2 + kept[0]
    assert result.cut == (kept != lengths)


def test_long_single_text_keeps_its_beginning():
    encoder = make_encoder(max_length=8)
    words = CHARACTERS[:20]
    result = encode_one(encoder, Example("1", " ".join(words)))
    assert result.tokens.tolist() == [2, *encoder.tokenizer.convert_tokens_to_ids(words[:6]), 3]
    assert (result.second, result.cut) == (8, True)


# windows ------------------------------------------------------------------------------------------------------------


def words_of(encoder: Encoder, result) -> list[str]:
    return encoder.tokenizer.convert_ids_to_tokens(result.tokens.tolist())


def test_both_neighbourhoods_are_kept_when_the_range_fits():
    """a a a a [가] b b [각] 1 1 1 1, eight places: the range takes four, two neighbours at each side."""
    example = make_example(("a a a a ", "가", " b b ", "각", " 1 1 1 1"))
    encoder = make_encoder(marker="none", max_length=10)
    result = encode_one(encoder, example)
    assert words_of(encoder, result) == ["[CLS]", "a", "a", "가", "b", "b", "각", "1", "1", "[SEP]"]
    assert result.spans[:, 2].tolist() == [[3, 4], [6, 7]]
    assert result.cut


def test_the_middle_is_left_out_when_the_range_does_not_fit():
    example = make_example(("a a a a ", "가", " b b b b b b b b b b ", "각", " 1 1 1 1"))
    encoder = make_encoder(marker="none", max_length=10)
    result = encode_one(encoder, example)
    # one neighbour at each of the four sides; of the next four, which are equally far, the two on the left
    assert words_of(encoder, result) == ["[CLS]", "a", "a", "가", "b", "b", "b", "각", "1", "[SEP]"]
    assert result.spans[:, 2].tolist() == [[3, 4], [7, 8]]


def test_entities_that_do_not_fit_name_the_option():
    example = make_example(("앨범 ", "별무리", " 낸 곳의 ", "새벽", " 서울"))
    encoder = make_encoder(marker="typed_punct", max_length=15)
    # @ * 단체 * 별 ##무리 @ and # ^ 기타 ^ 새 ##벽 #: 14 tokens, and two special ones
    with pytest.raises(ValueError) as caught:
        encode_one(encoder, example)
    assert str(caught.value).startswith(
        "the entities with their markers take 14 tokens, but data.max_length 15 leaves room for 13"
    )
    fits = encode_one(make_encoder(marker="typed_punct", max_length=16), example)
    assert len(fits.tokens) == 16
    assert fits.spans.tolist() == [[[1, 8], [3, 4], [5, 7]], [[8, 15], [10, 11], [12, 14]]]


def test_query_takes_its_room_first():
    example = make_example(("앨범 ", "별무리", " 낸 곳의 ", "새벽", " 서울"))
    for query, needed in (("none", 16), ("relation", 25), ("question", 32)):
        result = encode_one(make_encoder(marker="typed_punct", query=query, max_length=needed), example)
        assert len(result.tokens) == needed
        assert result.spans[1, 0].tolist() == [8, 15]
        with pytest.raises(ValueError, match=rf"data\.max_length {needed - 1} leaves room for 13 "):
            encode_one(make_encoder(marker="typed_punct", query=query, max_length=needed - 1), example)
    with pytest.raises(ValueError, match=r"data\.max_length 8 leaves room for 0 "):
        encode_one(make_encoder(marker="none", query="question", max_length=8), example)


@st.composite
def windows(draw):
    """A length, two spans (disjoint, touching or sharing tokens, in any order) and a room."""
    length = draw(st.integers(1, 40))
    spans = []
    for _ in range(2):
        start = draw(st.integers(0, length - 1))
        spans.append((start, draw(st.integers(start + 1, min(length, start + 8)))))
    return length, np.array(spans), draw(st.integers(-3, 45))


@pytest.mark.drill("R9")
@settings(max_examples=600, deadline=None)
@given(windows())
def test_window_of_any_spans(case):
    length, spans, room = case
    inside = {position for start, end in spans.tolist() for position in range(start, end)}
    if length > room and len(inside) > room:
        with pytest.raises(ValueError, match=r"data\.max_length 77 leaves room for \d+ "):
            window(length, spans, room, 77)
        return
    keep = window(length, spans, room, 77).tolist()
    assert keep == sorted(set(keep))
    assert len(keep) == min(length, room), "as many as fit"
    assert set(keep) <= set(range(length))
    assert inside <= set(keep)
    first, last = spans.min(), spans.max()
    runs = [(first, last)] if last - first <= room else spans.tolist()
    if len(runs) == 1:
        assert keep == list(range(keep[0], keep[-1] + 1)), "everything between stays"

    def distance(position: int) -> int:
        return min(max(0, start - position, position - end + 1) for start, end in runs)

    dropped = [distance(position) for position in range(length) if position not in keep]
    assert max(map(distance, keep)) <= min(dropped, default=length), "the nearest are kept"
    # of the farthest kept and nearest dropped, equally far, the left ones are kept
    if dropped:
        rim = max(map(distance, keep))
        ties = [position for position in range(length) if distance(position) == rim]
        kept_ties = [position for position in ties if position in keep]
        assert kept_ties == ties[: len(kept_ties)]


@pytest.mark.drill("R9")
@settings(max_examples=150, deadline=None)
@given(
    lengths=st.tuples(*[st.integers(0, 25)] * 3),
    words=st.tuples(*[st.integers(1, 6)] * 2),
    max_length=st.integers(8, 60),
    marker=st.sampled_from(["none", "entity_punct", "typed_punct"]),
    query=st.sampled_from(QUERIES),
    object_first=st.booleans(),
)
def test_encoded_length_and_spans_of_any_sentence(lengths, words, max_length, marker, query, object_first):
    """One token a character, so the kept tokens can be read back."""
    fill = [" ".join("ab12"[n % 4] for n in range(length)) for length in lengths]
    first, second = " ".join("가각간갈감갑"[: words[0]]), " ".join("갓강개객별새"[: words[1]])
    example = make_example((f"{fill[0]} ", first, f" {fill[1]} ", second, f" {fill[2]}"), object_first)
    encoder = Encoder(TINY, EncodingOptions(marker=marker, query=query, max_length=max_length))
    (result,) = encoder.encode([example])
    (whole,) = Encoder(TINY, EncodingOptions(marker=marker, query=query, max_length=10_000)).encode([example])
    around = {"none": 0, "entity_punct": 2, "typed_punct": 5}[marker]
    asked = len(whole.tokens) - whole.second - 1 if query != "none" else 0
    needed = sum(words) + 2 * around + asked + (2 if query == "none" else 3)
    if needed > max_length:
        assert isinstance(result, ValueError)
        assert f"data.max_length {max_length} " in str(result)
        return
    assert len(result.tokens) == min(max_length, len(whole.tokens))
    assert result.cut == (len(whole.tokens) > max_length)
    read = words_of(encoder, result)
    for role, span in enumerate((example.subject, example.object)):
        start, end = result.spans[role, 2]
        assert read[start:end] == span.text.split()
        outer_start, outer_end = result.spans[role, 0]
        assert outer_end - outer_start == len(span.text.split()) + around
        inside = result.tokens[outer_start:outer_end].tolist()
        assert inside == whole.tokens[slice(*whole.spans[role, 0])].tolist()
    assert result.tokens[result.second :].tolist() == whole.tokens[whole.second :].tolist(), "the query is whole"
    left, right = sorted(result.spans[:, 0].tolist())
    whole_left, whole_right = sorted(whole.spans[:, 0].tolist())
    room = max_length - asked - (2 if query == "none" else 3)
    if whole_right[1] - whole_left[0] <= room:
        between = whole.tokens[whole_left[1] : whole_right[0]].tolist()
        assert result.tokens[left[1] : right[0]].tolist() == between, "everything between is kept"


TINY = tiny()
ENCODERS = {marker: make_encoder(marker=marker) for marker in MARKERS}  # a tokenizer with the tokens of each
ODD_TEXT = st.text(st.sampled_from([*CHARACTERS, *" \n\t😀\u1100\u1161\u200b\u0301[]<"]), max_size=12)


def encode_within(max_length: int, marker: str, query: str, example: Example):
    options = EncodingOptions(marker=marker, query=query, max_length=max_length)
    (result,) = Encoder(ENCODERS[marker].tokenizer, options).encode([example])
    return result


@pytest.mark.drill("R9")
@settings(max_examples=300, deadline=None)
@given(
    parts=st.tuples(*[ODD_TEXT] * 5),
    object_first=st.booleans(),
    marker=st.sampled_from(MARKERS),
    query=st.sampled_from(QUERIES),
    max_length=st.integers(8, 70),
)
def test_any_text_keeps_both_entities_in_any_length_or_says_that_they_do_not_fit(
    parts, object_first, marker, query, max_length
):
    first, second = (part if part.strip() else "새벽" for part in (parts[1], parts[3]))
    example = make_example((parts[0], first, parts[2], second, parts[4]), object_first)
    whole = encode_within(10_000, marker, query, example)
    result = encode_within(max_length, marker, query, example)
    if isinstance(whole, ValueError):  # nothing but characters that the tokenizer drops
        assert "it yields no token" in str(whole)
        assert str(result) == str(whole)
        return
    # what must stay: the tokens of both marked spans (one token may belong to both), the query, the special tokens
    inside = {place for start, end in whole.spans[:, 0].tolist() for place in range(start, end)}
    around = len(whole.tokens) - whole.second + 2 if query != "none" else 2
    if len(inside) + around > max_length:
        assert isinstance(result, ValueError)
        assert f"take {len(inside)} tokens, but data.max_length {max_length} leaves room for " in str(result)
        return
    assert len(result.tokens) == min(max_length, len(whole.tokens))
    assert result.cut == (max_length < len(whole.tokens))
    assert result.tokens[0] == whole.tokens[0]
    assert result.tokens[result.second - 1 :].tolist() == whole.tokens[whole.second - 1 :].tolist()
    for kept, full in zip(result.spans.reshape(-1, 2), whole.spans.reshape(-1, 2), strict=True):
        assert (kept[0] < 0) == (full[0] < 0)
        assert result.tokens[slice(*kept)].tolist() == whole.tokens[slice(*full)].tolist()
    assert result.wide == whole.wide
    assert result.types.tolist() == whole.types.tolist()


@settings(max_examples=200, deadline=None)
@given(text=ODD_TEXT, pair=st.none() | ODD_TEXT, max_length=st.integers(8, 20))
def test_any_text_without_entities_is_cut_to_any_length(text, pair, max_length):
    example = Example("1", text if text.strip() else "새벽", text_pair=pair)
    whole = encode_within(10_000, "typed", "none", example)
    result = encode_within(max_length, "typed", "none", example)
    assert len(result.tokens) == min(max_length, len(whole.tokens))
    assert result.cut == (max_length < len(whole.tokens))
    if not pair:
        assert result.tokens.tolist() == [*whole.tokens[:-1][: max_length - 1].tolist(), 3]
        return
    lengths = [
        (len(whole.tokens) if end is None else whole.second) - start for start, end in ((1, 0), (whole.second, None))
    ]
    kept = [result.second - 1, len(result.tokens) - result.second]
    assert result.tokens[: kept[0]].tolist() == whole.tokens[: kept[0]].tolist()
    assert result.tokens[result.second : -1].tolist() == whole.tokens[whole.second :][: kept[1] - 1].tolist()
    if result.cut:  # the longer gives way, the shorter only down to as many
        shorter = min((0, 1), key=lambda n: lengths[n])
        assert kept[shorter] == lengths[shorter] or abs(kept[0] - kept[1]) <= 1


# refusals -----------------------------------------------------------------------------------------------------------


def test_errors_stand_in_their_rows_place():
    bad_type = make_example(("", "별무리", "의 ", "새벽", ""))
    bad_type = Example("2", bad_type.text, subject=bad_type.subject, object=Span(5, 7, "새벽", "CLS"))
    invisible = make_example(("앞 ", "\u200b", " 의 ", "새벽", ""))
    results = list(make_encoder().encode([EXAMPLES[0], bad_type, EXAMPLES[1], invisible, EXAMPLES[2]]))
    assert [type(result).__name__ for result in results] == [
        "Encoded",
        "ValueError",
        "Encoded",
        "ValueError",
        "Encoded",
    ]
    assert str(results[1]) == (
        "entity type 'CLS' is none of PER, ORG, LOC, DAT, POH, NOH; list the types of your data in data.types, or set "
        "it to learned"
    )
    assert str(results[3]) == "the tokenizer drops the subject '\\u200b': it yields no token"
    for n, example in ((0, EXAMPLES[0]), (2, EXAMPLES[1]), (4, EXAMPLES[2])):
        assert results[n].tokens.tolist() == encode_one(make_encoder(), example).tokens.tolist()


def test_slow_tokenizer_is_refused():
    with pytest.raises(ValueError, match="SimpleNamespace gives no character offsets; expected a fast tokenizer"):
        Encoder(SimpleNamespace(is_fast=False), EncodingOptions())


def test_missing_marker_tokens_are_named():
    tokenizer = tiny()
    add_tokens(tokenizer, ["<subj>", "</obj>"])
    with pytest.raises(ValueError, match=r"lacks the marker tokens </subj>, <obj>: each must be one known token$"):
        Encoder(tokenizer, EncodingOptions(marker="entity"))


def test_a_marker_in_the_vocabulary_that_is_cut_all_the_same_is_named():
    """Teams renamed a spare slot and forgot to register the marker: it becomes < subj >."""
    tokenizer = wordpiece_tokenizer([*SPECIALS, *CHARACTERS, "<", ">", "/", "<subj>", "</subj>", "<obj>", "</obj>"])
    assert "<subj>" in tokenizer.get_vocab()
    with pytest.raises(ValueError, match=r"lacks the marker tokens <subj>, </subj>, <obj>, </obj>: each must be one"):
        Encoder(tokenizer, EncodingOptions(marker="entity"))


def test_marks_that_all_become_unknown_are_refused():
    """Subject and object would look alike."""
    with pytest.raises(ValueError, match=r"^data\.marker: entity_punct marks the subject with @ and the object with #"):
        Encoder(wordpiece_tokenizer([*SPECIALS, "가"]), EncodingOptions(marker="entity_punct"))


def test_marks_and_type_words_that_become_unknown_are_named(recwarn):
    tokenizer = wordpiece_tokenizer([*SPECIALS, "@", "*", "사", "##람"])
    with pytest.warns(UserWarning, match=r"^data\.marker: the tokenizer does not know #, \^, 단체 of typed_punct, so"):
        Encoder(tokenizer, EncodingOptions(marker="typed_punct", types=("PER", "ORG")))
    recwarn.clear()
    Encoder(tokenizer, EncodingOptions(marker="none"))
    assert not list(recwarn)


def test_types_have_a_byte():
    names = tuple(f"T{n}" for n in range(128))
    with pytest.raises(ValueError, match=r"data\.types: lists 128 types, expected 127 at most"):
        make_encoder(types=names)
    example = Example("1", "가 나", subject=Span(0, 1, "가", "T126"), object=Span(2, 3, "나", "T0"))
    assert encode_one(make_encoder(types=names[:127]), example).types.tolist() == [127, 1]


def test_fingerprint_tells_options_and_tokenizers_apart():
    changes = [
        {}, {"marker": "none"}, {"query": "relation"}, {"type_words": "english"}, {"types": ("PER", "ORG")},
        {"types": ("ORG", "PER")}, {"max_length": 255},
    ]  # fmt: skip
    prints = [make_encoder(**change).fingerprint for change in changes]
    assert len(set(prints)) == 7
    assert prints == [make_encoder(**change).fingerprint for change in changes]
    other_order = wordpiece_tokenizer([*SPECIALS, *CHARACTERS[::-1], *("##" + c for c in CHARACTERS), *WORDS])
    added = tiny()
    add_tokens(added, ["<x>"])
    assert len({prints[0], make_encoder(other_order).fingerprint, make_encoder(added).fingerprint}) == 3


def test_fingerprint_survives_use():
    """Encoding leaves its settings in the tokenizer's library; a later encoder must not take them for others."""
    encoder = make_encoder()
    before = encoder.fingerprint
    list(encoder.encode(EXAMPLES))
    assert Encoder(encoder.tokenizer, encoder.options).fingerprint == before


def test_options_as_plain_values():
    assert EncodingOptions(types=("PER",), max_length=9).as_dict() == {
        "marker": "typed_punct", "query": "none", "type_words": "korean", "types": ["PER"], "max_length": 9,
    }  # fmt: skip


# extra inputs -------------------------------------------------------------------------------------------------------


def test_extra_inputs():
    encoder = make_encoder()
    length = 5  # [CLS] 새 ##벽 곳 [SEP]
    result = encode_one(
        encoder, Example("1", "새벽 곳", extra={"topic": 7, "depth": range(length), "tag": np.array([-1] * 5)})
    )
    assert len(result.tokens) == length
    assert result.extra["topic"] == 7
    assert type(result.extra["topic"]) is int
    assert result.extra["depth"].tolist() == [0, 1, 2, 3, 4]
    assert result.extra["tag"].tolist() == [-1] * 5
    assert result.extra["depth"].dtype == result.extra["tag"].dtype == np.int32
    assert encode_one(encoder, Example("1", "새벽 곳", extra={"topic": np.int64(3)})).extra == {"topic": 3}


@pytest.mark.parametrize(
    "value, found",
    [
        ([1, 2, 3, 4], r"shape \(4,\)"),
        ([1, 2, 3, 4, 5, 6], r"shape \(6,\)"),
        ([[1, 2, 3, 4, 5]], r"shape \(1, 5\)"),
        ([], r"shape \(0,\)"),
        ([0.5, 1, 2, 3, 4], "float64"),
        (1.0, "float64"),
        ("7", "<U1"),
        (None, "object"),
        ([None] * 5, "object"),
        (2**31, "32 bits"),
        ([0, 0, 0, 0, -(2**31) - 1], "32 bits"),
    ],
)
def test_wrong_extra_inputs_name_what_was_expected(value, found):
    with pytest.raises(ValueError, match=f"extra input 'depth' .*{found}") as caught:
        encode_one(make_encoder(), Example("1", "새벽 곳", extra={"depth": value}))
    if found != "32 bits":
        assert "expected one int or one int for each of the 5 tokens" in str(caught.value)
