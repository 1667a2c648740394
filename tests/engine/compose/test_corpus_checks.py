"""What an encoded corpus is checked for: the language of its tokenizer, and words that were added for nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.compose.corpus_checks import known_language, words_that_occur
from models.tokens import add_words, wordpiece_tokenizer


def store(unknown_pieces: int, pieces: int, characters: int, words: int = 1000, unknown: float = 0.0, lost: int = 0):
    counts = {
        "words": words, "characters": characters, "pieces": pieces, "unknown_pieces": unknown_pieces,
        "lost": lost,
        "unknown_words": [["있다", 40], ["및", 7]], "split_words": [["밝혔다.", 30, 9]],
    }  # fmt: skip
    return SimpleNamespace(facts={"tokens": 1000, "unknown": int(1000 * unknown), "words": counts})


@pytest.mark.parametrize(
    "counts",
    [
        (9, 2470, 3740),  # klue/roberta-base on KLUE-RE
        (33, 2100, 3740),  # koelectra v1, the most unknown of those that know Korean
        (80, 2500, 3740),
        (0, 4000, 3000),
        (0, 9000, 9000),  # a language that is written without blanks, a token a character
    ],
)
def test_a_tokenizer_of_the_language_is_silent(counts, recwarn):
    known_language("data.train", store(*counts))
    known_language("data.train", store(0, 0, 0, words=0))  # nothing but blanks
    known_language("data.train", store(*counts, lost=counts[2] // 1000))  # a stray character
    assert not list(recwarn)


def test_a_tokenizer_that_splits_everything_is_told_with_the_worst_words():
    with pytest.warns(UserWarning) as caught:  # noqa: PT030 (the whole message is compared)
        known_language("data.dev", store(0, 9540, 3740))  # roberta-base
    assert [str(one.message) for one in caught] == [
        "model.tokenizer: it hardly knows the language of data.dev: 0.0 unknown pieces in 100 words, 9.5 tokens a word"
        "; the worst: 밝혔다. (30 times 9 tokens)"
    ]


def test_a_tokenizer_with_many_unknown_words_is_told():
    with pytest.warns(
        UserWarning, match=r"8\.1 unknown pieces in 100 words, 2\.5 .* the worst: 있다 \(40\), 및 \(7\)$"
    ):
        known_language("data.train", store(81, 2500, 3740))


def test_a_tokenizer_that_knows_next_to_nothing_is_refused():
    known_language("data.train", store(0, 2500, 3740, unknown=0.5))
    with pytest.raises(ValueError, match=r"^model\.tokenizer: 50\.1 % of the tokens of data\.train .* 있다 \(40\), 및"):
        known_language("data.train", store(0, 2500, 3740, unknown=0.501))


def test_characters_that_no_token_covers_are_told():
    """Dropped characters are no unknown tokens, so that everything else looks well."""
    with pytest.warns(UserWarning, match=r"^model\.tokenizer: 4 characters of data\.dev \(0\.1 %\) are in none of its"):
        known_language("data.dev", store(0, 2500, 3740, lost=4))
    with pytest.raises(ValueError, match=r"^model\.tokenizer: 50\.1 % of the characters of data\.train are in none of"):
        known_language("data.train", store(0, 2500, 3740, lost=1872))


def test_words_that_no_row_holds_are_named(recwarn):
    tokenizer = wordpiece_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "가"])
    add_words(tokenizer, dict.fromkeys(["누리", "마당", "하늘"]))
    rows = SimpleNamespace(tokens=np.array([2, 5, tokenizer.convert_tokens_to_ids("마당"), 3], dtype=np.int32))
    words_that_occur(tokenizer, {}, rows)
    words_that_occur(tokenizer, ["마당", "가"], rows)
    assert not list(recwarn)
    with pytest.warns(UserWarning, match=r"^model\.added_tokens: no row of data\.train holds 누리, 하늘$"):
        words_that_occur(tokenizer, ["누리", "마당", "하늘"], rows)
