"""Why rows were left out, counted: how many of a kind, one of them as an example, the labels that lost most by it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
VARYING = (
    (
        re.compile(r"\b(is|found|also have|none of|lists) (?=[\[{(]|\w+(:\w+)?, )[^;]*?(?=;|, expected|, but|$)"),
        r"\1 …",
    ),
    (QUOTED, "…"),
    (re.compile(r"-?\d[\d,]*"), "…"),
)
SHOWN = 5  # kinds in the summary and in messages; the report has all
MUCH = 0.1  # a label that lost a larger share of its rows is named


def kind(reason: str) -> str:
    """A reason without the values of its row."""
    for pattern, text in VARYING:
        reason = pattern.sub(text, reason)
    return reason


def kinds(skipped: Sequence[Sequence]) -> list[dict]:
    """[row, reason] of each row to the kinds, most frequent first: how many rows, and the first of them."""
    first: dict[str, Sequence] = {}
    counts: Counter[str] = Counter()
    for number, reason in skipped:
        counts[kind(reason)] += 1
        first.setdefault(kind(reason), (number, reason))
    return [{"rows": rows, "row": first[name][0], "reason": first[name][1]} for name, rows in counts.most_common()]


def lost_labels(lost: Mapping[str, int], kept: Mapping[str, int]) -> list[dict]:
    """Labels that lost more than `MUCH` of their rows, those that lost most first. `lost` and `kept`: rows by label."""
    found = [
        {"label": label, "skipped": rows, "rows": rows + kept.get(label, 0)}
        for label, rows in lost.items()
        if rows > MUCH * (rows + kept.get(label, 0))
    ]
    return sorted(found, key=lambda one: (-one["skipped"] / one["rows"], -one["rows"]))


def skipped_facts(skipped: Sequence[Sequence], lost: Mapping[str, int], kept: Mapping[str, int], rows: int) -> dict:
    """What report.json says of a part of which `skipped` were left out of `rows`."""
    return {
        "rows": len(skipped), "of": rows, "reasons": kinds(skipped), "labels": lost_labels(lost, kept)
    }  # fmt: skip


def skipped_lines(facts: Mapping) -> list[str]:
    """`skipped_facts` as lines of a message or summary; none where nothing was skipped."""
    if not facts["rows"]:
        return []
    share = 100 * facts["rows"] / facts["of"]
    told = [f"{facts['rows']:,} of {facts['of']:,} rows are bad ({share:.1f} %)"]
    told += [f"{one['rows']:,} such as row {one['row']}: {one['reason']}" for one in facts["reasons"][:SHOWN]]
    if more := facts["reasons"][SHOWN:]:
        told.append(f"{sum(one['rows'] for one in more):,} of {len(more)} other kinds")
    if facts["labels"]:
        each = ", ".join(f"{one['label']} {one['skipped']:,} of {one['rows']:,}" for one in facts["labels"][:10])
        others = f", and {len(facts['labels']) - 10} more labels" if len(facts["labels"]) > 10 else ""
        told.append(f"labels that lost more than {100 * MUCH:.0f} % of their rows: {each}{others}")
    return told
