"""Write the bundled sample into a folder: train.json, dev.json and vocab.txt.

    python -m data.sample FOLDER

A command, not a leaf: nothing imports it, and it begins and ends as those of the engine do.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from data.sample.corpus import PARTS, generate, json_bytes, vocabulary
from engine.command import Progress, option_parser, read_options, run


def main(argv: Sequence[str]) -> int:
    """Write the files and return the exit code."""
    return run(lambda progress: write(argv, progress))


def write(argv: Sequence[str], progress: Progress) -> None:
    parser = option_parser("data.sample", "Write the bundled sample's files.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where train.json, dev.json and vocab.txt go")
    folder = read_options(parser, argv)[0].folder
    folder.mkdir(parents=True, exist_ok=True)
    progress.begun = True
    for part in PARTS:
        (folder / f"{part}.json").write_bytes(json_bytes(part))
    words = vocabulary()
    (folder / "vocab.txt").write_bytes("".join(f"{word}\n" for word in words).encode())
    counts = ", ".join(f"{len(generate(part)[0]):,} {part} rows" for part in PARTS)
    print(f"wrote {counts} and a vocabulary of {len(words):,} to {folder}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
