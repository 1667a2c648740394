"""All 40,235 labelled rows of KLUE-RE, through three tokenizers: no entity is ever lost or moved.

typed_punct is checked on every row with KLUE's own tokenizer, with the other two on every eighth row and on all whose
entities are special: see `unusual`. Every eighth is checked once more through the tokenizer's own character map.
entity_punct, none and short windows, which encode the same sentences again, are checked on every eighth row; the counts
below are of exactly those rows.
"""

import csv
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from data.encode import Encoder, EncodingOptions
from data.labels import KLUE
from data.markers import mark
from data.readers.classes import Classes
from data.readers.source import open_source
from data.schema import Example
from engine.plan import Plan
from models.tokens import load_tokenizer

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
TRAIN = SHARED / "boostcamp-re" / "train.csv"
DEV = SHARED / "klue-re" / "klue-re-v1.1_dev.json"
TOKENIZERS = ["klue-roberta-base", "roberta-base", "kobigbird"]
EIGHTH = slice(None, None, 8)
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not (TRAIN.is_file() and DEV.is_file()), reason="../shared/data is absent"),
]


@cache
def examples(path: Path) -> list[Example]:
    source = open_source(str(path), "auto", "train", "data.train")
    found = [one for _, one in replace(source, classes=Classes(KLUE)).examples()]
    assert not [one for one in found if isinstance(one, ValueError)]
    return found


def everything() -> list[Example]:
    return examples(TRAIN) + examples(DEV)


@cache
def tokenizer(name: str):
    folder = SHARED / "tokenizers" / name
    if not folder.is_dir():
        pytest.skip(f"../shared/data/tokenizers/{name} is absent")
    return load_tokenizer(str(folder))


def encode(name: str, rows: list[Example], **options) -> list:
    encoder = Encoder(tokenizer(name), EncodingOptions(**options))
    return [result for start in range(0, len(rows), 1000) for result in encoder.encode(rows[start : start + 1000])]


def covered(name: str, rows: list[Example], encoded: list, marker: str):
    """(row, role, characters that the first and the last token of the entity cover, where the stripped entity stands,
    marked text).

    The characters come from the tokenizer's own map over the marked text with special tokens, not from the encoder.
    """
    for start in range(0, len(rows), 1000):
        marked = [mark(one, marker) for one in rows[start : start + 1000]]
        batch = tokenizer(name)([one.text for one in marked])
        for n, one in enumerate(marked):
            result = encoded[start + n]
            assert result.tokens.tolist() == batch["input_ids"][n]
            for role in (0, 1):
                first, last = result.spans[role, 2].tolist()
                ends = tuple(batch.token_to_chars(n, first)), tuple(batch.token_to_chars(n, last - 1))
                yield start + n, role, ends, one.spans[role][2], one.text


def unusual(one: Example) -> bool:
    """Whether a tokenizer may stumble over an entity: it is more than Hangul, ASCII letters and digits with single
    blanks between them, or the other one follows without any character between, or the sentence is long."""
    first, second = sorted((one.subject, one.object), key=lambda span: span.start)
    plain = all(re.fullmatch(r"[가-힣A-Za-z0-9]+( [가-힣A-Za-z0-9]+)*", span.text) for span in (first, second))
    return not plain or first.end == second.start or len(one.text) > 300


def test_rows_and_labels():
    train, dev = examples(TRAIN), examples(DEV)
    assert (len(train), len(dev)) == (32_470, 7_765)
    assert {one.label for one in train} == {one.label for one in dev} == set(KLUE)
    assert [sum(one.label == "no_relation" for one in part) for part in (train, dev)] == [9_534, 4_631]
    assert [one.id for one in train] == [str(n) for n in range(32_470)]
    assert len({one.id for one in dev}) == 7_765


def test_spans_hold_their_words_and_one_has_an_outer_blank():
    found = []
    for one in everything():
        for role, span in one.entities():
            assert one.text[span.start : span.end] == span.text
            if span.text != span.text.strip():
                found.append((one.id, role))
    assert len(everything()) == 40_235
    assert len(found) == 1
    assert found[0][0] == "26179"


def test_rows_with_an_apostrophe_in_an_entity():
    """repr writes these in double quotes; readers that replace ' by \" lose them."""
    with TRAIN.open(encoding="utf-8", newline="") as file:
        written = {fields["id"]: (fields["subject_entity"], fields["object_entity"]) for fields in csv.DictReader(file)}
    rows = [one for one in examples(TRAIN) if any("'" in span.text for _, span in one.entities())]
    assert len(rows) == 26
    for one in rows:
        for text, (_, span) in zip(written[one.id], one.entities(), strict=True):
            assert text.startswith(f"{{'word': {span.text!r}, 'start_idx': {span.start}, 'end_idx': {span.end - 1}, ")
            assert ("'" in span.text) == text.startswith("{'word': \"")


