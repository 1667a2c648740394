"""Splits keep sentences whole and labels in their shares, as well as scikit-learn does, and lose no row."""

import csv
import struct
from hashlib import sha256
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from conftest import SHARED_DATA
from data.batch import collate
from data.sentences import sentence_key, shared
from data.splits import deal
from data.store.rows import Rows
from data.store.token_store import TokenStore

TRAIN = SHARED_DATA / "boostcamp-re" / "train.csv"


@given(st.integers(0, 999), st.integers(1, 200), st.integers(1, 6), st.integers(2, 7), st.floats(0.02, 0.98))
@settings(deadline=None, max_examples=60)
def test_every_row_is_in_one_part_and_no_sentence_in_two(seed, rows, classes, folds, share):
    random = np.random.default_rng(seed)
    labels, sentences = random.integers(0, classes, rows), random.integers(-50, 150, rows)
    for shares in ([1 / folds] * folds, [1 - share, share]):
        part = deal(labels, sentences, shares, seed)
        assert part.shape == (rows,)
        assert part.min() >= 0
        assert part.max() < len(shares)
        for sentence in np.unique(sentences):
            assert len(np.unique(part[sentences == sentence])) == 1
        assert (part == deal(labels, sentences, shares, seed)).all()


@given(st.integers(0, 999), st.integers(2, 8), st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=30)
def test_without_repeated_sentences_counts_are_exact_to_one_row(seed, folds, share):
    random = np.random.default_rng(seed)
    labels = random.choice(6, 150, p=[0.5, 0.3, 0.1, 0.06, 0.03, 0.01])
    for shares in ([1 / folds] * folds, [1 - share, share]):
        part = deal(labels, np.arange(150), shares, seed)
        for label in range(6):
            for number, wanted in enumerate(shares):
                assert abs(np.sum((labels == label) & (part == number)) - wanted * np.sum(labels == label)) < 1


@pytest.mark.parametrize("seed", range(4))
def test_as_near_to_the_shares_as_scikit_learn(seed):
    random = np.random.default_rng(seed)
    labels = random.choice(8, 600, p=np.array([40, 20, 12, 10, 8, 5, 3, 2]) / 100)
    sentences = random.integers(0, 350, 600)
    theirs = np.empty(600, dtype=int)
    for fold, (_, rows) in enumerate(StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(labels, labels, sentences)):  # fmt: skip  # noqa: E501
        theirs[rows] = fold

    def distance(part: np.ndarray) -> float:
        counts = np.array([np.bincount(labels[part == fold], minlength=8) for fold in range(5)])
        target = np.bincount(labels) / 5
        return float((np.square(counts - target) / target).sum())

    assert distance(deal(labels, sentences, [0.2] * 5, seed)) <= distance(theirs)


def test_labels_with_few_rows_do_not_pile_up_in_one_part():
    labels = np.arange(40) // 2  # 20 labels with two rows each, five parts
    part = deal(labels, np.arange(40), [0.2] * 5, 0)
    assert np.bincount(part).tolist() == [8] * 5


@pytest.mark.parametrize("seed", range(20))
def test_sentences_with_the_most_rows_are_dealt_first(seed):
    """Eight rows of one sentence and four sentences of two: dealt in another order, the eight come on top of some."""
    sentences = np.repeat(np.arange(5), [2, 2, 8, 2, 2])
    part = deal(np.zeros(16, dtype=int), sentences, [0.5, 0.5], seed)
    assert np.bincount(part).tolist() == [8, 8]


def test_another_seed_gives_another_split():
    labels = np.arange(100) % 2
    one, other = (deal(labels, np.arange(100), [0.8, 0.2], seed) for seed in (0, 1))
    assert (one != other).any()


def test_a_sentence_is_known_by_its_text_whatever_its_blanks_and_unicode_form():
    text = "가람은 나래의 형이다."
    key = sentence_key(text)
    assert key == sentence_key(" 가람은\t나래의  형이다.\n") == sentence_key(normalize("NFD", text))
    assert key != sentence_key(text[:-1])
    assert (key,) == struct.unpack("<q", sha256(text.encode()).digest()[:8])
    assert np.array([key], dtype=np.int64)[0] == key
    assert shared(np.array([1, 1, 2, 3]), np.array([3, 1, 4, 3])) == 2


def test_some_rows_of_a_store_are_batched_like_the_store_itself():
    lengths = np.array([3, 1, 4, 2, 5])
    store = TokenStore(
        tokens=np.arange(15),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        second=lengths,
        spans=np.tile([0, 1], (5, 2, 3, 1)),
        types=np.zeros((5, 2), dtype=np.int8),
        labels=np.array([0, 1, 2, 1, 0]),
        sentences=np.array([7, 8, 9, 7, 8]),
        id_bytes=np.frombuffer(b"abcde", dtype=np.uint8),
        id_offsets=np.arange(6),
        extra={"depth": np.arange(5) * 10, "each": np.arange(15) * 2},
        facts={},
    )
    part = Rows(store, np.array([1, 3, 4]))
    assert len(part) == 3
    assert part.lengths.tolist() == [1, 2, 5]
    assert part.labels.tolist() == [1, 1, 0]
    assert part.sentences.tolist() == [8, 7, 8]
    assert [part.id(row) for row in range(3)] == ["b", "d", "e"]
    batch, labels = collate(part, np.array([2, 0]))
    whole, gold = collate(store, np.array([4, 1]))
    assert batch.index.tolist() == [2, 0]  # where evaluation puts the rows
    assert labels.tolist() == gold.tolist() == [0, 1]
    for name in ("tokens", "positions", "offsets", "subject", "object", "roles"):
        assert (getattr(batch, name) == getattr(whole, name)).all(), name
    assert batch.extra["depth"].tolist() == [40, 10]
    assert batch.extra["each"].tolist() == whole.extra["each"].tolist()


@pytest.mark.real_data
@pytest.mark.skipif(not TRAIN.is_file(), reason=f"{TRAIN} is not here")
def test_folds_of_the_real_training_rows():
    with TRAIN.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows})
    labels = np.array([names.index(row["label"]) for row in rows])
    sentences = np.array([sentence_key(row["sentence"]) for row in rows])
    assert (len(rows), len(np.unique(sentences))) == (32470, 28803)
    part = deal(labels, sentences, [0.2] * 5, 42)
    for fold in range(5):
        assert shared(sentences[part == fold], sentences[part != fold]) == 0
        assert np.abs(np.bincount(labels[part == fold], minlength=30) - np.bincount(labels) / 5).max() < 1
    assert np.bincount(part).max() - np.bincount(part).min() <= 5
