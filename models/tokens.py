"""Tokenizers, and tokens added to them: tokenizer, embedding, configuration and saved model agree."""

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AddedToken, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from models.casing import casing, casing_advice
from models.pretrained import fetch, reason
from models.tokenizer_files import open_tokenizer
from models.vocabularies import NAMES

SLOT = re.compile(r"[\[<]unused_?\d+[\]>]", re.IGNORECASE)  # [unused0] of BERT and KLUE, <unused0> elsewhere
UNKNOWN = ("\U0001f9ff", "쀍", "龘", "@")  # what vocabularies lack
FILES = ("tokenizer*", "vocab*", "*.model", "*.txt", "merges*")  # one of them is in every folder that has a tokenizer


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name. Raises ValueError where it cannot be had or has no padding token."""
    path = Path(name)
    try:
        if path.exists():
            if not path.is_dir():
                raise ValueError(f"{name} is a file, expected a folder or a hub name")
            if not has_tokenizer(path):  # the library makes one of five tokens up
                raise ValueError(f"the folder {name} has no tokenizer files; expected tokenizer.json or vocab.txt")
        tokenizer = open_tokenizer(name, lambda name, load: fetch(name, load, "model.tokenizer"))
        tokenizer("\U0001f9ff")  # a vocabulary without its own unknown token fails at the first unknown character
    except Exception as error:  # the Rust library raises plain Exceptions
        message = str(error) if str(error).startswith("model.") else f"model.tokenizer: {name}: {reason(error)}"
        raise ValueError(message) from None
    if not tokenizer.is_fast:
        raise ValueError(f"model.tokenizer: {name} ({type(tokenizer).__name__}) gives no character offsets")
    if tokenizer.pad_token_id is None or tokenizer.unk_token_id is None:
        raise ValueError(f"model.tokenizer: {name} has no padding or no unknown token; expected an encoder's tokenizer")
    if code := tokenizer.init_kwargs.get("auto_map"):
        warnings.warn(
            f"model.tokenizer: {name} names code of its own ({code}), which is never run here; its files are read as "
            f"{type(tokenizer).__name__} of transformers",
            stacklevel=2,
        )
    roles = ("pad", "cls", "sep", "mask", "bos", "eos")
    lost = [role for role in roles if getattr(tokenizer, f"{role}_token_id") == tokenizer.unk_token_id]
    if lost:
        tokens = ", ".join(f"{role} {getattr(tokenizer, f'{role}_token')!r}" for role in lost)
        raise ValueError(f"model.tokenizer: in {name} the special tokens {tokens} are its unknown token")
    known_roles(tokenizer, name)
    if disagreement := casing(tokenizer):
        warnings.warn(
            f"model.tokenizer: the vocabulary of {name} and its normalizer disagree: {'; '.join(disagreement)}. Set "
            f"{casing_advice(tokenizer)} in tokenizer_config.json, and in a tokenizer.json lowercase and strip_accents "
            "of its normalizer alike",
            stacklevel=2,
        )
    if not tokenizer("")["input_ids"]:
        warnings.warn(
            f"model.tokenizer: {name} puts no special tokens around a text, so nothing stands for the sentence as a "
            "whole; encoders are trained with [CLS] or <s> before it",
            stacklevel=2,
        )
    return tokenizer


def known_roles(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Raises ValueError where unknown characters become another token than the unknown one, or where special tokens
    are looked for under other names than the vocabulary has."""
    kind = type(tokenizer).__name__
    special = {number for number in tokenizer.all_special_ids if number != tokenizer.unk_token_id}
    for character in UNKNOWN:
        if taken := special & {*tokenizer(character, add_special_tokens=False)["input_ids"]}:
            raise ValueError(
                f"model.tokenizer: in {name}, read as {kind}, unknown characters such as {character} become "
                f"{tokenizer.convert_ids_to_tokens(min(taken))} and not {tokenizer.unk_token}: that class is not the "
                "one of its vocabulary; name another tokenizer_class in tokenizer_config.json, or none, so that the "
                "vocabulary is read as it is"
            )
    known, words = tokenizer.get_vocab(), tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    for role, names in NAMES.items():
        token = getattr(tokenizer, f"{role}_token")
        others = [other for other in names if other in known and other != token]
        if role == "mask" or token is None or not others:
            continue
        if token not in words and others[0] in words:
            raise ValueError(
                f"model.tokenizer: {name}, read as {kind}, takes {token} for its {role} token, which its vocabulary "
                f"lacks: it has {others[0]}; name another tokenizer_class in tokenizer_config.json, or write "
                f'"{role}_token": "{others[0]}" there'
            )
        if role in ("pad", "unk"):
            warnings.warn(
                f"model.tokenizer: the vocabulary of {name}, read as {kind}, has two {role} tokens, {token} and "
                f"{others[0]}: is it that of another tokenizer_class?",
                stacklevel=3,
            )


