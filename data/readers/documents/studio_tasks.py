"""What stands where in a task of Label Studio: its text, its annotations, and their regions, relations and choices."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from data.messages import listed, shown
from data.readers.documents.pairs import Passage, Relation
from data.readers.documents.records import items, key_text, relation_of, text_of
from data.readers.documents.spans import added, span_of
from data.readers.options import ReaderOptions

# keys of a JSON-MIN record that are neither data nor labels
OWN = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "relations"}
MARKS = {"annotations", "completions", "data", "annotation_id", "annotator", "lead_time"}  # some of them are in each
BOTH_WAYS = "a relation in both directions (bi), a row each way"
TYPES = "an entity has several types, of which the first is read"
GROUND_TRUTH = "of several annotations those marked as ground truth are read"


class Kinds(NamedTuple):
    """What the annotations of a file hold. `choices`: the name of those that are the label, empty where relations are;
    `regions`, `related`: whether some annotation has an entity, a relation; `others`: other results, counted."""

    annotated: bool
    choices: str
    regions: bool
    related: bool
    others: Counter


def as_tasks(found: list[tuple[int, str, Any]], options: ReaderOptions) -> list[tuple[int, str, Any]]:
    """Tasks of JSON as they are; records of JSON-MIN, one an annotation, as tasks."""
    tasks: dict[Any, tuple[int, str, Any]] = {}
    for number, where, one in found:
        if not is_min(one):
            tasks[number, "task"] = (number, where, one)
            continue
        try:
            task = from_min(one, options)
        except ValueError as error:
            tasks[number, "task"] = (number, where, error)
            continue
        key = ("min", repr(one["id"])) if "id" in one and "annotation_id" in one else (number, "task")
        if key in tasks:
            tasks[key][2]["annotations"] += task["annotations"]
        else:
            tasks[key] = (number, where, task)
    return [(number, where, one) for number, (_, where, one) in enumerate(tasks.values(), start=1)]


def check_export(found: list[tuple[int, str, Any]], name: str) -> None:
    """Raises ValueError where no record is one of an export or of an import of Label Studio."""
    records = [one for *_, one in found if isinstance(one, dict)]
    if records and not any(MARKS & {*one} for one in records):
        keys = listed([*records[0]])
        raise ValueError(
            f"{name}: is no export of Label Studio: found {keys}; expected {', '.join(sorted(MARKS))}; "
            "data.format text reads a text and its class under any keys"
        )


def is_min(one: Any) -> bool:
    """Whether it is a record of JSON-MIN."""
    return isinstance(one, dict) and not isinstance(one.get("data"), dict)


def from_min(record: dict, options: ReaderOptions) -> dict:
    """A record of JSON-MIN as a task with one annotation."""
    result: list[dict] = []
    data = {}
    named, text = options.column("label", ""), options.column("text", "text")
    for key, value in record.items():
        if key == "relations":
            continue
        if isinstance(value, list) and value and all(isinstance(one, dict) and "labels" in one for one in value):
            result += [
                {"type": "labels", "from_name": key, "id": one.get("id", f"{key}{place}"), "value": one}
                for place, one in enumerate(value)
            ]
        elif isinstance(value, dict) and "choices" in value:
            result.append({"type": "choices", "from_name": key, "value": value})
        elif key == named and isinstance(value, str):
            result.append({"type": "choices", "from_name": key, "value": {"choices": [value]}})
        else:
            data[key] = value
    if not result:
        words = [key for key, value in data.items() if isinstance(value, str) and key not in OWN and key != text]
        if len(words) > 1:
            raise ValueError(f"{listed(words)} may be the choices; data.columns.label says which are")
        result = [{"type": "choices", "from_name": key, "value": {"choices": [data.pop(key)]}} for key in words]
    if "relations" in record:
        result += [{"type": "relation"} | one for one in items(record["relations"], "relations")]
    task = {"data": data, "annotations": [{"result": result}]}
    return task | ({"id": record["id"]} if "id" in record else {})


def text_of_task(task: Mapping, options: ReaderOptions) -> str:
    """The text of a task: under the key that was named, under text, or the only text of its data."""
    data = task["data"]
    texts = [key for key, value in data.items() if isinstance(value, str) and key not in OWN]
    if options.columns.text is not None or "text" in data:
        return text_of(data, options)
    if len(texts) != 1:
        raise ValueError(f"data has no key text; found {listed([*data])}; data.columns.text names another")
    return data[texts[0]]


def annotations_of(task: Mapping) -> list[dict]:
    """Today's name, or that of versions before 1.0."""
    return items(task.get("annotations", task.get("completions", [])), "annotations")


