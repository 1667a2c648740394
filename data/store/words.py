"""How well a tokenizer knows the language of a corpus, counted while the corpus is encoded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

TEXTS = 2000  # of which words are kept to find those that are split most; a bound on time and memory
UNKNOWN = 20_000  # different words with unknown tokens that are kept
FREQUENT = 200  # words that are looked at
SHOWN = 10
LONGEST = 24  # characters of a word that are kept


@dataclass
class Texts:
    """What is counted of some texts apart from the rest, in their order: WordCount takes the parts together."""

    number: int = 0
    words: int = 0
    characters: int = 0
    pieces: int = 0
    lost: int = 0
    texts: list[str] = field(default_factory=list)
    unknown: list[Sequence[str]] = field(default_factory=list)

    def add(self, text: str, pieces: int, unknown: Sequence[str], lost: int = 0) -> None:
        """A text, how many tokens it became, its words that became the unknown token, characters in no token."""
        self.number += 1
        self.words += len(text.split())
        self.characters += len(text) - text.count(" ")
        self.pieces += pieces
        self.lost += lost
        self.texts.append(text)
        if unknown:
            self.unknown.append(unknown)


class WordCount:
    """Words are what stands between blanks. Second segments and markers are not counted."""

    def __init__(self):
        self.texts = self.words = self.characters = self.pieces = self.unknown_pieces = self.lost = 0
        self.seen: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Whether the texts of later parts are not looked at any more, only their counts."""
        return self.texts >= TEXTS

    def join(self, part: Texts) -> None:
        """Add the next texts, in order."""
        for text in part.texts[: max(0, TEXTS - self.texts)]:
            self.seen.update(text.split())
        for unknown in part.unknown:
            self.unknown_pieces += len(unknown)
            if len(self.unknown) < UNKNOWN:
                self.unknown.update(unknown)
        self.texts += part.number
        self.words += part.words
        self.characters += part.characters
        self.pieces += part.pieces
        self.lost += part.lost

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
            "lost": self.lost,
            "unknown_pieces": self.unknown_pieces,
            "unknown_words": [[word[:LONGEST], times] for word, times in self.unknown.most_common(SHOWN)],
            "split_words": split[:SHOWN],
        }
