"""eval.metric semeval: the official scorer's number, and label sets that it does not fit."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scores.metrics import directed_relations, headline, semeval_f1
from engine.scores.scored import Scored

RELATIONS = (
    "Cause-Effect", "Component-Whole", "Content-Container", "Entity-Destination", "Entity-Origin",
    "Instrument-Agency", "Member-Collection", "Message-Topic", "Product-Producer",
)  # fmt: skip
NAMES = sorted(["Other", *(f"{relation}({way})" for relation in RELATIONS for way in ("e1,e2", "e2,e1"))])
OTHER = NAMES.index("Other")


def official(gold: list[str], proposed: list[str]) -> float:
    """The steps of semeval2010_task8_scorer-v1.2.pl, (9+1)-way evaluation with directionality, on label names."""
    matrix, columns, rows = Counter(), Counter(), Counter()
    for answer, said in zip(gold, proposed, strict=True):
        plain_said, plain_answer = (re.sub(r"\(e[12],e[12]\)$", "", label) for label in (said, answer))
        rows[plain_answer] += 1
        if said != answer and plain_said == plain_answer:
            plain_said = "WRONG_DIR"
        matrix[plain_said, plain_answer] += 1
        columns[plain_said] += 1
    total = 0.0
    for relation in set(rows) - {"Other"}:
        right = matrix[relation, relation]
        proposed_times = columns[relation]
        precision = 100.0 * right / (proposed_times + matrix["WRONG_DIR", relation]) if proposed_times else 0
        recall = 100.0 * right / rows[relation]
        total += 2 * precision * recall / (precision + recall) if precision + recall else 0
    return total / len(set(rows) - {"Other"})


def score(gold: list[str], proposed: list[str]) -> float:
    labels, predicted = ([NAMES.index(name) for name in names] for names in (gold, proposed))
    return semeval_f1(np.array(labels), np.array(predicted), directed_relations(NAMES, OTHER))


CE, CE2, PP = "Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Product-Producer(e1,e2)"
CASES = {
    "all right": ([CE, CE2, PP, "Other"], [CE, CE2, PP, "Other"], 100),
    "both directions make one relation": ([CE, CE2], [CE, "Other"], 200 * 1 / 3),
    "the wrong direction costs precision and recall": ([CE, CE], [CE, CE2], 50),
    "only wrong directions": ([CE, CE2], [CE2, CE], 0),
    "Other is no relation, but what is taken from it is wrong": ([CE, "Other", "Other"], [CE, CE2, "Other"], 200 / 3),
    "right Others count for nothing": ([CE, PP, *["Other"] * 9], [CE, "Other", *["Other"] * 9], 50),
    "the mean is over the relations of the answers": ([CE, CE], [CE, PP], 200 / 3),
    "a relation never predicted is 0": ([CE, PP], [CE, CE], (200 / 3 + 0) / 2),
}  # fmt: skip


@pytest.mark.parametrize("gold, proposed, expected", CASES.values(), ids=CASES)
def test_by_hand(gold, proposed, expected):
    assert score(gold, proposed) == pytest.approx(expected, abs=1e-12)
    assert official(gold, proposed) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=60))
def test_equals_the_official_scorer(pairs):
    gold, proposed = (list(side) for side in zip(*pairs, strict=True))
    if set(gold) == {"Other"}:  # the official scorer divides by zero
        assert score(gold, proposed) == 0
        return
    assert score(gold, proposed) == pytest.approx(official(gold, proposed), abs=1e-9)


def test_is_neither_the_mean_over_labels_nor_blind_to_direction():
    random = np.random.default_rng(0)
    gold = random.integers(0, 19, 3000)
    gold = np.where(random.random(3000) < 0.5, 1, gold)  # one label is half of all
    proposed = np.where(random.random(3000) < 0.6, gold, random.integers(0, 19, 3000))
    probabilities = np.eye(19)[proposed]
    scores = headline(Scored(gold, probabilities, OTHER, NAMES))
    assert scores["semeval"] == pytest.approx(
        official([NAMES[g] for g in gold], [NAMES[p] for p in proposed]), abs=1e-9
    )
    assert abs(scores["semeval"] - scores["macro_f1"]) > 0.1
    assert abs(scores["semeval"] - scores["micro_f1"]) > 0.01


def test_order_of_the_labels_does_not_matter():
    random = np.random.default_rng(1)
    gold, proposed = random.integers(0, 19, (2, 400))
    order = random.permutation(19)  # class c becomes class order[c]
    names = [""] * 19
    for number, name in enumerate(NAMES):
        names[order[number]] = name
    other = semeval_f1(order[gold], order[proposed], directed_relations(names, names.index("Other")))
    assert other == pytest.approx(semeval_f1(gold, proposed, directed_relations(NAMES, OTHER)), abs=1e-9)


NOT_DIRECTED = {
    "KLUE": (["no_relation", "org:founded"], 0),
    "Other not named as negative": (NAMES, None),
    "another negative": (NAMES, 0),
    "two without direction": ([*NAMES, "x"], OTHER),
    "direction of other entities": (["Other", "a(e1,e2)", "a(e1,e3)"], 0),
    "no name before it": (["Other", "(e1,e2)"], 0),
    "one label": (["a(e1,e2)"], None),
}


@pytest.mark.parametrize("names, negative", NOT_DIRECTED.values(), ids=NOT_DIRECTED)
def test_other_label_sets_have_no_such_score(names, negative):
    assert directed_relations(names, negative) is None
    labels = np.arange(len(names))
    assert "semeval" not in headline(Scored(labels, np.eye(len(names)), negative, names))


def test_labels_need_no_other():
    names = ["a(e1,e2)", "a(e2,e1)", "b(e2,e1)"]
    assert directed_relations(names, None).tolist() == [0, 0, 1]
    assert headline(Scored(np.arange(3), np.eye(3), None, names))["semeval"] == 100