def is_skipped(annotation: Mapping) -> bool:
    return bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def kept(task: Mapping) -> tuple[list[dict], int, tuple[str, ...]]:
    """The annotations that are read, those marked as ground truth where there are some; how many were skipped; and a
    note where others were not read."""
    everything = annotations_of(task)
    found = [one for one in everything if not is_skipped(one)]
    true = [one for one in found if one.get("ground_truth")] or found
    return true, len(everything) - len(found), ((GROUND_TRUTH,) if len(true) < len(found) else ())


def results(annotation: Mapping) -> list[dict]:
    return items(annotation.get("result", []), "result")


def kinds_of(tasks: list[Any], name: str, options: ReaderOptions) -> Kinds:
    """What the annotations of all tasks hold. Raises ValueError where several choices could be the label."""
    names: Counter[str] = Counter()
    others: Counter[str] = Counter()
    annotated = regions = related = False
    for task in tasks:
        if not isinstance(task, dict):
            continue
        try:
            annotated |= bool(annotations_of(task) or task.get("predictions"))
            found = [one for annotation in kept(task)[0] for one in results(annotation)]
        except ValueError:
            continue  # told when its rows are read
        for one in found:
            kind, value = one.get("type"), one.get("value")
            if kind == "relation":
                related = True
            elif kind == "choices":
                names[str(one.get("from_name"))] += not is_region(value)
            elif is_region(value) and "labels" in value:
                regions = True
            else:
                others[f"result(s) of type {shown(kind, 30)}, which are neither relations nor choices"] += 1
    named = options.column("label", "")
    if named or not (regions or related):
        if not named and len(names) > 1:
            found = listed(sorted(names))
            raise ValueError(f"{name}: choices are called {found}; data.columns.label says which are the label")
        return Kinds(annotated, named or next(iter(names), ""), regions, related, others)
    others["choices of texts with relations; data.columns.label names those that are the label"] += names.total()
    return Kinds(annotated, "", regions, related, others)


def is_region(value: Any) -> bool:
    return isinstance(value, dict) and "start" in value


def choices_of(annotation: Mapping, kinds: Kinds) -> list[str]:
    """What an annotation chose."""
    found: list[str] = []
    for one in results(annotation):
        if (
            one.get("type") == "choices"
            and str(one.get("from_name")) == kinds.choices
            and not is_region(one.get("value"))
        ):
            value = one.get("value")
            value = value.get("choices") if isinstance(value, dict) else value
            if not isinstance(value, list) or not all(isinstance(choice, str) for choice in value):
                raise ValueError(f"choices are {shown(value)}, expected a list of texts")
            found += value
    return found


def regions_of(annotation: Mapping, passage: Passage, related: bool) -> Passage:
    """The passage with the entities and relations of an annotation; `related`: whether someone looked for any."""
    entities, relations, notes = {}, [], passage.notes
    for place, one in enumerate(results(annotation)):
        value = one.get("value")
        if one.get("type") == "relation":
            relations += both_ways(one, len(relations))
        elif isinstance(value, dict) and "labels" in value:
            kinds = value["labels"] if isinstance(value["labels"], list) else [value["labels"]]
            kind = kinds[0] if kinds else None
            notes = (*notes, TYPES) if len(kinds) > 1 and TYPES not in notes else notes
            id = key_text(one.get("id", str(place)), "the id of a region")
            span = partial(
                span_of,
                passage.text,
                value.get("start"),
                value.get("end"),
                kind,
                f"region {listed([id])}",
                value.get("text"),
            )
            notes = (*notes, *added(entities, id, span))
    return replace(passage, entities=entities, relations=relations if related else None, notes=notes)


def both_ways(one: Mapping, number: int) -> list[Relation]:
    """A relation, as many rows as its direction makes of it."""
    relation = relation_of(dict(one) | {"id": number}, number, ("from_id", "to_id"), "labels")
    turned = relation._replace(subject=relation.object, object=relation.subject)
    direction = one.get("direction") or "right"
    if direction == "bi":
        back = turned._replace(id=str(number + 1), notes=(BOTH_WAYS,))
        return [relation._replace(notes=(BOTH_WAYS,)), back]
    if direction not in ("right", "left"):
        problem = ValueError(f"direction is {shown(direction)}, expected right, left or bi")
        return [relation._replace(label=problem)]
    return [relation if direction == "right" else turned]
