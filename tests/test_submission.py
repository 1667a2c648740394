"""benchmarks/submission.py on files made by hand: it shares no code with the project, only the competition's order."""

import csv
import json
import sys

import pytest

from conftest import ROOT
from data.labels import BOOSTCAMP

sys.path.append(str(ROOT / "benchmarks"))

import submission

TRUE = ["per:title", "no_relation", "org:product", "org:product"]
ANSWERS = ["per:title", "per:title", "org:product", "no_relation"]  # 2 right, 1 of them wrong for no_relation, 1 missed


def entity(word: str, start: int) -> dict:
    return {"word": word, "start_idx": start, "end_idx": start, "type": "PER"}


@pytest.fixture
def files(tmp_path):
    """test_data.csv, KLUE's dev JSON in another order, a submission of ANSWERS, each with a probability of 0.9."""
    rows = [(f"{number} 가 나", entity("가", 2), entity("나", 4)) for number in range(len(TRUE))]
    with (tmp_path / "test.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "sentence", "subject_entity", "object_entity", "label"])
        writer.writerows([number, *map(str, row), 100] for number, row in enumerate(rows))
    dev = [
        {"sentence": text, "subject_entity": subject, "object_entity": object, "label": label}
        for (text, subject, object), label in zip(rows, TRUE, strict=True)
    ]
    (tmp_path / "dev.json").write_text(json.dumps(dev[::-1]), encoding="utf-8")
    with (tmp_path / "made.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "pred_label", "probs"])
        for number, answer in enumerate(ANSWERS):
            probabilities = [0.9 if label == answer else 0.1 / 29 for label in BOOSTCAMP]
            writer.writerow([number, answer, str(probabilities)])
    return tmp_path


def test_scores_of_a_submission(files):
    assert list(BOOSTCAMP) == submission.ORDER
    gold = submission.answers(files / "test.csv", files / "dev.json")
    assert list(gold.values()) == TRUE
    found = submission.scores(files / "made.csv", gold)
    assert found["accuracy"] == 50
    assert found["micro_f1"] == pytest.approx(100 * 2 * 2 / (2 * 2 + 1 + 1))


def test_what_is_no_submission_of_these_rows(files):
    gold = submission.answers(files / "test.csv", files / "dev.json")
    text = (files / "made.csv").read_text(encoding="utf-8")
    for wrong, message in (
        (text.replace("1,per:title", "1,no_relation"), "pred_label is not the label of the highest"),
        (text.replace("0.9", "0.8", 1), "that sum to 1"),
        ("\n".join(text.splitlines()[:-1]), "ids or their order"),
    ):
        (files / "wrong.csv").write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            submission.scores(files / "wrong.csv", gold)
    dev = json.loads((files / "dev.json").read_text(encoding="utf-8"))
    (files / "dev.json").write_text(json.dumps(dev[1:]), encoding="utf-8")
    with pytest.raises(ValueError, match="id 3: not in"):
        submission.answers(files / "test.csv", files / "dev.json")
