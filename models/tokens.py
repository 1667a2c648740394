"""Tokenizers, and tokens added to them: tokenizer, embedding, configuration and saved model agree."""

import math
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AddedToken, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from models.backbone import fetch, first_line


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name. Raises ValueError where it cannot be had or has no padding token."""
    path = Path(name)
    try:
        if path.exists():
            if not path.is_dir():
                raise ValueError(f"{name} is a file, expected a folder or a hub name")
            tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False, local_files_only=True)
        else:
            tokenizer = fetch(
                name,
                lambda **options: AutoTokenizer.from_pretrained(name, trust_remote_code=False, **options),
                "model.tokenizer",
            )
        tokenizer("\U0001f9ff")  # a vocabulary without its own unknown token fails at the first unknown character
    except Exception as error:  # the Rust library raises plain Exceptions
        message = str(error) if str(error).startswith("model.") else f"model.tokenizer: {name}: {first_line(error)}"
        raise ValueError(message) from None
    if tokenizer.pad_token_id is None or tokenizer.unk_token_id is None:
        raise ValueError(f"model.tokenizer: {name} has no padding or no unknown token; expected an encoder's tokenizer")
    return tokenizer


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


def add_tokens(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> int:
    """Add marker tokens that the tokenizer does not know yet, and return how many were new."""
    known = tokenizer.get_vocab()
    new = [AddedToken(token, special=True, normalized=False) for token in tokens if token not in known]
    return tokenizer.add_tokens(new, special_tokens=True) if new else 0


def fit_embedding(backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Give the backbone's embedding a row for every token, and return how many were added.

    New rows are drawn from N(0, initializer_range): the default of transformers makes them near copies of one vector.
    """
    rows = backbone.get_input_embeddings().num_embeddings
    if len(tokenizer) <= rows:
        return 0
    backbone.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    assert backbone.config.vocab_size == len(tokenizer)
    added = backbone.get_input_embeddings().weight.detach()[rows:]
    assert len(added) < 2 or not math.isclose(float(added.std(dim=0).max()), 0.0)
    return len(added)
