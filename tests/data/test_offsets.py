"""Offsets that hold blanks give the spans of those that do not; characters in no token are counted."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Metaspace, Sequence, WhitespaceSplit
from tokenizers.processors import ByteLevel as TrimOffsets
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from data.encode import Encoder, EncodingOptions
from data.offsets import lost_characters
from data.schema import Example, Span

PIECES = [
    "<unk>", "<pad>", "<s>", "</s>", "▁", "가", "나", "다", "라", "▁가", "▁가나", "나다", "@", "#", "*", "^", "▁*",
    "조직", "▁조직", "기타", ".",
]  # fmt: skip
SPECIAL = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
LETTERS = "가나다라"


def wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    numbers = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    if tokenizer.post_processor is None:
        tokenizer.post_processor = TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=numbers
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


def unigram(cut_first: bool, pieces=PIECES) -> PreTrainedTokenizerFast:
    """SentencePiece's way: the blank is a part of the word behind it. `cut_first`: words are cut apart before."""
    tokenizer = Tokenizer(Unigram([(piece, -1.0 - 1 / len(piece)) for piece in pieces], unk_id=0))
    tokenizer.pre_tokenizer = Sequence([WhitespaceSplit(), Metaspace()]) if cut_first else Metaspace()
    return wrapped(tokenizer)


