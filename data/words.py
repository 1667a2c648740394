"""How well a tokenizer knows the language of a corpus, counted while the corpus is encoded."""

from collections import Counter
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

TEXTS = 2000  # of which words are kept to find those that are split most; a bound on time and memory
UNKNOWN = 20_000  # different words with unknown tokens that are kept
FREQUENT = 200  # words that are looked at
SHOWN = 10
LONGEST = 24  # characters of a word that are kept


class WordCount:
    """Words are what stands between blanks. Second segments and markers are not counted."""

    def __init__(self):
        self.texts = self.words = self.characters = self.pieces = self.unknown_pieces = 0
        self.seen: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def add(self, text: str, pieces: int, unknown: Sequence[str]) -> None:
        """A text, how many tokens it became, and its words that became the unknown token."""
        words = text.split()
        self.texts += 1
        self.words += len(words)
        self.characters += len(text) - text.count(" ")
        self.pieces += pieces
        if self.texts <= TEXTS:
            self.seen.update(words)
        if unknown:
            self.unknown_pieces += len(unknown)
            if len(self.unknown) < UNKNOWN:
                self.unknown.update(unknown)

    def facts(self, tokenizer: PreTrainedTokenizerBase) -> dict:
        """Counts; `unknown_words` [[word, times], ...] and `split_words` [[word, times, tokens], ...], worst first.

        A frequent word that is split is as bad as the tokens that it costs: times x (tokens - 1).
        """
        frequent = self.seen.most_common(FREQUENT)
        texts = [word for word, _ in frequent] or [""]
        encoded = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"][: len(frequent)]
        split = [
            [word[:LONGEST], times, len(e)] for (word, times), e in zip(frequent, encoded, strict=True) if len(e) > 1
        ]
        split.sort(key=lambda found: (-found[1] * (found[2] - 1), found[0]))
        return {
            "words": self.words,
            "characters": self.characters,
            "pieces": self.pieces,
            "unknown_pieces": self.unknown_pieces,
            "unknown_words": [[word[:LONGEST], times] for word, times in self.unknown.most_common(SHOWN)],
            "split_words": split[:SHOWN],
        }
