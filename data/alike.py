"""Labels that may be one, or none: told before anything is trained on them."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

from data.messages import listed, shown

MISSING = ("nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "-", "?", "missing", "undefined")
NUMBERS = re.compile(r"\d+([ ,]\s*\d+)*")
FRACTION = re.compile(r"[-+]?\d*\.\d+")
SEPARATORS = {"#": 2, "|": 2, ";": 2, ",": None, "/": None, "+": None, "&": None}  # also part of single names


def plain(label: str) -> str:
    """The same for labels that a reader takes for one: without case, blanks, _, Unicode form and characters that are
    not seen."""
    text = unicodedata.normalize("NFKC", label).casefold()
    return "".join(c for c in text if c.isprintable() and not c.isspace() and c not in "_\u3164\uffa0\u115f\u1160")


def written_alike(labels: Sequence[str]) -> list[list[str]]:
    """Groups of labels with the same `plain` text."""
    groups = defaultdict(list)
    for label in labels:
        groups[plain(label) or label].append(label)
    return [group for group in groups.values() if len(group) > 1]


def nearly(label: str, labels: Sequence[str]) -> str:
    """A hint at the one of `labels` that is written like an unknown one, to be put after a message; or nothing."""
    alike = [known for known in labels if plain(known) == plain(label)]
    return f"; {ascii_form(label)} is written like {ascii_form(alike[0])}, and is another text" if alike else ""


def ascii_form(label: str) -> str:
    """A label with what is not seen in it: NFD jamo, zero-width characters, tabs."""
    seen = unicodedata.normalize("NFC", label) == label and label.isprintable()
    return shown(label) if seen else ascii(label)[:80]


def several_in_one(labels: Sequence[str]) -> list[str]:
    """Labels that look like a list, an object, or some of the others with a character between: a#b, ["a"]."""
    found = [label for label in labels if (label[:1], label[-1:]) in (("[", "]"), ("{", "}"))]
    if all(map(NUMBERS.fullmatch, labels)):
        found += [label for label in labels if not label.isdecimal()]
    names = set(labels)
    for mark, often in SEPARATORS.items():
        parts = {label: {part.strip() for part in label.split(mark) if part.strip()} for label in labels}
        parts = {label: own for label, own in parts.items() if len(own) > 1}
        times = Counter(part for own in parts.values() for part in own)
        known = names | {part for part, count in times.items() if often and count > often}
        found += [label for label, own in parts.items() if own <= known]
    return list(dict.fromkeys(found))


def label_warnings(labels: Sequence[str], negative: str | None) -> list[str]:
    """A line a kind of label that is rarely meant as a class."""
    told = [
        f"data.labels: {' and '.join(map(ascii_form, group))} differ only in case, blanks, Unicode form or "
        "characters that are not seen, and are classes of their own"
        for group in written_alike(labels)
    ]
    missing = [label for label in labels if label.lower() in MISSING and label != negative]
    if missing:
        told.append(f"data.labels: {listed(missing)} looks like a missing value, and is a class")
    if labels and all(map(FRACTION.fullmatch, labels)):
        told.append(
            f"data.labels: {listed([*labels])} look like numbers to predict (regression), which is not supported: each "
            "is a class of its own"
        )
    if several := several_in_one(labels):
        told.append(
            f"data.labels: {len(several)} of {len(labels)} classes look like several labels or a list in one, such as "
            f"{shown(several[0])}; a row has one label (multi-label is not supported), so each of these is a class"
        )
    return told
