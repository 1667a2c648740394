"""Label lists. The order is the meaning of a class number, so it is chosen by name and stored with the model."""

import json
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from data.messages import listed, shown
from data.readers.classes import PLACEHOLDER, WHOLE, in_order
from data.readers.source import Source
from data.schema import Example

# relation_list.json of KLUE-RE v1.1
KLUE = (
    "no_relation", "org:dissolved", "org:founded", "org:place_of_headquarters", "org:alternate_names",
    "org:member_of", "org:members", "org:political/religious_affiliation", "org:product", "org:founded_by",
    "org:top_members/employees", "org:number_of_employees/members", "per:date_of_birth", "per:date_of_death",
    "per:place_of_birth", "per:place_of_death", "per:place_of_residence", "per:origin", "per:employee_of",
    "per:schools_attended", "per:alternate_names", "per:parents", "per:children", "per:siblings", "per:spouse",
    "per:other_family", "per:colleagues", "per:product", "per:religion", "per:title",
)  # fmt: skip

# dict_label_to_num.pkl of the Boostcamp competition: the same names, another order (only 0 and 21 agree)
BOOSTCAMP = (
    "no_relation", "org:top_members/employees", "org:members", "org:product", "per:title", "org:alternate_names",
    "per:employee_of", "org:place_of_headquarters", "per:product", "org:number_of_employees/members", "per:children",
    "per:place_of_residence", "per:alternate_names", "per:other_family", "per:colleagues", "per:origin",
    "per:siblings", "per:spouse", "org:founded", "org:political/religious_affiliation", "org:member_of",
    "per:parents", "org:dissolved", "per:schools_attended", "per:date_of_death", "per:date_of_birth",
    "per:place_of_birth", "per:place_of_death", "org:founded_by", "per:religion",
)  # fmt: skip

LABELS: dict[str, tuple[str, ...]] = {"klue": KLUE, "boostcamp": BOOSTCAMP}
LEARNED = "learned"  # data.labels: those of the training rows


def learned_labels(source: Source, on_bad_row: str) -> list[str]:
    """The different labels of the rows of `source`: whole numbers by value, others sorted by code point.

    Raises ValueError for a bad row (`on_bad_row` "error"), or where they make no label set.
    """
    counts: Counter[str] = Counter()
    bad, first, texts = "", None, 0
    for number, example in source.examples():
        if isinstance(example, ValueError):
            bad = bad or f"{source.where(number)}: {example}"
            if on_bad_row == "error":
                raise ValueError(bad)
        elif example.label is not None:
            counts[example.label] += 1
            first, texts = first or example, texts + len(example.text)
    if PLACEHOLDER in counts and source.has_placeholder and not all(map(WHOLE.fullmatch, counts)):
        del counts[PLACEHOLDER]  # no number among names
    if len(counts) < 2:
        raise ValueError(
            f"data.labels: learned finds {listed([*counts])} in {source.name}, expected two labels or more"
            + (f"; the first bad row: {bad}" if bad else f"{source.label_hint}{names_in(source)}")
        )
    if len(counts) > max(50, counts.total() / 2):
        raise ValueError(
            f"data.labels: learned finds {len(counts):,} different labels in {counts.total():,} rows of {source.name}, "
            f"such as {shown(next(iter(counts)))}{source.label_hint or '; a label is a class, not a text of its own'}"
        )
    for line in turned_columns(counts, texts) + ([] if source.has_header else header_row(counts, first)):
        warnings.warn(line + source.label_hint, stacklevel=3)
    return in_order([*counts])


def names_in(source: Source) -> str:
    """The names that the first row of a file has, to be put after a message; or nothing."""
    _, row = next(source.rows())
    while not isinstance(row, Mapping) and hasattr(row, "values"):
        row = row.values
    return f"; found {listed([*row])}" if isinstance(row, Mapping) else ""


def turned_columns(counts: Counter[str], texts: int) -> list[str]:
    """A line where labels are longer than texts and most occur once; `texts`: characters of all texts."""
    labels = sum(len(label) * times for label, times in counts.items())
    if 2 * len(counts) <= counts.total() or labels <= texts:
        return []
    return [
        f"data.labels: the labels are longer than the texts ({labels:,} characters against {texts:,}): are "
        "data.columns.text and data.columns.label the other way round?"
    ]


def header_row(counts: Counter[str], first: Example) -> list[str]:
    """A line where the first row looks like a header: two names without a blank, and a label that no other row has."""
    if len(first.text.split()) > 1 or len(first.label.split()) > 1 or counts[first.label] > 1 or first.entities():
        return []
    if counts.total() - len(counts) < len(counts) or not first.label.isascii():  # a label in two is no rare one
        return []
    return [
        f"data.labels: {shown(first.label)} is the label of the first row alone, whose text is {shown(first.text)}: if "
        "that is a header, data.header true reads it as one"
    ]


def label_list(name: str) -> list[str]:
    """The labels called `name` ("klue", "boostcamp"), or those of a file: a JSON list, a JSON object of labels with
    numbers from 0, or one label a line."""
    if name in LABELS:
        return list(LABELS[name])
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"data.labels: {name!r} is neither one of {', '.join(LABELS)}, {LEARNED} nor a file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"data.labels: cannot read {name} ({error})") from None
    if text.lstrip().startswith(("[", "{")):
        try:
            labels = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"data.labels: {name} is no JSON list ({error})") from None
        if isinstance(labels, dict):
            labels = by_number(labels, name)
    else:
        labels = [line.strip() for line in text.splitlines() if line.strip()]
    labels = [label.strip() if isinstance(label, str) else label for label in labels]
    if (
        not all(isinstance(label, str) and label for label in labels)
        or len(set(labels)) != len(labels)
        or len(labels) < 2
    ):
        raise ValueError(f"data.labels: {name} must list at least two different names, found {labels!r:.200}")
    return labels


def by_number(numbers: dict, name: str) -> list[str]:
    """The keys in the order of their numbers."""
    if sorted(number for number in numbers.values() if type(number) is int) != list(range(len(numbers))):
        raise ValueError(
            f"data.labels: {name} must number its labels from 0 to {len(numbers) - 1}, found {str(numbers)[:200]}"
        )
    return sorted(numbers, key=numbers.get)


def negative_number(name: str | None, labels: list[str]) -> int | None:
    """The number of the class `name`, None where there is none. Raises ValueError; warns where null may be meant as a
    name: YAML reads NULL, Null and ~ without quotes as nothing."""
    if name is None and (alike := [label for label in labels if label.lower() in ("null", "~")]):
        warnings.warn(
            f"data.negative_label: null is no class, but there is one called {alike[0]!r}; if that is meant, write "
            f'"{alike[0]}" in quotes in the configuration file',
            stacklevel=2,
        )
    if name is not None and name not in labels:
        raise ValueError(
            f"data.negative_label: {name!r} is none of the labels {', '.join(labels)[:1000]}; null = no such class"
        )
    return None if name is None else labels.index(name)
