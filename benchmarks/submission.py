"""A Boostcamp submission scored as the competition scores it: micro-F1 without no_relation, AUPRC over all labels.

    python -m engine.repeat --seeds 1 2 3 -- --config configs/boostcamp.yaml --data.train train.csv --run.name three ...
    python -m engine.predict runs/three/runs/* --input test_data.csv --output submission.csv --format boostcamp
    python benchmarks/submission.py submission.csv --test test_data.csv --dev klue-re-v1.1_dev.json

The competition hides the labels of test_data.csv, but its rows are KLUE-RE's dev set in another order: each is found
there by its sentence and entities. Nothing of this project's readers, writers or metrics is used. Several submissions
may be given: the first is the one that matters, the others (its runs one by one) stand beside it. With --write the
scores go to benchmarks/results/submission.json.
"""

import argparse
import ast
import csv
import json
from pathlib import Path

import numpy as np
from sklearn.metrics import auc, f1_score, precision_recall_curve

RESULTS = Path(__file__).resolve().parent / "results" / "submission.json"
# dict_label_to_num.pkl of the competition, by number: the order of `probs`
ORDER = [
    "no_relation", "org:top_members/employees", "org:members", "org:product", "per:title", "org:alternate_names",
    "per:employee_of", "org:place_of_headquarters", "per:product", "org:number_of_employees/members", "per:children",
    "per:place_of_residence", "per:alternate_names", "per:other_family", "per:colleagues", "per:origin",
    "per:siblings", "per:spouse", "org:founded", "org:political/religious_affiliation", "org:member_of",
    "per:parents", "org:dissolved", "per:schools_attended", "per:date_of_death", "per:date_of_birth",
    "per:place_of_birth", "per:place_of_death", "org:founded_by", "per:religion",
]  # fmt: skip


def key(sentence: str, *entities: dict) -> tuple:
    return (sentence, *((entity["word"], int(entity["start_idx"]), int(entity["end_idx"])) for entity in entities))


def answers(test: Path, dev: Path) -> dict[str, str]:
    """id -> true label, in the order of the test file. Raises ValueError for a row that dev does not hold once."""
    labels: dict[tuple, str] = {}
    for row in json.loads(dev.read_text(encoding="utf-8")):
        place = key(row["sentence"], row["subject_entity"], row["object_entity"])
        if place in labels:
            raise ValueError(f"{dev} holds {place} twice")
        labels[place] = row["label"]
    found = {}
    with test.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            place = key(row["sentence"], *(ast.literal_eval(row[name]) for name in ("subject_entity", "object_entity")))
            if place not in labels:
                raise ValueError(f"{test}, id {row['id']}: not in {dev}")
            found[row["id"]] = labels[place]
    return found


def scores(submission: Path, gold: dict[str, str]) -> dict[str, float]:
    """Raises ValueError where it is no submission of these rows."""
    with submission.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if [row["id"] for row in rows] != list(gold):
        raise ValueError(f"{submission}: ids or their order are not those of the test file")
    probabilities = np.array([ast.literal_eval(row["probs"]) for row in rows])  # (N, 30)
    if probabilities.shape[1] != len(ORDER) or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-5:
        raise ValueError(f"{submission}: expected {len(ORDER)} probabilities a row that sum to 1")
    predicted = [row["pred_label"] for row in rows]
    if predicted != [ORDER[number] for number in probabilities.argmax(axis=1)]:
        raise ValueError(f"{submission}: pred_label is not the label of the highest probability")
    true = list(gold.values())
    hot = np.array(true)[:, None] == np.array(ORDER)  # (N, 30)
    curves = [precision_recall_curve(hot[:, number], probabilities[:, number]) for number in range(len(ORDER))]
    return {
        "micro_f1": 100 * f1_score(true, predicted, labels=ORDER[1:], average="micro"),
        "auprc": 100 * float(np.mean([auc(recall, precision) for precision, recall, _ in curves])),
        "accuracy": 100 * float(np.mean(np.array(true) == np.array(predicted))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", type=Path, nargs="+")
    parser.add_argument("--test", type=Path, required=True, help="test_data.csv")
    parser.add_argument("--dev", type=Path, required=True, help="klue-re-v1.1_dev.json")
    parser.add_argument("--write", action="store_true", help=f"to {RESULTS.name}")
    given = parser.parse_args()
    gold = answers(given.test, given.dev)
    found = {path.stem: scores(path, gold) for path in given.submissions}
    for name, values in found.items():  # names last: they may be Korean, whose letters take two columns
        print("  ".join(f"{score} {value:8.4f}" for score, value in values.items()) + f"  {name}")
    if given.write:
        RESULTS.write_text(json.dumps({"rows": len(gold), "submissions": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
