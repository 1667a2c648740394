"""Which rows hold the same sentence: a number of 64 bits for each text, kept in the token store."""

import hashlib
from unicodedata import normalize

import numpy as np


def sentence_key(text: str) -> int:
    """The same for texts that differ in blanks or Unicode form (NFC, NFD) only: first 8 bytes of a SHA-256, signed.

    A second text (`text_pair`) does not count: pairs with the same first text are kept together.
    """
    plain = " ".join(normalize("NFC", text).split())
    return int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8], "little", signed=True)


def shared(first: np.ndarray, second: np.ndarray) -> int:
    """How many different sentences occur on both sides."""
    return len(np.intersect1d(first, second))
