"""What an encoded corpus is checked for before anything is trained on it."""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from data.store.token_store import TokenStore


def rows_without_entities(key: str, store: TokenStore, pooling: str, option: str = "model.pooling") -> None:
    """Raises ValueError where a pooling, chosen by `option`, would read entities that are not there."""
    if len(missing := np.flatnonzero(store.spans[:, 0, 0, 0] < 0)):
        raise ValueError(
            f"{option}: {pooling} reads the entities, but {len(missing)} rows of {key} have none, the first is "
            f"{store.id(missing[0])!r}; use model.pooling cls"
        )


def something_to_embed(kinds: Sequence[str], store: TokenStore) -> None:
    """Raises ValueError where entity embeddings would learn one vector for all tokens."""
    found = {"role": (store.spans[:, 0, 0, 0] >= 0).any(), "type": (store.types > 0).any()}
    if idle := [kind for kind in kinds if not found[kind]]:
        raise ValueError(f"model.entity_embeddings: {', '.join(idle)}: no row of data.train has one; expected []")


def known_language(key: str, store: TokenStore) -> None:
    """Warns where a tokenizer seems to be made for another language; raises ValueError where nothing can be learned.

    The limits lie half way (geometrically) between tokenizers of the right and of another language, measured on KLUE-RE
    in benchmarks/NOTES.md. Tokens must outnumber characters, too: where words stand without blanks, they are long.
    """
    share = store.facts["unknown"] / store.facts["tokens"]
    counted = store.facts["words"]
    unknown = 100 * counted["unknown_pieces"] / max(counted["words"], 1)
    each = counted["pieces"] / max(counted["words"], 1)
    worst = [f"{word} ({times:,})" for word, times in counted["unknown_words"][:5]]
    split = [f"{word} ({times:,} times {pieces} tokens)" for word, times, pieces in counted["split_words"][:5]]
    lost = counted["lost"] / max(counted["characters"], 1)
    if lost > 0.5:
        raise ValueError(
            f"model.tokenizer: {100 * lost:.1f} % of the characters of {key} are in none of its tokens: it drops what "
            "its vocabulary lacks, and its unknown token does not stand for it"
        )
    if lost > 0.001:
        warnings.warn(
            f"model.tokenizer: {counted['lost']:,} characters of {key} ({100 * lost:.1f} %) are in none of its tokens, "
            "and no unknown token stands for them: the model does not see them",
            stacklevel=2,
        )
    if share > 0.5:
        raise ValueError(
            f"model.tokenizer: {100 * share:.1f} % of the tokens of {key} are unknown to it, most often "
            f"{', '.join(worst)}"
        )
    if unknown > 8 or (each > 4 and counted["pieces"] > counted["characters"]):
        warnings.warn(
            f"model.tokenizer: it hardly knows the language of {key}: {unknown:.1f} unknown pieces in 100 words, "
            f"{each:.1f} tokens a word; the worst: {', '.join(worst if unknown > 8 else split)}",
            stacklevel=2,
        )


def words_that_occur(tokenizer: PreTrainedTokenizerBase, words: Iterable[str], store: TokenStore) -> None:
    """Warns of added words that no training row holds: their embeddings would stay as they start."""
    numbers = {word: tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words}
    if idle := [word for word, number in numbers.items() if not (store.tokens == number).any()]:
        warnings.warn(f"model.added_tokens: no row of data.train holds {', '.join(idle)}", stacklevel=2)
