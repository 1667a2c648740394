"""Tiny random encoders of five families, saved as users have them: weights, configuration, tokenizer."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, ElectraConfig, ModernBertConfig, RobertaConfig, XLMRobertaConfig

from data.batch import Batch
from engine.arguments.parse import parse
from engine.compose.model import make_encoder, make_model
from engine.compose.run import check_names
from models.tokens import wordpiece_tokenizer

VOCABULARY = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", *"가나다라마바사아자차카타파하@#*^", "##가", "##나"]
SIZES = {
    "vocab_size": len(VOCABULARY), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 48, "pad_token_id": 1,
}  # fmt: skip
MAKE = {
    "bert": lambda: BertConfig(**SIZES, max_position_embeddings=64),
    "roberta": lambda: RobertaConfig(**SIZES, max_position_embeddings=66, type_vocab_size=1),
    "xlm-roberta": lambda: XLMRobertaConfig(**SIZES, max_position_embeddings=66, type_vocab_size=1),
    "electra": lambda: ElectraConfig(**SIZES, max_position_embeddings=64, embedding_size=16),
    # short windows, so that sentences are longer than what its second layer sees
    "modernbert": lambda: ModernBertConfig(
        **SIZES, max_position_embeddings=64, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3,
        local_attention=6, global_attn_every_n_layers=2,
    ),
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Threads cost more than they bring at this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_config():
    """`tiny_config(family)`: a fresh configuration."""
    return lambda family: MAKE[family]()


@pytest.fixture(params=MAKE)
def family(request) -> str:
    return request.param


@pytest.fixture
def save(tmp_path):
    """`save(family, dtype)` leaves a pretrained folder and returns (folder, its backbone)."""

    def make(family: str, dtype: torch.dtype = torch.float32, **changes):
        torch.manual_seed(11)
        config = MAKE[family]()
        for key, value in changes.items():
            setattr(config, key, value)
        backbone = AutoModel.from_config(config).to(dtype)
        folder = tmp_path / f"pretrained-{family}"
        backbone.save_pretrained(folder)
        wordpiece_tokenizer(VOCABULARY).save_pretrained(folder)
        return folder, backbone

    return make


@pytest.fixture
def load():
    """`load(folder, key=value)` builds the model of a run on it; `__` stands for the dot."""

    def make(folder, classes: int = 5, **given):
        options = {"model.backbone": folder, "data.marker": "none", "data.max_length": 64, "model.tokenizer": "null"}
        options |= {key.replace("__", "."): value for key, value in given.items()}
        config, _, _ = parse([f"--{key}={value}" for key, value in options.items()])
        check_names(config)
        tokenizer, _, size = make_encoder(config)
        torch.manual_seed(5)
        return make_model(config, tokenizer, size, classes)

    return make


def packed(sequences: list[list[int]], second: list[int] | None = None) -> Batch:
    """A batch of token lists; subject at token 1, object at the last token but one."""
    lengths = np.array([len(sequence) for sequence in sequences])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.concatenate([np.arange(length) for length in lengths])
    starts = np.repeat(lengths if second is None else np.array(second), lengths)

    def spans(first: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.stack([first, first + 1], axis=1)[:, None].repeat(3, axis=1))

    zeros = torch.zeros(int(offsets[-1]), dtype=torch.long)
    return Batch(
        tokens=torch.tensor(np.concatenate(sequences)),
        positions=torch.from_numpy(positions),
        segments=torch.from_numpy((positions >= starts).astype(np.int64)),
        offsets=torch.from_numpy(offsets),
        lengths=torch.from_numpy(lengths),
        longest=int(lengths.max()),
        subject=spans(offsets[:-1] + 1),
        object=spans(offsets[1:] - 2),
        roles=zeros,
        types=zeros,
        index=torch.arange(len(sequences)),
        extra={},
    )


@pytest.fixture(name="packed")
def packed_fixture():
    return packed


@pytest.fixture
def sequences() -> list[list[int]]:
    """Five sentences of very different length, without padding or special meaning."""
    random = np.random.default_rng(3)
    return [[2, *random.integers(4, len(VOCABULARY), size=length).tolist(), 3] for length in (3, 30, 1, 12, 21)]
