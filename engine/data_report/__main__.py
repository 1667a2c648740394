"""What is in the data, before anything is trained on it.

    python -m engine.data_report --config configs/boostcamp.yaml --data.train train.csv --data.dev dev.json

Takes the options of train.py and reads the files as train.py would; nothing is changed. Prints the report and leaves it
in a folder under run.dir (named run.name, or data- and the time): report.md, duplicates.csv, types.csv and pictures.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from unicodedata import east_asian_width

import numpy as np

from data.duplicates import triple_key
from data.readers.source import Source
from data.store.packed import TokenStore
from engine.arguments.parse import parse
from engine.atomic import write_text
from engine.command import Progress, option_parser, run
from engine.compose.data import open_part, read_data
from engine.compose.run import check_names
from engine.config import Config
from engine.data_report import figures as data_figures
from engine.data_report.facts import Part, duplicate_lines, type_lines
from engine.data_report.tables import run_parts, sections
from engine.report.error_rows import as_csv, escaped, table
from engine.tracking import figures

ABOUT = """What is in the data, before anything is trained on it: label counts, lengths,
duplicates and contradictions, entity types.

The options are those of train.py; python train.py --help lists them. Those of
run, data and eval and model.tokenizer make a difference here."""


def main(argv: Sequence[str]) -> int:
    """Write the report and return the exit code, see engine/command.py."""
    return run(lambda progress: print_report(argv, progress))


def print_report(argv: Sequence[str], progress: Progress) -> None:
    if {"--help", "-h"} & set(argv):
        usage = "python -m engine.data_report [OPTION OF train.py ...]"
        option_parser("engine.data_report", ABOUT, usage=usage).parse_args(["--help"])
    config, config_path, notices = parse(argv)
    for notice in notices:
        print(notice)
    check_names(config)
    name = config.run.name or f"data-{config_path.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    print(report(config, Path(config.run.dir) / name, progress))


def report(config: Config, folder: Path, progress: Progress) -> str:
    """Leave the report in `folder`; returns the text to print."""
    data = read_data(config, quiet=False)
    parts, repeated = {}, []
    for name, store in data.files.items():
        location = config.data.train if name == "train" else config.data.dev
        source = open_part(config, name, location)
        parts[name] = read_part(name, location, source, store)
        chosen = parts[name].repeats.together
        repeated += duplicate_lines(parts[name], chosen, examples_of(source, parts[name].numbers[chosen]), data.labels)
    told = [*sections(parts, data.labels, config), *run_parts(data.notes)]
    kinds = type_lines(parts["train"], data.labels, config.data.types)

    folder.mkdir(parents=True, exist_ok=True)
    progress.begun = True
    text = "\n".join(f"## {title}\n\n{markdown(columns, lines)}{note}" for title, columns, lines, note in told)
    write_text(folder / "report.md", f"# Data report\n\n{text}")
    write_text(folder / "duplicates.csv", as_csv(repeated))
    write_text(folder / "types.csv", as_csv(kinds))
    drawn = {
        "labels": data_figures.labels(parts, data.labels),
        "lengths": data_figures.lengths(parts, config.data.max_length),
    }
    if kinds:
        drawn["types"] = data_figures.types(kinds, data.labels)
    for name, figure in drawn.items():
        figures.save(folder / f"{name}.png", figures.pixels(figure))
    shown = [f"{title}\n{aligned(columns, lines)}{note}".rstrip() for title, columns, lines, note in told]
    return "\n\n".join([*shown, f"report       {folder / 'report.md'}"])


def read_part(name: str, location: str, source: Source, store: TokenStore) -> Part:
    """What the encoded rows do not hold, read from the file again: sentences, places of entities, characters."""
    skipped = {number for number, _ in store.facts["skipped"]}
    numbers, keys, characters = [], [], []
    for number, example in source.examples():
        if number in skipped or isinstance(example, ValueError):
            continue
        numbers.append(number)
        keys.append(triple_key(example))
        characters.append(len(example.text))
    assert len(numbers) == len(store), "the file was changed while it was read"
    triples = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
    return Part(name, location, store, np.array(numbers), triples, np.array(characters))


def examples_of(source: Source, numbers: np.ndarray) -> dict:
    """Row number -> Example of a few rows."""
    wanted = set(numbers.tolist())
    return {number: example for number, example in source.examples() if number in wanted} if wanted else {}


def markdown(columns: Sequence[str], lines: Sequence[Sequence]) -> str:
    return table(columns, [[escaped(str(cell)) for cell in line] for line in lines]) + "\n" if lines else ""


def aligned(columns: Sequence[str], lines: Sequence[Sequence]) -> str:
    """A table for a terminal; columns that begin with a blank are numbers, set to the right."""
    if not lines:
        return ""
    rows = [[column.strip() for column in columns], *([str(cell) for cell in line] for line in lines)]
    widths = [max(places(row[number]) for row in rows) for number in range(len(columns))]

    def padded(number: int, cell: str) -> str:
        blanks = " " * (widths[number] - places(cell))
        return blanks + cell if columns[number].startswith(" ") else cell + blanks

    return "".join("  ".join(padded(*cell) for cell in enumerate(row)).rstrip() + "\n" for row in rows)


def places(text: str) -> int:
    """Columns of a terminal that a text takes: Hangul takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
