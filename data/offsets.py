"""Which tokens cover which characters of a text, whatever a tokenizer's offsets hold besides the words.

Legend: t tokens, N characters of the text.
"""

import unicodedata
from itertools import chain

import numpy as np
from transformers import PreTrainedTokenizerBase

from data.markers import ABSENT, Marked

BLANK = "▁"  # what SentencePiece writes for a blank
INVISIBLE = "CMZ"  # categories of Unicode: control and format, marks that combine with what precedes, separators


def blanks_inside(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether its offsets count the blank before a word as part of the word."""
    text = "a a 가"
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return any(text[start:end] != text[start:end].strip() for start, end in offsets)


def trimmed(text: str, tokens: np.ndarray, offsets: np.ndarray, blank: int) -> np.ndarray:
    """`offsets` (t, 2) without the blanks at the rims of each token.

    A token of blanks alone covers nothing. But `blank`, a word's own beginning that no longer piece holds, covers the
    word's first character, as in tokenizers that cut at blanks before they write them.
    """
    visible = np.array([not character.isspace() for character in text] + [True])  # (N + 1,)
    places = np.arange(len(text) + 1)
    first = np.where(visible, places, len(text))  # (N + 1,) the nearest visible character from here
    first = np.minimum.accumulate(first[::-1])[::-1]
    last = np.maximum.accumulate(np.where(visible, places + 1, 0))  # (N + 1,) the end of the nearest before here
    starts, ends = first[offsets[:, 0]], last[np.maximum(offsets[:, 1] - 1, 0)]
    ends = np.maximum(starts, np.minimum(ends, offsets[:, 1]))
    filled = offsets[:, 1] > offsets[:, 0]
    opens = filled & (tokens == blank) & (starts == offsets[:, 1]) & (starts < len(text))
    kept = np.where(filled[:, None], np.stack([starts, ends], axis=1), offsets)
    kept[opens, 1] = kept[opens, 0] + 1
    return kept


def lost_characters(text: str, offsets: np.ndarray) -> int:
    """Visible characters of `text` that no token covers. Of a syllable in parts only the first counts."""
    edges = np.zeros(len(text) + 1, dtype=np.int64)
    np.add.at(edges, offsets[:, 0], 1)
    np.subtract.at(edges, offsets[:, 1], 1)
    bare = np.flatnonzero(edges[:-1].cumsum() <= 0)
    characters = (text[place] for place in bare.tolist())
    return sum(
        c != " " and unicodedata.category(c)[0] not in INVISIBLE and not "\u1160" <= c <= "\u11ff" for c in characters
    )


def pairs(offsets: list[tuple[int, int]]) -> np.ndarray:
    """Character offsets as (t, 2); numpy alone takes three times as long for a list of tuples."""
    return np.fromiter(chain.from_iterable(offsets), dtype=np.int64, count=2 * len(offsets)).reshape(-1, 2)


def word_at(text: str, start: int, end: int) -> str:
    """What stands between the blanks around `text[start:end]`."""
    blank = text.find(" ", end)
    return text[text.rfind(" ", 0, start) + 1 : blank if blank >= 0 else None]


def token_spans(marked: Marked, offsets: np.ndarray) -> tuple[np.ndarray, bool]:
    """Character spans to token spans (2, 3, 2): the smallest run of tokens that covers each.

    Also whether an entity's own words got a run that reaches beyond them.
    """
    spans = np.full((2, 3, 2), -1, dtype=np.int32)
    places = [(role, part) for role, parts in enumerate(marked.spans) for part, c in enumerate(parts) if c != ABSENT]
    if not places:
        return spans, False
    wanted = np.array([marked.spans[role][part] for role, part in places])  # (P, 2) characters
    inside = (offsets[:, 0] < wanted[:, 1:]) & (offsets[:, 1] > wanted[:, :1])  # (P, t)
    for (role, _), (start, end), found in zip(places, wanted.tolist(), inside.any(axis=1).tolist(), strict=True):
        if not found:
            name = "subject" if role == 0 else "object"
            raise ValueError(f"the tokenizer drops the {name} {marked.text[start:end]!r}: it yields no token")
    first, last = inside.argmax(axis=1), len(offsets) - 1 - inside[:, ::-1].argmax(axis=1)
    wide = False
    for (role, part), (start, end), a, b in zip(places, wanted.tolist(), first.tolist(), last.tolist(), strict=True):
        spans[role, part] = a, b + 1
        if part == 2:
            wide |= bool(offsets[a, 0] != start or offsets[b, 1] != end)
    return spans, wide
