"""Examples to token numbers and spans, in windows that never lose an entity."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from transformers import PreTrainedTokenizerBase

from data.markers import ABSENT, MARKERS, TYPED, TYPES, Marked, added_tokens, mark, ordinary_marks
from data.messages import listed
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
    tokens of the sentence itself, before cutting and without markers; `unknown` are its words with an unknown token.
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
        self._check_marks()
        self.type_number = {kind: number for number, kind in enumerate(options.types, start=1)}
        # what the tokenizer itself puts around one text and around a pair: [CLS] a [SEP] b [SEP], <s> a </s></s> b </s>
        self.single, self.pair = self._template("a"), self._template("a", "a")

    def _check_marks(self) -> None:
        """Raises ValueError where markers get lost on the way to tokens; warns where types do."""
        marker, types = self.options.marker, self.options.types
        numbers = {token: self._numbers(token) for token in added_tokens(marker, types)}
        if lost := [token for token, found in numbers.items() if len(found) != 1 or found[0] == self.unknown]:
            raise ValueError(f"the tokenizer lacks the marker tokens {', '.join(lost)}: each must be one known token")
        marks = ordinary_marks(marker, types, self.options.type_words)
        lost = [mark for mark in marks if not (found := self._numbers(mark)) or self.unknown in found]
        if marks and self._numbers(marks[0]) == self._numbers(marks[1]):
            raise ValueError(
                f"data.marker: {marker} marks the subject with {marks[0]} and the object with {marks[1]}, but the "
                "tokenizer knows neither, so that both look alike; use data.marker entity or typed"
            )
        if lost:
            warnings.warn(
                f"data.marker: the tokenizer does not know {', '.join(lost[:8])} of {marker}, so that the model cannot "
                "tell them apart; data.marker entity and typed add tokens of their own",
                stacklevel=3,
            )

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
        return [(np.array(one.ids, dtype=np.int32), pairs(one.offsets)) for one in batch.encodings]

    def _assemble(self, example: Example, marked: Marked, a, b) -> Encoded:
        (first, offsets), (second, _) = a, b
        spans, wide = token_spans(marked, offsets)  # (2, 3, 2) over `first`
        # without what of a marked span is not the entity's words
        pieces = len(first) - sum(end - start - (last - inner) for (start, end), _, (inner, last) in spans.tolist())
        unknown = self._unknown(marked.text, a, spans)
        parts = self.pair if marked.second else self.single
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
        return Encoded(tokens, start_of_second, spans, types, extra, cut, wide, pieces, unknown)

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
