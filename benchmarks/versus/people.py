"""What people write around the Trainer: a data set of token lists, a model of a backbone and a head, a stock collator.

Nothing of this repository is imported here: `start_trainer.py` times what these lines need to start.

Legend: B examples, L tokens of the longest, H hidden size, C classes.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, AutoTokenizer, DataCollatorWithPadding

PARTS = ("tokens", "offsets", "subject", "object", "labels")


class TokenisedRows(torch.utils.data.Dataset):
    """Examples as dicts of lists and numbers, read from arrays on disk. `order`: rows in another order than the file's.

    `with_index` adds the row's number, by which the benchmark knows what was trained on.
    """

    def __init__(self, folder: Path, order: np.ndarray | None = None, with_index: bool = False):
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in PARTS}
        self.tokens, self.offsets = arrays["tokens"], arrays["offsets"]
        self.subject, self.object, self.labels = arrays["subject"], arrays["object"], arrays["labels"]
        self.order, self.with_index = order, with_index

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def __getitem__(self, number: int) -> dict:
        row = number if self.order is None else int(self.order[number])
        tokens = self.tokens[self.offsets[row] : self.offsets[row + 1]].tolist()
        example = {
            "input_ids": tokens,
            "attention_mask": [1] * len(tokens),
            "subject": int(self.subject[row]),
            "object": int(self.object[row]),
            "label": int(self.labels[row]),
        }
        return example | {"index": row} if self.with_index else example


class EntityClassifier(nn.Module):
    """A stock encoder; [CLS] and the first token of both entities through dropout, dense, GELU, dropout, dense."""

    def __init__(self, config, classes: int, dropout: float = 0.1):
        super().__init__()
        self.backbone = AutoModel.from_config(config, add_pooling_layer=False, attn_implementation="sdpa")
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(3 * config.hidden_size, config.hidden_size)
        self.out = nn.Linear(config.hidden_size, classes)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, subject: Tensor, object: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """input_ids, attention_mask (B, L); subject, object, labels (B,) -> loss, logits (B, C)."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # (B, L, H)
        rows = torch.arange(len(hidden), device=hidden.device)
        features = torch.cat([hidden[:, 0], hidden[rows, subject], hidden[rows, object]], dim=1)  # (B, 3H)
        logits = self.out(self.dropout(F.gelu(self.dense(self.dropout(features)))))  # (B, C)
        loss = {} if labels is None else {"loss": F.cross_entropy(logits, labels)}
        return loss | {"logits": logits}


def model_of(prepared: Path, classes: int) -> EntityClassifier:
    return EntityClassifier(AutoConfig.from_pretrained(prepared), classes)


def collator_of(prepared: Path, multiple: int | None = None) -> DataCollatorWithPadding:
    """Pads to the longest of the batch, or to the next multiple of a number."""
    tokenizer = AutoTokenizer.from_pretrained(prepared, trust_remote_code=False)
    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=multiple)
