"""A text with several entities and relations: a row for each relation.

A pair without a relation makes no row, unless `data.negatives` names the label of such rows; a text that nobody looked
through for relations makes a row without a label of each ordered pair, for prediction. Ids are `document:relation`, or
`document:entity>entity` for a pair. Entities that overlap make no pair: no row can hold them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

from data.messages import listed, shown
from data.readers.options import DEFAULT, ReaderOptions
from data.schema import Example, RowError, Span

SEVERAL = "several relations of one pair of entities, a row each"
WITHOUT = "text(s) without a relation; data.negatives makes rows of their pairs"
APART = "pair(s) of entities without a relation that overlap or do not fit their text"
UNREAD = "entity or entities that do not fit their text, and that no relation names"


class Row(NamedTuple):
    """What `example` makes an Example of; `where`: the line or document, for messages."""

    id: str
    text: str
    subject: Span | None
    object: Span | None
    label: str | None
    where: str
    notes: tuple[str, ...] = ()


class PlacedError(RowError):
    """What is wrong with a row, and where it stands."""

    def __init__(self, reason: str, where: str = "", label: str | None = None):
        super().__init__(reason, label)
        self.where = where


class Relation(NamedTuple):
    """`subject` and `object` are ids of entities; `label` may say what is wrong with it."""

    id: str
    subject: str
    object: str
    label: str | ValueError | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """A text that relations stand in. `entities`: id -> span, or what is wrong with it; `relations` None: nobody looked
    for any."""

    id: str
    text: str
    where: str
    entities: Mapping[str, Span | ValueError]
    relations: Sequence[Relation] | None
    notes: tuple[str, ...] = ()


def passage_rows(
    passage: Passage,
    options: ReaderOptions,
    counts: Counter,
    together: Callable[[Span, Span], bool] | None = None,
) -> Iterator[Row | PlacedError]:
    """The rows of its relations, then those of its other pairs where they are wanted and stand `together`. `counts`
    takes what makes no row."""
    relations = passage.relations or ()
    yield from relation_rows(passage, relations)
    taken = {(one.subject, one.object) for one in relations}
    named = {id for pair in taken for id in pair}
    counts[UNREAD] += sum(isinstance(one, ValueError) and id not in named for id, one in passage.entities.items())
    if passage.relations is None:
        yield from pair_rows(passage, taken, None, counts, together)
    elif options.negatives is not None:
        yield from pair_rows(passage, taken, options.negatives, counts, together)
    elif not relations:
        counts[WITHOUT] += 1


def relation_rows(passage: Passage, relations: Iterable[Relation]) -> Iterator[Row | PlacedError]:
    relations = [*relations]
    times = Counter((one.subject, one.object) for one in relations)
    for one in relations:
        label = None if isinstance(one.label, ValueError) else one.label
        pair = [passage.entities.get(id) for id in (one.subject, one.object)]
        problems = [one.label, *pair, *map(unknown, (one.subject, one.object), pair)]
        if problem := next((problem for problem in problems if isinstance(problem, ValueError)), None):
            yield PlacedError(f"relation {listed([one.id])}: {problem}"[:400], passage.where, label)
            continue
        notes = (SEVERAL,) if times[one.subject, one.object] > 1 else ()
        notes = dict.fromkeys((*passage.notes, *one.notes, *notes))
        yield Row(f"{passage.id}:{one.id}", passage.text, *pair, label, passage.where, tuple(notes))


def unknown(id: str, entity: Span | ValueError | None) -> ValueError | None:
    return ValueError(f"names entity {shown(id)}, which its text does not have") if entity is None else None


def pair_rows(
    passage: Passage,
    taken: Collection,
    label: str | None,
    counts: Counter,
    together: Callable[[Span, Span], bool] | None = None,
) -> Iterator[Row]:
    """A row with `label` of every ordered pair of entities besides those that are `taken`."""
    for (first, subject), (second, object) in permutations(passage.entities.items(), 2):
        if (first, second) in taken:
            continue
        if isinstance(subject, ValueError) or isinstance(object, ValueError):
            counts[APART] += 1
        elif together is None or together(subject, object):
            if subject.overlaps(object):
                counts[APART] += 1
                continue
            id = f"{passage.id}:{first}>{second}"
            yield Row(id, passage.text, subject, object, label, passage.where, tuple(dict.fromkeys(passage.notes)))


def example(row: Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    return Example(row.id, row.text, subject=row.subject, object=row.object, label=row.label, notes=row.notes)


def label(row: Row, options: ReaderOptions = DEFAULT) -> str | None:
    """The label of a row that `example` refuses."""
    return row.label
