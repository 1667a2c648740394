"""How well a tokenizer knows a corpus: exact counts, and the words that it knows worst."""

import json

import pytest

from data.encode import Encoder, EncodingOptions
from data.markers import added_tokens
from data.schema import Example, Span
from data.store.words import LONGEST, SHOWN, Texts, WordCount
from models.tokens import add_tokens, wordpiece_tokenizer

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "@",
    "#",
    "*",
    "가",
    "나",
    "##나",
    "다",
    "##다",
    "사",
    "##람",
]


@pytest.fixture
def tokenizer():
    return wordpiece_tokenizer(VOCABULARY)


def counted(tokenizer, examples: list[Example], **options) -> dict:
    words, texts = WordCount(), Texts()
    options = EncodingOptions(**{"marker": "none"} | options)
    add_tokens(tokenizer, added_tokens(options.marker, options.types))
    for example, encoded in zip(examples, Encoder(tokenizer, options).encode(examples), strict=True):
        texts.add(example.text, encoded.pieces, encoded.unknown)
    words.join(texts)
    facts = words.facts(tokenizer)
    assert json.loads(json.dumps(facts)) == facts
    return facts


def test_counts_by_hand(tokenizer):
    facts = counted(tokenizer, [Example("1", "가나다 가  힣다"), Example("2", "가나다 힣다 가나")])
    assert facts == {
        "words": 6,
        "characters": 13,
        "pieces": 11,  # 3 + 1 + 1, 3 + 1 + 2
        "lost": 0,
        "unknown_pieces": 2,
        "unknown_words": [["힣다", 2]],
        "split_words": [["가나다", 2, 3], ["가나", 1, 2]],
    }


@pytest.mark.parametrize("marker", ["none", "entity", "entity_punct", "typed", "typed_punct"])
@pytest.mark.filterwarnings("ignore:data.marker")
def test_markers_and_query_are_no_words_of_the_text(tokenizer, marker):
    """`^` and four type words are unknown to this tokenizer; that is no matter of its language."""
    example = Example("1", "가나 힣 다나", subject=Span(0, 2, "가나", "PER"), object=Span(5, 7, "다나", "ORG"))
    facts = counted(tokenizer, [example] * 3, marker=marker, query="relation")
    assert (facts["words"], facts["pieces"], facts["unknown_pieces"]) == (9, 15, 3)
    assert facts["unknown_words"] == [["힣", 3]]


def test_what_a_window_leaves_out_is_counted(tokenizer):
    facts = counted(tokenizer, [Example("1", "가나 " * 30)], max_length=10)
    assert (facts["words"], facts["pieces"]) == (30, 60)


def test_the_worst_words_cost_most_tokens(tokenizer):
    facts = counted(tokenizer, [Example("1", "가나 " * 5 + "가나나나 " * 3 + "다 " * 9 + "가다 " * 2)])
    assert facts["split_words"] == [["가나나나", 3, 4], ["가나", 5, 2], ["가다", 2, 2]]


def test_lists_and_words_in_them_are_short(tokenizer):
    text = " ".join(f"{'힣' * 60}{n} 가{'나' * n}" for n in range(1, 30))
    facts = counted(tokenizer, [Example("1", text)])
    assert len(facts["unknown_words"]) == len(facts["split_words"]) == SHOWN
    assert all(len(word) <= LONGEST for word, *_ in facts["unknown_words"] + facts["split_words"])
