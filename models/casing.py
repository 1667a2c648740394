"""Whether a tokenizer changes letters that its vocabulary has, or leaves letters that it has not.

Lower-casing in BERT's way also takes accents off, and for that every Hangul syllable apart.
"""

import json
import string

from transformers import PreTrainedTokenizerBase

UPPER, LOWER = frozenset(string.ascii_uppercase), frozenset(string.ascii_lowercase)
ALL_PARTS = 40  # as many tokens of parts of syllables a vocabulary of them has; others have some by chance


class Letters:
    """Counts over a vocabulary, and what the tokenizer's normalizer does."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        special = {*tokenizer.all_special_tokens, *tokenizer.added_tokens_encoder}
        words = [word for word in tokenizer.get_vocab() if word not in special and word[:1] + word[-1:] != "[]"]
        bare = {word.removeprefix("##").removeprefix("▁") for word in words}
        self.capitals = sum(not UPPER.isdisjoint(word) for word in words)
        self.small = sum(not LOWER.isdisjoint(word) for word in words)
        self.alphabet = bare >= LOWER
        self.syllables = sum(any("가" <= c <= "힣" for c in word) for word in words)
        self.parts = sum(any("\u1100" <= c <= "\u11ff" for c in word) for word in words)
        normalizer = tokenizer.backend_tokenizer.normalizer
        changed = "A가" if normalizer is None else normalizer.normalize_str("A가")
        self.lowers, self.splits = "A" not in changed, "가" not in changed
        self.cased = 10 * self.capitals > self.small
        self.composed = self.syllables > self.parts
        self.bytes = "ByteLevel" in json.dumps(json.loads(tokenizer.backend_tokenizer.to_str())["pre_tokenizer"])


def casing(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """What of its vocabulary its normalizer keeps from being found; nothing where they agree."""
    letters, found = Letters(tokenizer), []
    if letters.bytes:
        return found
    if letters.lowers and letters.cased and letters.capitals:
        found.append(f"{letters.capitals:,} of its words have capital letters, which lower-casing never finds")
    if letters.splits and letters.composed:
        found.append(f"{letters.syllables:,} of its words have Hangul syllables, which are never found taken apart")
    if not letters.lowers and letters.alphabet and not letters.capitals:
        found.append("its words have no capital letter, so that every word with one becomes unknown")
    if not letters.splits and letters.parts >= ALL_PARTS and not letters.syllables:
        found.append("it has parts of Hangul syllables alone, so that every whole syllable becomes unknown")
    return found


def casing_options(tokenizer: PreTrainedTokenizerBase) -> dict[str, bool]:
    """The options of BERT's tokenizer that agree with the vocabulary; none where the present ones do."""
    if not casing(tokenizer) or not hasattr(tokenizer, "do_lower_case"):
        return {}
    letters = Letters(tokenizer)
    lower = bool(letters.small) and not letters.cased
    return {"do_lower_case": lower} | ({"strip_accents": False} if lower and letters.composed else {})


def casing_advice(tokenizer: PreTrainedTokenizerBase) -> str:
    """What to set where `casing` found something."""
    letters = Letters(tokenizer)
    lower = bool(letters.small) and not letters.cased
    return f"do_lower_case {str(lower).lower()}" + (" and strip_accents false" if lower and letters.composed else "")