def has_tokenizer(folder: Path) -> bool:
    return any(path.is_file() for pattern in FILES for path in folder.glob(pattern))


def wordpiece_tokenizer(vocabulary: Sequence[str]) -> PreTrainedTokenizerBase:
    """A BERT tokenizer (case and accents kept) over `vocabulary`, whose order gives the numbers."""
    numbers = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
    )


def add_tokens(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> list[str]:
    """Add marker tokens: special, found wherever they stand in a text, never split. Returns those that were new.

    Numbers of the vocabulary never move. A new token takes a spare `[unused]` slot where there is one, lowest number
    first, and a number behind the last one otherwise. What is there already is not added again.
    """
    known = tokenizer.get_vocab()
    new = [token for token in dict.fromkeys(tokens) if token not in known]
    take_numbers(tokenizer, new)
    # one in the vocabulary is still cut at < and : unless it is registered, too
    split = [token for token in dict.fromkeys(tokens) if not is_one_token(tokenizer, token)]
    if split:
        tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in split], special_tokens=True)
    return new


def add_words(tokenizer: PreTrainedTokenizerBase, words: Mapping[str, str | None]) -> dict[str, str | None]:
    """Add ordinary words, numbered as in `add_tokens`; each may have a describing text, see `fit_embedding`.

    Returns those that were new, as the vocabulary holds them.

    WordPiece: the word joins the vocabulary itself and is found like its other words, at the start of a word and
    longest first, so that a particle stays a piece of its own (메타버스는 -> 메타버스 ##는). BPE, Unigram, and words
    that WordPiece cuts before it looks them up (COVID-19): found where they stand between blanks or punctuation
    (single_word), in the tokenizer's own normal form (normalized), with the blank before them in BPE (lstrip).

    Raises ValueError for what cannot be one token.
    """
    backend = tokenizer.backend_tokenizer
    kind = type(backend.model).__name__
    added: dict[str, str | None] = {}
    first: dict[str, str] = {}  # normal form -> the first word that has it: others are the same token
    found: list[AddedToken] = []
    for word, described in words.items():
        if not word or word != word.strip() or SLOT.fullmatch(word):
            raise ValueError(f"model.added_tokens: {word!r} is no word; expected text without blanks around it")
        normal = backend.normalizer.normalize_str(word) if backend.normalizer else word
        if normal in first or is_one_token(tokenizer, word):
            continue
        first[normal] = word
        pieces = backend.pre_tokenizer.pre_tokenize_str(normal) if backend.pre_tokenizer else [normal]
        if kind == "WordPiece" and len(pieces) == 1:
            added.setdefault(pieces[0][0], described)
        else:
            found.append(AddedToken(word, single_word=True, normalized=True, lstrip=kind == "BPE"))
            added[word] = described
    take_numbers(tokenizer, [*added])  # once for all of them: it writes the whole vocabulary
    if found:
        tokenizer.add_tokens(found)
    for word in first.values():
        if not is_one_token(tokenizer, word):
            raise ValueError(f"model.added_tokens: {word!r} cannot be one token of this tokenizer")
    return added


