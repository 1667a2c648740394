"""Repeated rows by hand, by counting, and in the competition's file."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SHARED_DATA
from data.duplicates import file_keys, repeats, triple_key
from data.readers.source import open_source
from data.schema import Example, Span

REAL = SHARED_DATA / "boostcamp-re" / "train.csv"


def row(subject: tuple[int, int] = (0, 2), text: str = "마루는 나래의 형이고 마루의 벗이다", **more) -> Example:
    start, end = subject
    spans = {"subject": Span(start, end, text[start:end], "PER"), "object": Span(4, 6, "나래", "PER")}
    return Example(**{"id": "1", "text": text} | spans | more)


def test_text_and_both_places_make_the_triple_and_types_and_labels_do_not():
    same = Example(id="2", text=row().text, subject=Span(0, 2, "마루", "ORG"), object=row().object, label="x")
    assert triple_key(row()) == triple_key(same)
    swapped = Example(id="3", text=row().text, subject=row().object, object=row().subject)
    others = [row((12, 14)), swapped, row(text="마루는 나래의 형이고 마루의 벗이다."), row(text_pair="또")]
    assert row((12, 14)).subject.text == "마루"  # the same word at another place
    assert len({triple_key(example) for example in [row(), *others]}) == 5


def test_by_hand():
    """Triple a: 0 0 1 0; b: 2 2; c: 3; d: 0 1. The first of each stays under drop_exact, b and c under the other."""
    keys = np.array([[0, 7], [1, 7], [0, 7], [2, 7], [0, 7], [1, 7], [0, 7], [0, 8], [0, 8]], dtype=np.uint64)
    labels = np.array([0, 2, 0, 3, 1, 2, 0, 0, 1])
    found = repeats(keys, labels)
    assert np.flatnonzero(found.exact).tolist() == [2, 5, 6]
    assert np.flatnonzero(found.other_label).tolist() == [4, 8]
    assert np.flatnonzero(found.in_conflict).tolist() == [0, 2, 4, 6, 7, 8]
    assert found.kept("keep").all()
    assert np.flatnonzero(found.kept("drop_exact")).tolist() == [0, 1, 3, 4, 7, 8]
    assert np.flatnonzero(found.kept("drop_conflicting")).tolist() == [1, 3]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 2**63]), st.integers(0, 2)), min_size=1, max_size=40))
def test_what_stays_is_each_pair_once(rows):
    keys, labels = np.array([r[:2] for r in rows], dtype=np.uint64), np.array([r[2] for r in rows])
    found = repeats(keys, labels)
    kinds = {}
    for a, b, label in rows:
        kinds.setdefault((a, b), set()).add(label)
    stays = [rows[number] for number in np.flatnonzero(found.kept("drop_exact"))]
    assert stays == list(dict.fromkeys(rows))
    stays = [rows[number] for number in np.flatnonzero(found.kept("drop_conflicting"))]
    assert stays == [r for r in dict.fromkeys(rows) if len(kinds[r[:2]]) == 1]
    assert found.exact.sum() + found.other_label.sum() == sum(n - 1 for n in Counter(r[:2] for r in rows).values())


@pytest.mark.skipif(not REAL.is_file(), reason="the competition's train.csv is absent")
def test_the_real_file_has_42_exact_and_5_conflicting_repeats():
    source = open_source(str(REAL), "boostcamp", "train", "data.train")
    examples = [example for _, example in source.examples()]
    names = sorted({example.label for example in examples})
    found = repeats(file_keys(source, ()), np.array([names.index(example.label) for example in examples]))
    assert (int(found.exact.sum()), int(found.other_label.sum())) == (42, 5)
    conflicts = {examples[number].id for number in np.flatnonzero(found.in_conflict)}
    assert {"6749", "12829", "8364", "32299", "22258", "11511", "277", "3296", "4212", "25094"} <= conflicts
    assert int(found.kept("drop_exact").sum()) == len(examples) - 42