def test_unlabelled_test_file_is_the_dev_file_in_another_order():
    rows = examples(SHARED / "boostcamp-re" / "test_data.csv")
    assert len(rows) == 7_765
    assert {one.label for one in rows} == {None}

    def key(one):
        return one.text, one.subject, one.object

    assert sorted(map(key, rows), key=repr) == sorted(map(key, examples(DEV)), key=repr)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_typed_punct_covers_every_entity_exactly(name):
    own = name == "klue-roberta-base"
    chosen = [(n, one) for n, one in enumerate(everything()) if own or n % 8 == 0 or unusual(one)]
    rows = [one for _, one in chosen]
    assert len(rows) == (40_235 if own else 6_267)
    encoded = encode(name, rows, marker="typed_punct", max_length=4096)
    assert len(encoded) == len(rows)
    assert not [result for result in encoded if isinstance(result, ValueError)]
    assert sum(result.wide for result in encoded) == 0
    assert sum(result.cut for result in encoded) == 0
    spans = np.stack([result.spans for result in encoded])
    assert (spans >= 1).all()
    whole, kind, inner = spans[:, :, 0], spans[:, :, 1], spans[:, :, 2]
    assert (whole[..., 0] < kind[..., 0]).all()
    assert (kind[..., 1] < inner[..., 0]).all()
    assert (inner[..., 0] < inner[..., 1]).all()
    assert (inner[..., 1] < whole[..., 1]).all()
    checked = exact = 0
    eighth = [place for place, (n, _) in enumerate(chosen) if n % 8 == 0]
    rows, some = [rows[place] for place in eighth], [encoded[place] for place in eighth]
    for row, role, ((begin, _), (_, end)), want, text in covered(name, rows, some, "typed_punct"):
        checked += 1
        exact += (begin, end) == want and text[begin:end] == (rows[row].subject, rows[row].object)[role].text.strip()
    assert (checked, exact) == (10_060, 10_060)
    if own:
        lengths = np.array([len(result.tokens) for result in encoded[:32_470]])
        _, padding = Plan(lengths, seed=42, batch_size=32).account()
        in_order_of_chance = np.random.default_rng(0).permutation(lengths)[: 1014 * 32].reshape(-1, 32)
        assert padding == pytest.approx(0.028, abs=0.002)
        _, padding = Plan(lengths, seed=42, batch_size=32, micro_batch_size=8).account()
        assert padding == pytest.approx(0.006, abs=0.001)
        assert 1 - in_order_of_chance.sum() / (32 * in_order_of_chance.max(axis=1)).sum() > 0.5


@pytest.mark.parametrize("name", TOKENIZERS)
def test_entity_punct_covers_every_entity_exactly(name):
    rows = everything()[EIGHTH]
    encoded = encode(name, rows, marker="entity_punct", max_length=4096)
    assert not [result for result in encoded if isinstance(result, ValueError)]
    assert sum(result.wide for result in encoded) == 0
    exact = [
        (begin, end) == want and text[begin:end] == (rows[row].subject, rows[row].object)[role].text.strip()
        for row, role, ((begin, _), (_, end)), want, text in covered(name, rows, encoded, "entity_punct")
    ]
    assert (len(exact), sum(exact)) == (10_060, 10_060)


# rows and entities of every eighth row whose tokens reach beyond an entity's own words
WIDE = {"klue-roberta-base": (122, 122), "roberta-base": (3, 3), "kobigbird": (109, 110)}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_without_markers_the_span_is_the_smallest_cover(name):
    rows = everything()[EIGHTH]
    encoded = encode(name, rows, marker="none", max_length=4096)
    assert not [result for result in encoded if isinstance(result, ValueError)]
    wide_rows, wide_entities = set(), 0
    for row, _, ((begin, first_end), (last_start, end)), (start, stop), text in covered(name, rows, encoded, "none"):
        assert text == rows[row].text
        assert begin <= start < stop <= end
        # the first and the last token both hold a character of the entity: no smaller run covers it
        assert first_end > start
        assert last_start < stop
        if (begin, end) != (start, stop):
            wide_rows.add(row)
            wide_entities += 1
    assert wide_rows == {row for row, result in enumerate(encoded) if result.wide}
    assert (len(wide_rows), wide_entities) == WIDE[name]


def test_windows_of_real_sentences_keep_both_entities():
    """Every eighth row in 24 tokens: where it does not fit, what is kept of the entities is what stood there."""
    name, rows = "klue-roberta-base", everything()[EIGHTH]
    whole = encode(name, rows, max_length=4096)
    windows = encode(name, rows, max_length=24)
    cut = refused = between = 0
    for full, part in zip(whole, windows, strict=True):
        spans = full.spans[:, 0]
        needed = int((spans[:, 1] - spans[:, 0]).sum())
        if isinstance(part, ValueError):
            refused += 1
            assert needed > 22
            assert "data.max_length 24 leaves room for 22" in str(part)
            continue
        assert needed <= 22
        assert len(part.tokens) == min(24, len(full.tokens))
        assert part.cut == (len(full.tokens) > 24)
        cut += part.cut
        for role in (0, 1):
            for n in (0, 1, 2):
                kept = part.tokens[slice(*part.spans[role, n])]
                assert np.array_equal(kept, full.tokens[slice(*full.spans[role, n])])
        if spans[:, 1].max() - spans[:, 0].min() <= 22:
            between += 1
            reach = [slice(one.spans[:, 0, 0].min(), one.spans[:, 0, 1].max()) for one in (full, part)]
            assert np.array_equal(full.tokens[reach[0]], part.tokens[reach[1]])
    assert (len(rows), cut, refused, between) == (5_030, 4_952, 70, 2_927)
