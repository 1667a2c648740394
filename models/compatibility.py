"""Whether a tokenizer and a pretrained encoder belong together, told before anything is tokenised.

klue/bert-base and klue/roberta-base have 32,000 tokens each and agree in all but the five special ones: no check of
sizes notices that one is taken for the other, and the model then reads [CLS] as [SEP].
"""

import contextlib
import warnings
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from models.pretrained import read_config
from models.tokens import SLOT, has_tokenizer, load_tokenizer, number_of_rows

ROLES = ("pad", "unk", "cls", "sep", "mask")
PROBE = "Aa Éé 가나 漢字"  # case, accents, Hangul and Chinese characters are what normalizers treat differently
SAME_MODEL = 0.99  # of the lines; less is another vocabulary, the rest may be words that somebody replaced by hand


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, name: str, backbone: str) -> None:
    """Compare the tokenizer `name`, before tokens are added, with what the encoder `backbone` was trained with.

    Raises ValueError where the model would read other words than it learned, and where the embedding has too few rows
    for a tokenizer that does not extend the encoder's own. Warns of what can be trained nevertheless.
    """
    config = read_config(backbone)
    own = tokenizer if name == backbone else own_tokenizer(backbone)
    if own is not None and own is not tokenizer:
        same_words(own, tokenizer, name, backbone)
    pad, rows, wanted = config.pad_token_id, config.vocab_size, number_of_rows(tokenizer)
    if pad is not None and pad != tokenizer.pad_token_id:
        found = f"the padding token of {name} is {tokenizer.pad_token_id}, but that of {backbone} is {pad}"
        if own is None:
            raise ValueError(f"model.tokenizer: {found}: it is the tokenizer of another model")
        warnings.warn(f"model.tokenizer: {found} in its config.json", stacklevel=2)
    if own is None:
        for role, other in (("cls", "bos"), ("sep", "eos")):
            said = next((n for r in (role, other) if (n := getattr(config, f"{r}_token_id", None)) is not None), None)
            number = getattr(tokenizer, f"{role}_token_id")
            if said is not None and said != number:
                warnings.warn(
                    f"model.tokenizer: {getattr(tokenizer, f'{role}_token')} of {name} is {number}, but the "
                    f"config.json of {backbone}, which has no tokenizer to compare with, says {said}",
                    stacklevel=2,
                )
    if wanted > rows and own is None:
        raise ValueError(
            f"model.tokenizer: it has {wanted} tokens, but the embedding of {backbone} has {rows} rows and there is no "
            "tokenizer of its own to compare with; use the backbone's own tokenizer"
        )
    if wanted > rows:
        warnings.warn(
            f"model.tokenizer: {name} has {wanted:,} tokens, but the embedding of {backbone} has {rows:,} rows; it "
            f"gets {wanted - rows:,} more, which start from N(0, initializer_range)",
            stacklevel=2,
        )


def own_tokenizer(backbone: str) -> PreTrainedTokenizerBase | None:
    """The tokenizer that lies beside a backbone's weights, None where there is none."""
    if Path(backbone).is_dir() and not has_tokenizer(Path(backbone)):
        return None
    with contextlib.suppress(ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is only looked at
        tokenizer = load_tokenizer(backbone)
        return tokenizer if len(tokenizer) > len(tokenizer.all_special_tokens) else None
    return None


def same_words(own: PreTrainedTokenizerBase, chosen: PreTrainedTokenizerBase, name: str, backbone: str) -> None:
    """Raises ValueError where numbers mean something else. More tokens, and words in spare slots, are fine."""
    theirs = {number: token for token, number in own.get_vocab().items()}
    ours = {number: token for token, number in chosen.get_vocab().items()}
    differ = [n for n in theirs if n in ours and ours[n] != theirs[n]]
    agree = len(theirs) - len(differ) - len(theirs.keys() - ours.keys())
    counted = f"{agree:,} of its {len(theirs):,} vocabulary lines agree"
    special = []
    for role in ROLES:
        (wanted, number), (token, found) = (
            (getattr(t, f"{role}_token"), getattr(t, f"{role}_token_id")) for t in (own, chosen)
        )
        if number is not None and number != found and not (found is None and role == "mask"):
            special.append(
                f"{wanted} {number} vs {found}" if wanted == token else f"{wanted} {number} vs {token} {found}"
            )
    if special:
        raise ValueError(
            f"model.tokenizer: {name} is the tokenizer of another model than {backbone}: {', '.join(special)} "
            f"({counted}); leave it null for the backbone's own"
        )
    words = [n for n in differ if not SLOT.fullmatch(theirs[n]) and not SLOT.fullmatch(ours[n])]
    shown = ", ".join(f"{n} {theirs[n]!r} vs {ours[n]!r}" for n in sorted(words)[:3])
    if len(words) > (1 - SAME_MODEL) * len(theirs):
        raise ValueError(
            f"model.tokenizer: {name} has other words than the tokenizer of {backbone}: {counted} ({shown}, ...); "
            "leave it null for the backbone's own"
        )
    if words:
        warnings.warn(f"model.tokenizer: {name} is not quite that of {backbone}: {counted} ({shown})", stacklevel=3)
    elif (expected := own.tokenize(PROBE)) != (cut := chosen.tokenize(PROBE)):
        warnings.warn(
            f"model.tokenizer: {name} has the words of {backbone}, but cuts {PROBE!r} to "
            f"{' '.join(cut)} and not to {' '.join(expected)}: is its lower-casing another one?",
            stacklevel=3,
        )
