"""What can be scored on the bundled sample without reading who stands where: the scores that a model has to beat."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline, make_union

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from data import sample


def types(row: dict) -> str:
    return f"{row['subject_entity']['type']}-{row['object_entity']['type']}"


def entity_words(row: dict) -> str:
    """Both entity words with their types; character n-grams of it also see endings such as 대학교."""
    return " ".join(f"{role}={row[role]['type']} {row[role]['word']}" for role in ("subject_entity", "object_entity"))


def micro_f1(gold: list[str], predicted: list[str]) -> float:
    """KLUE-RE's micro F1 in percent: over all labels but no_relation."""
    labels = [label for label in sample.LABELS if label != "no_relation"]
    return 100 * f1_score(gold, predicted, labels=labels, average="micro", zero_division=0)


def baseline_scores() -> dict[str, float]:
    """dev micro F1 in percent without a look at who stands where.

    majority: every row gets the most frequent relation (the most frequent label, no_relation, would score 0).
    type_pair: the most frequent label of the two types. The others are logistic regressions: entity_words on the two
    entity words and their types, bag_of_words on the whole sentence, bag_of_words_and_types on sentence and types.
    """
    train, dev = sample.rows("train"), sample.rows("dev")
    labels, gold = [row["label"] for row in train], [row["label"] for row in dev]
    majority = Counter(label for label in labels if label != "no_relation").most_common(1)[0][0]
    by_types = {types(row): Counter() for row in train + dev}
    for row in train:
        by_types[types(row)][row["label"]] += 1
    commonest = {pair: max(counts, key=counts.get, default=majority) for pair, counts in by_types.items()}

    def regression(text: Callable[[dict], str]) -> float:
        bags = make_union(
            CountVectorizer(lowercase=False, token_pattern=r"\S+", ngram_range=(1, 2), binary=True),
            CountVectorizer(lowercase=False, analyzer="char_wb", ngram_range=(2, 3), binary=True, min_df=3),
        )
        model = make_pipeline(bags, LogisticRegression(max_iter=40, tol=0.01))
        model.fit([text(row) for row in train], labels)
        return micro_f1(gold, list(model.predict([text(row) for row in dev])))

    return {
        "majority": micro_f1(gold, [majority] * len(dev)),
        "type_pair": micro_f1(gold, [commonest[types(row)] for row in dev]),
        "entity_words": regression(entity_words),
        "bag_of_words": regression(lambda row: row["sentence"]),
        "bag_of_words_and_types": regression(lambda row: f"{types(row)} {row['sentence']}"),
    }


if __name__ == "__main__":
    print(json.dumps(baseline_scores()))
