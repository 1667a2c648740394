"""Scores as they would be if the labels were distributed as in the target: importance weights of the dev rows.

KLUE-RE's train and dev sets hold the same kinds of sentences, but no_relation is 29 % of one and 60 % of the other, and
micro-F1 falls with it. A row weighs prior(label) / share of that label in the dev part (label shift; Saerens et al.
2002, Lipton et al. 2018 arXiv 1802.03916): what a model does with the rows of a label is measured, how many there are
of it is told.

Legend: N dev rows, C labels.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from data.messages import listed

NONE, UNIFORM = "none", "uniform"

# rows of each label in klue-re-v1.1_dev.json (github.com/KLUE-benchmark/KLUE, CC BY-SA 4.0), 7,765 in all
KLUE_DEV = {
    "no_relation": 4631, "org:dissolved": 11, "org:founded": 20, "org:place_of_headquarters": 194,
    "org:alternate_names": 78, "org:member_of": 104, "org:members": 122, "org:political/religious_affiliation": 13,
    "org:product": 235, "org:founded_by": 11, "org:top_members/employees": 513,
    "org:number_of_employees/members": 17, "per:date_of_birth": 12, "per:date_of_death": 13,
    "per:place_of_birth": 11, "per:place_of_death": 10, "per:place_of_residence": 124, "per:origin": 118,
    "per:employee_of": 242, "per:schools_attended": 11, "per:alternate_names": 104, "per:parents": 27,
    "per:children": 27, "per:siblings": 24, "per:spouse": 41, "per:other_family": 34, "per:colleagues": 220,
    "per:product": 67, "per:religion": 13, "per:title": 718,
}  # fmt: skip
PRIORS = {"klue_dev": KLUE_DEV}
NAMES = (NONE, UNIFORM, *PRIORS)  # every other name is a file's


def label_prior(name: str | dict[str, float], labels: list[str]) -> np.ndarray | None:
    """Shares (C,) of the labels in the target, summing to 1; None for `none`.

    `name`: as eval.label_prior has it, or the shares themselves. Raises ValueError where shares or counts do not cover
    the labels.
    """
    if name == NONE:
        return None
    if name == UNIFORM:
        return np.full(len(labels), 1 / len(labels))
    counts = name if isinstance(name, dict) else PRIORS.get(name) or read_prior(Path(name))
    place = "its file" if isinstance(name, dict) else name
    problems = []
    if unknown := [label for label in counts if label not in labels]:
        problems.append(f"labels that data.labels does not have: {listed(unknown)}")
    if missing := [label for label in labels if label not in counts]:
        problems.append(f"no share of {listed(missing)}")
    if wrong := [f"{label} {value!r}" for label, value in counts.items() if not is_share(value)]:
        problems.append(f"no shares or counts, which are 0 or more: {listed(wrong)}")
    elif not any(counts.values()):
        problems.append("all shares are 0")
    if problems:
        raise ValueError(f"eval.label_prior: {place} does not cover the {len(labels)} labels: {'; '.join(problems)}")
    shares = np.array([counts[label] for label in labels], dtype=np.float64)
    return shares / shares.max() / (shares / shares.max()).sum()


def prior_of(name: str | dict[str, float] | None, labels: list[str], gold: np.ndarray) -> np.ndarray | None:
    """`label_prior` for the labelled rows (N,) of a run that is finished: where its file is gone, or gives 0 to all of
    their labels, there is a warning and no prior; also a warning of labels without a row, see `check_prior`."""
    try:
        prior = label_prior(name or NONE, labels)
        if prior is not None:
            check_prior(prior, gold, labels, "labelled")
        return prior
    except ValueError as error:
        warnings.warn(f"{error}; scores ending in prior are left out", stacklevel=2)
        return None


def is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def read_prior(path: Path) -> dict:
    """The JSON object of a file. Raises ValueError where there is none."""
    wanted = f"none, uniform, {', '.join(PRIORS)} or a file with a JSON object (label: share or count)"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=once)
    except (FileNotFoundError, IsADirectoryError):
        raise ValueError(f"eval.label_prior: no file {str(path)!r}; expected {wanted}") from None
    except OSError as error:
        raise ValueError(f"eval.label_prior: cannot read {path} ({error.strerror or error})") from None
    except RecursionError:
        raise ValueError(f"eval.label_prior: {path} is nested too deeply; expected {wanted}") from None
    except ValueError as error:
        raise ValueError(f"eval.label_prior: {path} is no JSON object ({error}); expected {wanted}") from None
    if not isinstance(content, dict):
        raise ValueError(f"eval.label_prior: {path} holds a {type(content).__name__}, expected {wanted}")
    return content


def once(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a label stands there twice")
    return found


def row_weights(prior: np.ndarray | None, labels: np.ndarray) -> np.ndarray | None:
    """The weight (N,) of each row, 1 on average; None without a prior. Labels (N,) without a row leave their share to
    the others."""
    if prior is None:
        return None
    counts = np.bincount(labels, minlength=len(prior))
    each = np.divide(prior, counts, out=np.zeros(len(prior)), where=counts > 0)
    return each[labels] * (len(labels) / each[labels].sum())


def check_prior(prior: np.ndarray, labels: np.ndarray, names: list[str], rows: str = "dev") -> None:
    """Warns of labels that the target has and the rows lack, which the message calls `rows`. Raises ValueError where
    none is left."""
    there = np.bincount(labels, minlength=len(prior)) > 0
    if not prior[there].any():
        raise ValueError(f"eval.label_prior: every label of the {rows} rows has the share 0; expected one above 0")
    if absent := np.flatnonzero((prior > 0) & ~there).tolist():
        warnings.warn(
            f"eval.label_prior: no {rows} row of {listed([names[number] for number in absent])}; their share of "
            f"{100 * prior[~there].sum():.2g} % goes to the other labels",
            stacklevel=2,
        )


def prior_line(name: str, prior: np.ndarray | None, labels: np.ndarray) -> str:
    """What the summary says: so many rows of equal weight would measure as well (Kish's effective sample size)."""
    weights = row_weights(prior, labels)
    worth = weights.sum() ** 2 / np.square(weights).sum()
    return f"{'label prior':<12} {name}; weighted so, {len(labels):,} dev rows are worth {worth:,.0f}"
