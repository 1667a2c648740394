"""What is in the data, before anything is trained on it.

    python -m engine.data_report --config configs/boostcamp.yaml --data.train train.csv --data.dev dev.json

Takes the options of train.py and reads the files as train.py would; nothing is changed. Prints the report and leaves it
in a folder under run.dir (named run.name, or data- and the time): report.md, duplicates.csv, types.csv and pictures.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.duplicates import triple_key
from data.labels import LEARNED
from data.messages import listed, names_of
from data.readers.source import Source
from data.store.token_store import TokenStore
from engine.arguments.help import data_lines
from engine.arguments.parse import parse
from engine.atomic import write_text
from engine.command import Progress, option_parser, run
from engine.compose.data import entity_types, open_part, read_data, with_types_of
from engine.compose.run import check_names
from engine.config import Config
from engine.data_report import figures as data_figures
from engine.data_report.facts import Part, duplicate_lines, type_lines
from engine.data_report.tables import Section, run_parts, sections
from engine.tables import aligned, as_csv, escaped, markdown
from engine.tracking import figures

ABOUT = """What is in the data, before anything is trained on it: label counts, lengths,
duplicates and contradictions, entity types.

The options are those of train.py; python train.py --help lists them. Here those
of data count, and run.name, run.dir, eval.label_prior and model.tokenizer."""


def main(argv: Sequence[str]) -> int:
    """Write the report and return the exit code, see engine/command.py."""
    return run(lambda progress: print_report(argv, progress))


def print_report(argv: Sequence[str], progress: Progress) -> None:
    if {"--help", "-h"} & set(argv):
        usage = "python -m engine.data_report [OPTION OF train.py ...]"
        epilog = "\n".join(data_lines())
        option_parser("engine.data_report", ABOUT, usage=usage, epilog=epilog).parse_args(["--help"])
    config, config_path, notices = parse(argv)
    for notice in notices:
        print(notice)
    check_names(config)
    name = config.run.name or f"data-{config_path.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    print(report(config, Path(config.run.dir) / name, progress))


def report(config: Config, folder: Path, progress: Progress) -> str:
    """Leave the report in `folder`; returns the text to print."""
    config, more = with_all_types(config)
    data = read_data(config, quiet=False)
    config = with_types_of(config, data)
    parts, repeated = {}, []
    for name, store in data.files.items():
        location = config.data.train if name == "train" else config.data.dev
        source = open_part(config, name, location, data.labels)
        parts[name] = read_part(name, names_of(location), source, store)
        chosen = parts[name].repeats.together
        repeated += duplicate_lines(parts[name], chosen, examples_of(source, parts[name].numbers[chosen]), data.labels)
    tables = [*sections(parts, data.labels, config), *run_parts([*more, *data.notes])]
    kinds = type_lines(parts["train"], data.labels, config.data.types)

    folder.mkdir(parents=True, exist_ok=True)
    progress.begun = True
    write_text(folder / "report.md", "\n".join(["# Data report\n", *map(as_markdown, tables)]))
    write_text(folder / "duplicates.csv", as_csv(repeated))
    write_text(folder / "types.csv", as_csv(kinds))
    pictures = {
        "labels": data_figures.labels(parts, data.labels),
        "lengths": data_figures.lengths(parts, config.data.max_length),
    }
    if kinds:
        pictures["types"] = data_figures.types(kinds, data.labels)
    for name, figure in pictures.items():
        figures.save(folder / f"{name}.png", figures.pixels(figure))
    return "\n\n".join([*map(as_text, tables), f"report       {folder / 'report.md'}"])


def with_all_types(config: Config) -> tuple[Config, list[str]]:
    """The configuration with every entity type of the files, and a line about those that data.types lacks: a report
    counts what a run would refuse."""
    if config.data.types == LEARNED:
        return config, []
    locations = {"train": config.data.train, "dev": config.data.dev}
    parts = [open_part(config, part, location) for part, location in locations.items() if location is not None]
    examples = (example for source in parts for _, example in source.examples())
    more = [name for name in entity_types(examples) if name not in config.data.types]
    if not more:
        return config, []
    line = f"{'types':<12} {listed(more)} are not in data.types: a run needs them there, or data.types learned"
    return replace(config, data=replace(config.data, types=[*config.data.types, *more])), [line]


def as_markdown(section: Section) -> str:
    title, columns, lines, note = section
    table = markdown(columns, [[escaped(str(cell)) for cell in line] for line in lines]) + "\n" if lines else ""
    return f"## {title}\n\n{table}{note}"


def as_text(section: Section) -> str:
    title, columns, lines, note = section
    return "\n".join([title, *(aligned(columns, lines) if lines else []), note]).rstrip()


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
