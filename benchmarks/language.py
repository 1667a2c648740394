"""How well tokenizers know a corpus: unknown pieces and tokens a word, as engine/compose/corpus_checks.py counts them.

    python benchmarks/language.py train.csv TOKENIZER_FOLDER [...] [--lower FOLDER ...] [--every 10]

A folder with nothing but a list of words is read as a BERT vocabulary, with its case kept; those after --lower are
lower-cased, as bert-base-uncased wants it.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from transformers import AutoTokenizer, BertTokenizer

from data.encode import Encoder, EncodingOptions
from data.labels import label_list
from data.readers.source import open_source
from data.store import token_store
from engine.compose.corpus_checks import known_language


def opened(folder: Path, lower: bool):
    if (folder / "tokenizer_config.json").is_file() and not lower:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return BertTokenizer(vocab=str(next(folder.glob("vocab*.txt"))), do_lower_case=lower)


class Every:
    """Each n-th row of a source."""

    def __init__(self, source, every: int):
        self.source, self.every = source, every

    def __getattr__(self, name):
        return getattr(self.source, name)

    def examples(self):
        return (pair for number, pair in enumerate(self.source.examples()) if number % self.every == 0)


def encoded(source, encoder: Encoder) -> token_store.TokenStore:
    with tempfile.TemporaryDirectory() as folder:
        token_store.write(Path(folder), source, encoder, label_list("klue"), "error", True, True)
        return token_store.load(Path(folder))


def verdict(store: token_store.TokenStore) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            known_language("data.train", store)
        except ValueError:
            return "error"
    return "warning" if caught else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--lower", nargs="*", type=Path, default=[])
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    source = Every(open_source(given.data, "auto", "train", "data"), given.every)
    print("| tokenizer | unknown in 100 words | tokens a word | tokens a character | guard | worst |")
    print("|---|---|---|---|---|---|")
    for folder in [*given.folders, *given.lower]:
        tokenizer = opened(folder, folder in given.lower)
        store = encoded(source, Encoder(tokenizer, EncodingOptions(marker="none")))
        counted = store.facts["words"]
        worst = " ".join(word for word, *_ in (counted["unknown_words"] or counted["split_words"])[:3])
        print(
            f"| {folder.name}{', lower-cased' if folder in given.lower else ''} "
            f"| {100 * counted['unknown_pieces'] / counted['words']:.1f} | {counted['pieces'] / counted['words']:.2f} "
            f"| {counted['pieces'] / counted['characters']:.2f} | {verdict(store)} | {worst} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
