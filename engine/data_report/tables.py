"""The data report's tables: (title, columns, lines, note); columns that begin with a blank are numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.config import Config
from engine.data_report.facts import Part, shared, type_lines
from engine.scores.prior import KLUE_DEV, label_prior

Section = tuple[str, list[str], list[list], str]
PAIRS = 25  # pairs of entity types in the table; types.csv has all


def sections(parts: Mapping[str, Part], labels: Sequence[str], config: Config) -> list[Section]:
    """All tables."""
    named = type_lines(parts["train"], labels, config.data.types)
    return [
        files(parts, len(labels), config.data.max_length),
        repeated(parts),
        label_shares(parts, labels, config),
        types(named, labels, config.data.negative_label),
        words(parts),
    ]


def files(parts: Mapping[str, Part], classes: int, max_length: int) -> Section:
    """How much there is, and how it became tokens."""

    def column(part: Part) -> list[str]:
        facts, lengths = part.store.facts, part.store.lengths
        counted, rows = facts["words"], len(part.store)
        tokens, each = np.percentile(lengths, [50, 95, 99]), max(counted["words"], 1)
        return [
            part.location,
            f"{rows:,}",
            f"{len(facts['skipped']):,}",
            f"{len(np.unique(part.store.sentences)):,}",
            f"{len(np.unique(part.store.labels))} of {classes}",
            f"{np.median(part.characters):.0f}, {part.characters.max()}",
            f"{lengths.mean():.1f}",
            ", ".join(f"{value:.0f}" for value in tokens) + f", {lengths.max()}",
            f"{facts['cut']:,} ({100 * facts['cut'] / rows:.2f} %)",
            f"{facts['wide']:,}",
            f"{100 * facts['unknown'] / facts['tokens']:.3f} %",
            f"{100 * counted['unknown_pieces'] / each:.2f}",
            f"{counted['lost']:,}",
            f"{counted['pieces'] / each:.2f}",
        ]

    names = [
        "file", "rows", "bad rows, skipped", "different sentences", "labels that occur", "characters: median, longest",
        "tokens a row", "tokens: median, 95 %, 99 %, longest", f"truncated to data.max_length {max_length}",
        "entity inside a longer token", "unknown tokens", "unknown pieces in 100 words",
        "characters that no token covers", "tokens a word",
    ]  # fmt: skip
    columns = [column(part) for part in parts.values()]
    return (
        "Files",
        ["", *(f" {name}" for name in parts)],
        [list(line) for line in zip(names, *columns, strict=True)],
        "",
    )


def run_parts(notes: Sequence[str]) -> list[Section]:
    """What data.hold_out, data.folds, data.duplicates and eval.label_prior would make of the files, where they are set;
    the other tables are of the files as they are."""
    lines = [[line[:12].rstrip(), line[13:]] for line in notes]  # as in the summary of a run: a name, then what is said
    return [("What a run would take", ["", "with these options"], lines, "")] if lines else []


def repeated(parts: Mapping[str, Part]) -> Section:
    """Repeats of (sentence, subject, object) in a part, and between parts."""
    lines = []
    for name, part in parts.items():
        found = part.repeats
        exact, other = int(found.exact.sum()), int(found.other_label.sum())
        left = [f"{int(found.kept(handling).sum()):,}" for handling in ("drop_exact", "drop_conflicting")]
        lines.append([name, f"{exact:,}", f"{other:,}", f"{int(found.in_conflict.sum()):,}", *left])
    columns = [
        "part", " repeat an earlier row", " with another label", " rows of triples with several labels",
        " left by drop_exact", " left by drop_conflicting",
    ]  # fmt: skip
    note = "Rows with the same sentence and entities; duplicates.csv lists them. data.duplicates drops training rows.\n"
    if "dev" in parts:
        both = shared(parts["train"], parts["dev"])
        note += (
            f"{both['sentences']:,} rows of dev have a sentence that train has, {both['triples']:,} of them also its "
            f"entities, {both['other_label']:,} of these with another label.\n"
        )
    return "Repeated rows", columns, lines, note


def label_shares(parts: Mapping[str, Part], labels: Sequence[str], config: Config) -> Section:
    """Labels in train and where the model will be used."""
    counts = np.bincount(parts["train"].store.labels, minlength=len(labels))
    lines = [
        [label, f"{n:,}", f"{100 * n / counts.sum():.2f}"] for label, n in zip(labels, counts.tolist(), strict=True)
    ]
    columns, note = ["label", " train", " %"], ""
    name, wanted = target(parts, labels, config)
    if wanted is not None:
        columns += [f" {name}, %", " times train"]
        share = counts / counts.sum()
        for line, there, here in zip(lines, wanted.tolist(), share.tolist(), strict=True):
            line += [f"{100 * there:.2f}", f"{there / here:.2f}" if here else "-"]
        note = f"Total variation distance to {name}: {50 * np.abs(wanted - share).sum():.1f} %.\n"
    order = np.argsort(-counts, kind="stable").tolist()
    return "Labels", columns, [lines[number] for number in order], note


def target(parts: Mapping[str, Part], labels: Sequence[str], config: Config) -> tuple[str, np.ndarray | None]:
    """How labels are distributed where the model will be used, (C,): as eval.label_prior says, or as in dev, or, for
    the labels of KLUE-RE, as in its official dev set."""
    if config.eval.label_prior != "none":
        return config.eval.label_prior, label_prior(config.eval.label_prior, list(labels))
    if "dev" in parts:
        return "dev", parts["dev"].shares(len(labels))
    return ("klue_dev", label_prior("klue_dev", list(labels))) if set(labels) == set(KLUE_DEV) else ("", None)


def types(named: Sequence[dict], labels: Sequence[str], negative: str | None) -> Section:
    """What the entity types say of the label."""
    if not named:
        return "Entity types and labels", [], [], "The entities have no types.\n"
    total, lines = sum(line["rows"] for line in named), []
    for line in named[:PAIRS]:
        frequent = sorted((label for label in labels if line[label] and label != negative), key=lambda x: -line[x])
        share = [f"{100 * line[negative] / line['rows']:.1f}"] if negative else []
        told = ", ".join(f"{label} {line[label]:,}" for label in frequent[:4])
        pair = f"{line['subject'] or '-'} {line['object'] or '-'}"
        lines.append([pair, f"{line['rows']:,}", f"{100 * line['rows'] / total:.2f}", *share, told])
    columns = ["subject, object", " rows", " %", *([f" {negative}, %"] if negative else []), "most frequent labels"]
    best = sum(max(line[label] for label in labels) for line in named)
    note = f"Guessing the most frequent label of each pair of types is right in {100 * best / total:.1f} % of train.\n"
    if len(named) > PAIRS:
        note += f"{len(named) - PAIRS} more pairs are in types.csv.\n"
    return "Entity types and labels", columns, lines, note


def words(parts: Mapping[str, Part]) -> Section:
    """The words that the tokenizer knows worst."""
    lines = []
    for name, part in parts.items():
        counted = part.store.facts["words"]
        lines += [[name, "unknown", word, f"{times:,}", ""] for word, times in counted["unknown_words"]]
        lines += [[name, "split", word, f"{times:,}", pieces] for word, times, pieces in counted["split_words"]]
    return "Words that the tokenizer knows worst", ["part", "", "word", " times", " tokens"], lines, ""