def byte_level(trim: bool) -> PreTrainedTokenizerFast:
    words = [*SPECIAL.values(), *sorted(ByteLevel.alphabet()), "Ġa", "bc"]
    merges = [("Ġ", "a"), ("b", "c")]
    tokenizer = Tokenizer(BPE({word: number for number, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer, tokenizer.post_processor = (
        ByteLevel(add_prefix_space=False),
        TrimOffsets(trim_offsets=trim),
    )
    return wrapped(tokenizer)


def example_of(words: list[str], subject: int, object: int) -> Example:
    """A sentence of words with one blank between them; two of the words are the entities."""
    starts = np.cumsum([0, *(len(word) + 1 for word in words)]).tolist()
    subject, object = (
        Span(starts[n], starts[n] + len(words[n]), words[n], kind) for n, kind in ((subject, "ORG"), (object, "POH"))
    )
    return Example("1", " ".join(words), subject=subject, object=object)


@st.composite
def sentences(draw, letters=LETTERS):
    words = draw(st.lists(st.text(letters, min_size=1, max_size=4), min_size=2, max_size=8))
    subject, object = draw(st.permutations(range(len(words))))[:2]
    return example_of(words, subject, object)


def encoded(tokenizer, example: Example, marker: str):
    (result,) = Encoder(tokenizer, EncodingOptions(marker=marker)).encode([example])
    if isinstance(result, ValueError):
        raise result
    return result


def same(one, other) -> None:
    assert one.tokens.tolist() == other.tokens.tolist()
    assert one.spans.tolist() == other.spans.tolist()
    assert (one.wide, one.pieces, one.unknown, one.lost) == (other.wide, other.pieces, other.unknown, other.lost)


@pytest.mark.filterwarnings("ignore:data.marker")
@pytest.mark.parametrize("marker", ["none", "entity_punct", "typed_punct"])
@settings(max_examples=40, deadline=None)
@given(example=sentences())
def test_offsets_with_the_blank_give_the_spans_of_offsets_without_it(marker, example):
    same(encoded(unigram(False), example, marker), encoded(unigram(True), example, marker))


@pytest.mark.filterwarnings("ignore:data.marker")
@pytest.mark.parametrize("marker", ["none", "entity_punct"])
@settings(max_examples=40, deadline=None)
@given(example=sentences("abc"))
def test_byte_level_offsets_that_nobody_trimmed(marker, example):
    same(encoded(byte_level(False), example, marker), encoded(byte_level(True), example, marker))


def test_the_lone_piece_of_a_blank_belongs_to_the_word_behind_it():
    """▁ 나다 is the subject; the blank before it is no longer token and no token beyond the entity."""
    result = encoded(unigram(False), example_of(["가나", "나다", "가"], 1, 2), "none")
    assert [PIECES[token] for token in result.tokens] == ["<s>", "▁가나", "▁", "나다", "▁가", "</s>"]
    assert result.spans[:, 2].tolist() == [[2, 4], [4, 5]]
    assert result.wide is False


def test_of_two_blanks_only_the_second_belongs_to_the_word():
    text = "가나  가  나다 가"
    example = Example("1", text, subject=Span(4, 5, "가", "ORG"), object=Span(7, 9, "나다", "POH"))
    result = encoded(unigram(False), example, "none")
    assert [PIECES[token] for token in result.tokens] == [
        "<s>", "▁가나", "▁", "▁가", "▁", "▁", "나다", "▁가", "</s>",
    ]  # fmt: skip
    assert result.spans[:, 2].tolist() == [[3, 4], [5, 7]]
    assert result.wide is False


def test_unknown_words_are_named_without_the_word_before_them():
    result = encoded(unigram(False), example_of(["가", "힣", "나"], 0, 2), "none")
    assert result.unknown == ("힣",)


def test_tokenizers_with_such_offsets_have_a_fingerprint_of_their_own():
    """A run that was begun with other spans must not be resumed in silence."""
    plain = EncodingOptions(marker="none")
    prints = {Encoder(tokenizer, plain).fingerprint for tokenizer in (unigram(False), unigram(True))}
    assert len(prints) == 2
    tokenizer = unigram(True)
    encoder = Encoder(tokenizer, plain)
    assert not encoder.blanks_inside
    assert not Encoder(byte_level(True), plain).blanks_inside
    assert Encoder(byte_level(False), plain).blanks_inside


# markers that start alike -------------------------------------------------------------------------------------------


def read_first(tokenizer, marker: str) -> tuple[str, str]:
    """The tokens that the pooling entity_start reads."""
    result = encoded(tokenizer, example_of(["가나", "다라", "가"], 0, 1), marker)
    tokens = tokenizer.convert_ids_to_tokens(result.tokens.tolist())
    return tokens[result.spans[0, 0, 0]], tokens[result.spans[1, 0, 0]]


@pytest.mark.parametrize("marker", ["entity_punct", "typed_punct"])
@pytest.mark.parametrize("cut_first", [False, True])
@pytest.mark.filterwarnings("ignore:data.marker")
def test_the_token_that_is_read_tells_the_markers_apart(marker, cut_first):
    assert read_first(unigram(cut_first), marker) == ("@", "#")
    assert read_first(unigram(cut_first, [*PIECES, "▁@", "▁#"]), marker) == ("▁@", "▁#")
    assert read_first(unigram(cut_first, [*PIECES, "▁@"]), marker) == ("▁@", "▁")


def test_the_whole_span_keeps_its_end_and_the_words_theirs():
    result = encoded(unigram(True), example_of(["가나", "다라"], 0, 1), "entity_punct")
    assert [PIECES[token] for token in result.tokens] == [
        "<s>", "▁", "@", "▁가나", "▁", "@", "▁", "#", "▁", "다", "라", "▁", "#", "</s>",
    ]  # fmt: skip
    assert result.spans.tolist() == [[[2, 6], [-1, -1], [3, 4]], [[7, 13], [-1, -1], [8, 11]]]
    assert result.pieces == 4


def test_marks_with_the_same_last_token_are_told():
    """Pieces '@$' and '#$' in a vocabulary that has neither mark alone cannot be made here; a normalizer can."""
    from tokenizers.normalizers import Replace
    from tokenizers.normalizers import Sequence as Normalizers

    tokenizer = unigram(True, [*PIECES, "$"])
    tokenizer.backend_tokenizer.normalizer = Normalizers([Replace("@", "@$"), Replace("#", "#$")])
    with pytest.warns(UserWarning, match=r"@ and # of entity_punct end in the same token, .* entity_start_end"):
        Encoder(tokenizer, EncodingOptions(marker="entity_punct"))


def test_a_mark_that_is_the_beginning_of_the_other_is_refused():
    from tokenizers.normalizers import Replace

    tokenizer = unigram(True)
    tokenizer.backend_tokenizer.normalizer = Replace("#", "@@")
    with pytest.raises(ValueError, match=r"the tokenizer gives them the same first tokens, so that both look alike"):
        Encoder(tokenizer, EncodingOptions(marker="entity_punct"))


def test_type_words_that_become_the_same_tokens_are_told():
    from tokenizers.normalizers import Replace

    tokenizer = unigram(True, [*PIECES, "단체", "▁단체", "▁^", "▁@", "▁#"])
    tokenizer.backend_tokenizer.normalizer = Replace("조직", "단체")
    with pytest.warns(UserWarning, match=r"the type words 단체, 조직 of typed_punct become the same tokens"):
        Encoder(tokenizer, EncodingOptions(marker="typed_punct", types=("ORG", "조직", "POH")))


# characters in no token ---------------------------------------------------------------------------------------------


def test_dropped_characters_are_counted():
    """BPE without an unknown token drops what its vocabulary lacks."""
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<pad>", "<s>", "</s>", "가", "나"])}
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    result = encoded(wrapped(tokenizer), example_of(["가다", "나", "힣라", "가"], 0, 1), "none")
    assert (result.lost, result.unknown, len(result.tokens)) == (3, (), 5)


@pytest.mark.parametrize("text", ["가 나", "가\u200b나", "가\t\n나", "가\ufe0f 나", "가\u00ad나"])
def test_what_nobody_sees_is_not_lost(text):
    offsets = np.array([[0, 1], [len(text) - 1, len(text)]])
    assert lost_characters(text, offsets) == 0
    assert lost_characters(text, offsets[:1]) == 1


def test_a_syllable_in_parts_is_not_lost():
    """NFC makes one character of three; its offsets are those of the first."""
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<pad>", "<s>", "</s>", "각"])}
    tokenizer = Tokenizer(BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = NFC(), WhitespaceSplit()
    example = Example("1", unicodedata.normalize("NFD", "각 각"))
    assert len(example.text) == 7
    assert encoded(wrapped(tokenizer), example, "none").lost == 0