def is_one_token(tokenizer: PreTrainedTokenizerBase, word: str) -> bool:
    """Whether a text of this word alone becomes exactly one token that is not the unknown one."""
    numbers = tokenizer(word, add_special_tokens=False)["input_ids"]
    return len(numbers) == 1 and (numbers[0] != tokenizer.unk_token_id or word == tokenizer.unk_token)


def take_numbers(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> None:
    """Write `tokens` over spare slots of the vocabulary; WordPiece takes the others behind its last number."""
    known = tokenizer.get_vocab()
    backend = tokenizer.backend_tokenizer
    wordpiece = type(backend.model).__name__ == "WordPiece"
    tokens = [token for token in tokens if token not in known]
    registered = tokenizer.added_tokens_encoder
    slots = sorted((n, token) for token, n in known.items() if SLOT.fullmatch(token) and token not in registered)
    if not tokens or not (slots or wordpiece):
        return
    described = json.loads(backend.to_str())
    vocabulary = described["model"]["vocab"]
    if isinstance(vocabulary, dict):
        at = {number: token for token, number in vocabulary.items()}
    else:  # Unigram: [token, score], the place is the number
        at = dict(enumerate(token for token, _ in vocabulary))
    at |= dict(zip([number for number, _ in slots], tokens, strict=False))
    if wordpiece:
        # added tokens of before join the vocabulary: it must have no holes, or they move when it is opened again
        at = {number: token for token, number in registered.items()} | at
        at |= dict(enumerate(tokens[len(slots) :], start=max(at) + 1))
    if isinstance(vocabulary, dict):
        described["model"]["vocab"] = {token: number for number, token in sorted(at.items())}
    else:
        described["model"]["vocab"] = [[at[number], score] for number, (_, score) in enumerate(vocabulary)]
    described |= {"added_tokens": [], "post_processor": None}  # only the model is taken
    backend.model = Tokenizer.from_str(json.dumps(described)).model


def number_of_rows(tokenizer: PreTrainedTokenizerBase) -> int:
    """Rows that an embedding needs for it."""
    return max(tokenizer.get_vocab().values()) + 1


@torch.no_grad()
def fit_embedding(
    backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, new: Mapping[str, str | None] | None = None
) -> int:
    """Give the backbone's embedding a row for every token, and those of `new` (token -> describing text) new values.

    A described row starts from the mean of the rows of its text's tokens plus N(0, initializer_range / 2), so that two
    tokens with one description lie half as far apart as two that were drawn; every other new row, in a slot or behind
    the last one, is drawn from N(0, initializer_range). (The default of transformers makes them near copies of one
    vector.) Draws from torch's generator in the order of their numbers. Returns how many rows were added.
    """
    before, wanted = backbone.get_input_embeddings().num_embeddings, number_of_rows(tokenizer)
    if wanted > before:
        backbone.resize_token_embeddings(wanted, mean_resizing=False)
        assert backbone.config.vocab_size == wanted
    weight = backbone.get_input_embeddings().weight
    spread = getattr(backbone.config, "initializer_range", None) or 0.02
    described = {tokenizer.convert_tokens_to_ids(token): text for token, text in (new or {}).items()}
    fresh = sorted({*described, *range(before, wanted)})
    drawn = []
    for number in fresh:
        text = described.get(number)
        known = set(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else set()
        known -= {tokenizer.unk_token_id, *fresh}
        noise = torch.empty_like(weight[number]).normal_()
        weight[number] = weight[sorted(known)].mean(dim=0) + spread / 2 * noise if known else spread * noise
        if text and not known:
            drawn.append(f"{tokenizer.convert_ids_to_tokens(number)} ({text})")
    if drawn:
        warnings.warn(
            f"model.tokenizer: it knows nothing of the texts that describe {', '.join(drawn[:8])}; "
            f"{len(drawn)} tokens start from N(0, initializer_range)",
            stacklevel=3,
        )
    return max(0, wanted - before)
