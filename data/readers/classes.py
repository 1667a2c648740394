"""What the text in a label's column stands for: blanks around it, a placeholder for none, the number of a class."""

import re
from dataclasses import dataclass, replace

from data.schema import Example

PLACEHOLDER = "100"  # stands for none in the test file of Boostcamp's KLUE-RE competition
WHOLE = re.compile(r"[+-]?[0-9]+")
STRIPPED = "labels had blanks around them, which do not count"


@dataclass(frozen=True)
class Classes:
    """The label set that rows are read for, in order. `numbered`: a number of it may stand for a label, which is so
    where the set was given (data.labels) and not learned."""

    labels: tuple[str, ...]
    numbered: bool = False


def class_of(text: str, classes: Classes | None, placeholder: bool) -> tuple[str | None, str]:
    """The label that a text stands for, and a note where that is another text. `placeholder`: 100 is none unless the
    label set holds it."""
    label = text.strip()
    if classes is not None and label not in classes.labels:
        if classes.numbered and label.isdecimal() and int(label) < len(classes.labels):
            first = ", ".join(f"{number} = {name}" for number, name in enumerate(classes.labels[:3]))
            return (
                classes.labels[int(label)],
                f"labels are class numbers, read as those of data.labels ({first}, ...)",
            )
        if placeholder and label == PLACEHOLDER:
            return None, ""
    return label or None, STRIPPED if label and label != text else ""


def with_class(example: Example, classes: Classes | None, placeholder: bool) -> Example:
    """The example with the label that its text stands for, see `class_of`, and the note about it."""
    if example.label is None:
        return example
    label, note = class_of(example.label, classes, placeholder)
    if label == example.label:
        return example
    return replace(example, label=label, notes=(*example.notes, *([note] if note else [])))


def in_order(labels: list[str]) -> list[str]:
    """Labels as a learned set has them: whole numbers by value, else by code point."""
    return (
        sorted(labels, key=lambda label: (int(label), label)) if all(map(WHOLE.fullmatch, labels)) else sorted(labels)
    )
