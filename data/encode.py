"""Examples to token numbers and spans, in windows that never lose an entity."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np
from transformers import PreTrainedTokenizerBase

from data.markers import MARKERS, TYPED, TYPES, Marked, added_tokens, mark, ordinary_marks
from data.messages import listed
from data.offsets import BLANK, blanks_inside, lost_characters, pairs, token_spans, trimmed, word_at
from data.schema import Example

EMPTY = (np.zeros(0, dtype=np.int32), np.zeros((0, 2), dtype=np.int64))  # tokens and offsets of no text


@dataclass(frozen=True)
class EncodingOptions:
    """Everything besides the tokenizer that decides what a model sees of a sentence; stored with the model."""

    marker: str = "typed_punct"
    query: str = "none"
    type_words: str = "korean"
    types: tuple[str, ...] = TYPES
    max_length: int = 256

    def as_dict(self) -> dict:
        return asdict(self) | {"types": list(self.types)}


@dataclass(frozen=True)
class Encoded:
    """An encoded example: `tokens` (T,), `spans` (2, 3, 2) over them (see `markers.Marked`), `types` (2,).

    `second` is where the second segment starts (T where there is none). `cut` says that tokens were left out, `wide`
    that a span had to cover more characters than the entity, because a token crosses its rim. `pieces` counts the
    tokens of the sentence itself, before cutting and without markers; `unknown` are its words with an unknown token;
    `lost` counts its visible characters that no token covers.
    """

    tokens: np.ndarray
    second: int
    spans: np.ndarray
    types: np.ndarray
    extra: dict[str, int | np.ndarray]
    cut: bool
    wide: bool
    pieces: int
    unknown: tuple[str, ...]
    lost: int


class Encoder:
    """Encodes examples for one tokenizer and one set of options. Types count from 1; 0 is no type.

    `needs_types`: whether a type that the options do not list makes a row bad; else it counts as none.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, options: EncodingOptions, needs_types: bool = True):
        if len(options.types) > 127:  # stored in a byte
            raise ValueError(f"data.types: lists {len(options.types)} types, expected 127 at most")
        if not tokenizer.is_fast:
            raise ValueError(f"{type(tokenizer).__name__} gives no character offsets; expected a fast tokenizer")
        self.tokenizer, self.options, self.unknown = tokenizer, options, tokenizer.unk_token_id
        self.needs_types = needs_types
        # Metaspace writes the blank before a word into its token, and leaves it as a token where no longer one fits
        self.blank = tokenizer.get_vocab().get(BLANK, -1)
        self.blanks_inside = blanks_inside(tokenizer)
        self.shared: list[int] = []
        self._check_marks()
        self.type_number = {kind: number for number, kind in enumerate(options.types, start=1)}
        # what the tokenizer itself puts around one text and around a pair: [CLS] a [SEP] b [SEP], <s> a </s></s> b </s>
        text = next((text for text in ("a", "가", "1", ".") if self._numbers(text)), "a")  # some drop what they lack
        self.single, self.pair = self._template(text), self._template(text, text)

    def _check_marks(self) -> None:
        """Raises ValueError where markers get lost on the way to tokens; warns where types do."""
        marker, types = self.options.marker, self.options.types
        numbers = {token: self._numbers(token) for token in added_tokens(marker, types)}
        if lost := [token for token, found in numbers.items() if len(found) != 1 or found[0] == self.unknown]:
            raise ValueError(f"the tokenizer lacks the marker tokens {', '.join(lost)}: each must be one known token")
        marks = ordinary_marks(marker, types, self.options.type_words)
        if not marks:
            return
        lost = [mark for mark in marks if not (found := self._numbers(mark)) or self.unknown in found]
        subject, object = self._inside(marks[0]), self._inside(marks[1])
        pairs_of_tokens = zip(subject, object, strict=False)
        self.shared = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs_of_tokens)]
        if self._numbers(marks[0]) == self._numbers(marks[1]) or len(self.shared) == min(len(subject), len(object)):
            raise ValueError(
                f"data.marker: {marker} marks the subject with {marks[0]} and the object with {marks[1]}, but the "
                f"tokenizer {'knows neither' if {*marks[:2]} <= {*lost} else 'gives them the same first tokens'}, so "
                "that both look alike; use data.marker entity or typed"
            )
        if lost:
            warnings.warn(
                f"data.marker: the tokenizer does not know {', '.join(lost[:8])} of {marker}, so that the model cannot "
                "tell them apart; data.marker entity and typed add tokens of their own",
                stacklevel=3,
            )
        if subject[-1] == object[-1]:
            warnings.warn(
                f"data.marker: {marks[0]} and {marks[1]} of {marker} end in the same token, so that the pooling "
                "entity_start_end reads the same last token for both entities; data.marker entity and typed add "
                "tokens of their own",
                stacklevel=3,
            )
        words = [mark for mark in dict.fromkeys(marks[4:]) if mark not in lost]
        alike = [[other for other in words if self._numbers(other) == self._numbers(word)] for word in words]
        if alike := [", ".join(group) for group in alike if len(group) > 1]:
            warnings.warn(
                f"data.marker: the type words {alike[0]} of {marker} become the same tokens, so that the model cannot "
                "tell those types apart",
                stacklevel=3,
            )

    def _inside(self, mark: str) -> list[int]:
        """The tokens of a mark inside a text."""
        ((numbers, offsets),) = self._tokenize([f"a {mark} a"])
        return numbers[(offsets[:, 0] < 2 + len(mark)) & (offsets[:, 1] > 2)].tolist()

    def _numbers(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _template(self, *texts: str) -> list[list[int]]:
        encoding = self.tokenizer(*texts)
        parts: list[list[int]] = [[]]
        previous = None
        for token, sequence in zip(encoding["input_ids"], encoding.sequence_ids(0), strict=True):
            if sequence is None:
                parts[-1].append(token)
            elif sequence != previous:
                parts.append([])
            previous = sequence if sequence is not None else previous
        return parts

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever the tokenizer or an option would encode something differently."""
        described = self.tokenizer.backend_tokenizer.to_str() + repr(self.options) + repr((self.single, self.pair))
        if self.blanks_inside or self.shared:  # spans that were read otherwise before
            described += repr(("spans of words alone", self.shared))
        return hashlib.sha256(described.encode()).hexdigest()

    def encode(self, examples: Sequence[Example]) -> Iterator[Encoded | ValueError]:
        """One Encoded an example, or the ValueError that says why it cannot be encoded."""
        options = self.options
        marked: list[Marked | ValueError] = []
        for example in examples:
            try:
                for _, span in example.entities():
                    if not span.type and options.marker in TYPED:
                        raise ValueError(
                            f"the entities have no types, which data.marker {options.marker} writes; use one of "
                            f"{', '.join(marker for marker in MARKERS if marker not in TYPED)}"
                        )
                    if span.type and span.type not in self.type_number and self.needs_types:
                        raise ValueError(self._unknown_type(span.type, examples))
                marked.append(mark(example, options.marker, options.query, options.type_words))
            except ValueError as error:
                marked.append(error)
        first = self._tokenize([m.text if isinstance(m, Marked) else "" for m in marked])
        seconds = [(m.second if isinstance(m, Marked) else None) or "" for m in marked]
        second = self._tokenize(seconds) if any(seconds) else [EMPTY] * len(marked)
        for example, mark_or_error, a, b in zip(examples, marked, first, second, strict=True):
            try:
                if isinstance(mark_or_error, ValueError):
                    raise mark_or_error
                yield self._assemble(example, mark_or_error, a, b)
            except ValueError as error:
                yield error

    def unlisted(self, example: Example) -> bool:
        """Whether an entity has a type that the options do not list."""
        return any(span.type and span.type not in self.type_number for _, span in example.entities())

    def _unknown_type(self, kind: str, examples: Sequence[Example]) -> str:
        found = {span.type for example in examples for _, span in example.entities()}
        others = sorted(found - self.type_number.keys() - {kind, ""})
        also = f"; rows near it also have {listed(others)}" if others else ""
        known = ", ".join(self.options.types)
        advice = "list the types of your data in data.types, or set it to learned"
        return f"entity type {kind!r} is none of {known}; {advice}{also}"

    def _tokenize(self, texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Token numbers (t,) and character offsets (t, 2) of each text, without special tokens."""
        batch = self.tokenizer(
            texts,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        # offsets of one text at a time: tuples of a whole batch would keep the garbage collector busy
        tokens = [(np.array(one.ids, dtype=np.int32), pairs(one.offsets)) for one in batch.encodings]
        if self.blanks_inside:
            return [
                (ids, trimmed(text, ids, offsets, self.blank))
                for text, (ids, offsets) in zip(texts, tokens, strict=True)
            ]
        return tokens

    def _assemble(self, example: Example, marked: Marked, a, b) -> Encoded:
        (first, offsets), (second, _) = a, b
        spans, wide = token_spans(marked, offsets)  # (2, 3, 2) over `first`
        lost = lost_characters(marked.text, offsets)
        # without what of a marked span is not the entity's words
        pieces = len(first) - sum(end - start - (last - inner) for (start, end), _, (inner, last) in spans.tolist())
        unknown = self._unknown(marked.text, a, spans)
        parts = self.pair if marked.second else self.single
        if example.entities():
            self._skip_shared(first, spans[:, 0])
        room = self.options.max_length - sum(map(len, parts))
        if example.entities():
            keep = window(len(first), spans[:, 0], room - len(second), self.options.max_length)
        else:
            # the longer of the two texts gives way first
            second = second[: max(room // 2, room - len(first))]
            keep = np.arange(min(len(first), room - len(second)))
        cut = len(keep) < len(first) or len(second) < len(b[0])

        # a kept token's new place; spans are kept whole, so start and last token are enough
        if len(keep) < len(first):
            place = np.full(len(first), -1)
            place[keep] = np.arange(len(keep)) + len(parts[0])
            present = spans[..., 0] >= 0
            spans[present, 1] = place[spans[present, 1] - 1] + 1
            spans[present, 0] = place[spans[present, 0]]
            first = first[keep]
        else:
            spans[spans >= 0] += len(parts[0])

        pieces_of_both = [parts[0], first, parts[1], *([second, parts[2]] if marked.second else [])]
        tokens = np.concatenate(pieces_of_both, dtype=np.int32, casting="unsafe")  # an empty part is of floats
        start_of_second = len(parts[0]) + len(first) + len(parts[1])
        types = np.array([self.type_number.get(s.type, 0) for _, s in example.entities()] or [0, 0], dtype=np.int8)
        extra = extra_inputs(example, len(tokens))
        return Encoded(tokens, start_of_second, spans, types, extra, cut, wide, pieces, unknown, lost)

    def _skip_shared(self, tokens: np.ndarray, wholes: np.ndarray) -> None:
        """Let the marked spans `wholes` (2, 2) start at the first token that tells their markers apart."""
        for span in wholes:
            for token in self.shared:
                span[0] += tokens[span[0]] == token

    def _unknown(self, text: str, encoded, spans: np.ndarray) -> tuple[str, ...]:
        """For each unknown token that is no marker the word around it, between blanks."""
        tokens, offsets = encoded
        found = np.flatnonzero(tokens == self.unknown).tolist()
        if not found:
            return ()
        marked = [(start, end, inner, last) for (start, end), _, (inner, last) in spans.tolist()]
        return tuple(
            word_at(text, *offsets[place].tolist())
            for place in found
            if not any(start <= place < end and not inner <= place < last for start, end, inner, last in marked)
        )


def window(length: int, wholes: np.ndarray, room: int, max_length: int) -> np.ndarray:
    """Which of `length` tokens to keep in `room`: both marked spans `wholes` (2, 2), then what is nearest to them.

    Everything between the entities stays where it fits; otherwise the middle is left out and both neighbourhoods stay.
    Raises ValueError where the spans alone do not fit.
    """
    if length <= room:
        return np.arange(length)
    positions = np.arange(length)
    distance = np.full(length, length)
    between = (wholes[:, 0].min(), wholes[:, 1].max())
    runs = [between] if between[1] - between[0] <= room else wholes
    for start, end in runs:
        distance = np.minimum(distance, np.maximum(0, np.maximum(start - positions, positions - end + 1)))
    needed = int((distance == 0).sum())
    if needed > room:
        raise ValueError(
            f"the entities with their markers take {needed} tokens, but data.max_length {max_length} leaves room for "
            f"{max(room, 0)} beside special tokens and query"
        )
    return np.sort(np.argsort(distance, kind="stable")[:room])


def extra_inputs(example: Example, length: int) -> dict[str, int | np.ndarray]:
    """`example.extra` as int or int32 (length,)."""
    checked: dict[str, int | np.ndarray] = {}
    for name, value in example.extra.items():
        array = np.array(value)
        if array.shape not in ((), (length,)) or array.dtype.kind not in "biu":
            raise ValueError(
                f"extra input {name!r} has shape {array.shape} and type {array.dtype}, expected one int or one int "
                f"for each of the {length} tokens of the encoded example"
            )
        if array.min() < -(2**31) or array.max() >= 2**31:
            raise ValueError(f"extra input {name!r} holds a number that does not fit 32 bits")
        checked[name] = array.astype(np.int32) if array.shape else int(array)
    return checked
