"""Label Studio's exports: JSON and JSON-MIN, with relations between labelled regions of a text, or choices.

    [{"id": 1, "data": {"text": ".."}, "annotations": [{"result": [
        {"id": "a", "type": "labels", "value": {"start": 0, "end": 4, "text": "Daon", "labels": ["ORG"]}, ..}, ..,
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["founded_by"]}]}]}]
    [{"id": 1, "text": "..", "sentiment": "good", "annotation_id": 3, ..}]                    (JSON-MIN)

Direction left turns a relation round, bi makes a row each way. `data.columns.text` is a key of `data`,
`data.columns.label` the name of the choices (`from_name`). A task may have several annotations: see `agreed`. Skipped
(cancelled) ones are left out, and so are predictions, which are a model's and no labels; both are told. Where no
annotation of the file has a relation, as in JSON-MIN, nobody looked for any.
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from data.messages import listed, shown
from data.readers.documents import pairs
from data.readers.documents.pairs import Passage, PlacedError, Row, pair_rows, passage_rows, relation_rows
from data.readers.documents.records import collected, documents, from_python, identity, only_label, place_of
from data.readers.documents.studio_tasks import (
    Kinds,
    as_tasks,
    check_export,
    choices_of,
    is_min,
    kept,
    kinds_of,
    regions_of,
    text_of_task,
)
from data.readers.options import DEFAULT, ReaderOptions
from data.schema import Span

__all__ = ["example", "from_python", "label", "place", "rows"]

READS = ("columns.id", "columns.text", "columns.label", "negatives")
LABEL = "choices"
CANCELLED = "task(s) whose annotations were all skipped (was_cancelled)"
PREDICTED = "task(s) with predictions of a model only, which are no labels"
NOTHING = "task(s) that nobody annotated"
SOME = "entity or entities that only some annotations of a task have"
SKIPPED = "skipped annotation(s) (was_cancelled) beside others"
example, label = pairs.example, pairs.label


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | PlacedError]:
    """The rows of the file `name`. Raises ValueError where it cannot be read as a whole, or makes no row."""
    found = documents(raw, name, "tasks")
    check_export(found, name)
    tasks = as_tasks(found, options)
    kinds = kinds_of([task for *_, task in tasks], name, options)
    if kinds.regions and not kinds.related and any(is_min(one) for *_, one in found):
        warnings.warn(f"{name}: JSON-MIN keeps no relations, so that rows have no labels; export as JSON", stacklevel=2)
    return collected(tasks, name, partial(task_rows, options, kinds), Counter(kinds.others))


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return place_of(rows, raw, name, number, options)


def task_rows(
    options: ReaderOptions, kinds: Kinds, number: int, where: str, task: dict, counts: Counter
) -> Iterator[Row | PlacedError]:
    id, notes = identity(task, number, options, ("id",))
    text = text_of_task(task, options)
    annotations, skipped, more = kept(task)
    notes = (*notes, *more)
    if not annotations and not kinds.annotated:  # a file of texts that are to be annotated
        yield Row(id, text, None, None, None, where, notes)
        return
    if not annotations:
        counts[CANCELLED if skipped else PREDICTED if task.get("predictions") else NOTHING] += 1
        return
    counts[SKIPPED] += skipped
    if kinds.choices:
        yield chosen(Row(id, text, None, None, None, where, notes), [choices_of(one, kinds) for one in annotations])
        return
    passages = [regions_of(one, Passage(id, text, where, {}, None, notes), kinds.related) for one in annotations]
    if len(passages) == 1:
        yield from passage_rows(passages[0], options, counts)
    else:
        yield from agreed(passages, options, counts)


def chosen(row: Row, choices: list[list[str]]) -> Row:
    """The row with the class that all annotations chose. Raises ValueError where they differ, or chose several."""
    if len(different := {tuple(sorted(one)) for one in choices}) > 1:
        answers = listed([" and ".join(one) or "nothing" for one in sorted(different)])
        raise ValueError(f"its {len(choices)} annotations disagree: {answers}; mark one as ground truth")
    notes = (*row.notes, f"{len(choices)} annotations agree") if len(choices) > 1 else row.notes
    return row._replace(label=only_label(choices[0], "choices"), notes=notes)


def agreed(passages: list[Passage], options: ReaderOptions, counts: Counter) -> Iterator[Row | PlacedError]:
    """The relations that all annotations of a task have, rows; each of the others, a bad row. Pairs without one are of
    entities that all have."""
    found: dict[tuple, list[Row | PlacedError]] = {}
    total = len(passages)
    for passage in passages:
        own = {key_of(row): row for row in relation_rows(passage, passage.relations or ())}
        for key, row in own.items():
            found.setdefault(key, []).append(row)
    for number, each in enumerate(found.values()):
        row = each[0]
        if isinstance(row, PlacedError):
            yield row
        elif len(each) == total:
            notes = (*row.notes, f"{total} annotations agree")
            yield row._replace(id=f"{passages[0].id}:{number}", notes=notes)
        else:
            pair = f"{shown(row.subject.text, 30)} and {shown(row.object.text, 30)}"
            words = f"{listed([row.label or str(None)])} between {pair}"
            reason = f"{len(each)} of {total} annotations have {words}; mark one annotation as ground truth"
            yield PlacedError(reason, row.where, row.label)
    first, *others = ({bounds(one): one for one in spans(passage)} for passage in passages)
    shared = {key: one for key, one in first.items() if all(key in other for other in others)}
    together = replace(passages[0], entities=shared)
    taken = {(bounds(row.subject), bounds(row.object)) for each in found.values() for row in each if is_row(row)}
    if together.relations is None or options.negatives is not None:
        kind = None if together.relations is None else options.negatives
        counts[SOME] += len({bounds(one) for passage in passages for one in spans(passage)}) - len(shared)
        yield from pair_rows(together, taken, kind, counts)
    elif not found:
        counts[pairs.WITHOUT] += 1


def is_row(row: Row | PlacedError) -> bool:
    return isinstance(row, Row)


def key_of(row: Row | PlacedError) -> tuple:
    """What makes two annotators' relations the same: both places and the label."""
    return (str(row),) if isinstance(row, PlacedError) else (bounds(row.subject), bounds(row.object), row.label)


def bounds(span: Span) -> str:
    return f"{span.start}-{span.end}"


def spans(passage: Passage) -> list[Span]:
    return [one for one in passage.entities.values() if isinstance(one, Span)]
