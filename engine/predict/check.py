"""Which rows of a file can be predicted: looked at before anything is predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from data.alike import nearly
from data.reasons import skipped_facts, skipped_lines
from data.schema import Example

if TYPE_CHECKING:
    from data.readers.source import Source
    from engine.predict.predictor import Predictor

CHUNK = 10_000  # rows in memory at a time


@dataclass
class Checked:
    """`rows`: how many can be predicted; `bad`: [row number, reason] of the others; `notes`: rows of each of
    `Example.notes`; `lost` and `kept`: bad and good rows of each label."""

    rows: int = 0
    bad: list[list] = field(default_factory=list)
    notes: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)
    kept: Counter = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """What was left out and what readers did on their own, to be told."""
        facts = skipped_facts(self.bad, self.lost, self.kept, self.rows + len(self.bad))
        return [*skipped_lines(facts), *(f"{rows:,} rows: {note}" for note, rows in self.notes.most_common())]


def examples(source: Source, unlabelled: bool, without: Sequence[int] = ()) -> Iterator[tuple[int, Example]]:
    """The rows of a source besides those with the numbers `without`; ValueErrors for bad ones."""
    left_out = set(without)
    for number, example in source.examples():
        if number in left_out:
            continue
        if unlabelled and isinstance(example, Example):
            example = replace(example, label=None)
        yield number, example


def check_rows(source: Source, predictors: Sequence[Predictor], unlabelled: bool, skip: bool) -> Checked:
    """What can be predicted. Raises ValueError where a row cannot, unless `skip` leaves it out, or where none can."""
    checked = Checked()
    rows = examples(source, unlabelled)
    while part := list(islice(rows, CHUNK)):
        problems = {number: problem for number, one in part if (problem := problem_of(one, predictors)) is not None}
        if skip:  # else the rows are encoded once, when they are predicted
            good = [(number, one) for number, one in part if number not in problems]
            problems |= {number: reason for each in predictors for number, reason in each.unreadable(good, source)}
        for number, one in part:
            counts = checked.kept
            if number in problems:
                checked.bad.append([number, str(problems[number])])
                counts = checked.lost
            else:
                checked.rows += 1
                checked.notes.update(one.notes)
            counts.update([one.label] if getattr(one, "label", None) is not None else [])
    if checked.bad and (not skip or not checked.rows):
        raise ValueError(refusal(source, checked, skip))
    return checked


def problem_of(example: Example | ValueError, predictors: Sequence[Predictor]) -> ValueError | None:
    """What is wrong with a row before it is encoded."""
    if isinstance(example, ValueError):
        return example
    known = predictors[0].number_of
    if example.label is not None and example.label not in known:
        return ValueError(
            f"unknown label {example.label!r:.80}; the model has {', '.join(known)[:500]}"
            f"{nearly(example.label, [*known])}; --unlabelled leaves the labels of the file unread"
        )
    return next(filter(None, (predictor.problem(example) for predictor in predictors)), None)


def refusal(source: Source, checked: Checked, skip: bool) -> str:
    """The message about the first bad row, and how many others there are."""
    number, reason = checked.bad[0]
    others = len(checked.bad) - 1
    also = f"; {others:,} more of {checked.rows + others + 1:,} rows are bad" if others else ""
    kinds = "".join(f"; {line}" for line in checked.lines()[1:]) if others else ""
    advice = "" if skip else "; --on_bad_row skip leaves bad rows out and lists them"
    return f"{source.where(number)}: {reason}{also}{kinds}{advice}"
