"""The model: backbone -> pooling -> head.

Legend: B examples, T tokens of all of them, H hidden size, F features, C classes.
"""

from dataclasses import dataclass

from torch import Tensor
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from data.batch import Batch
from models.backbone import empty_backbone, hidden_states
from models.heads import HEADS
from models.pooling import POOLINGS


@dataclass
class Output(ModelOutput):
    """logits (B, C), features (B, F). A ModelOutput, so that mixed precision hands float32 back."""

    logits: Tensor | None = None
    features: Tensor | None = None


class RelationConfig(PreTrainedConfig):
    """The backbone's own configuration, nested, and what stands on top of it. Fields, as transformers 5 wants them."""

    model_type = "plainloop_relation"
    sub_configs = {"backbone": AutoConfig}  # noqa: RUF012 (the name and form are transformers')

    backbone: dict | PreTrainedConfig | None = None
    pooling: str = "entity_start"
    head: str = "mlp"
    head_dropout: float = 0.1
    classes: int = 2

    def __post_init__(self, **kwargs):
        if isinstance(self.backbone, dict):
            self.backbone = AutoConfig.for_model(**self.backbone)
        super().__post_init__(**kwargs)


class RelationModel(PreTrainedModel):
    """Any encoder under a pooling of `models/pooling.py` and a head of `models/heads.py`."""

    config_class = RelationConfig
    base_model_prefix = "relation"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(self, config: RelationConfig):
        super().__init__(config)
        hidden_size = config.backbone.hidden_size
        self.backbone = empty_backbone(config.backbone)
        self.pool = POOLINGS[config.pooling](hidden_size)
        self.head = HEADS[config.head](self.pool.features, hidden_size, config.classes, config.head_dropout)
        self.post_init()  # transformers: initialises the weights and makes from_pretrained work

    def forward(self, batch: Batch) -> Output:
        hidden = hidden_states(self.backbone, batch)  # (T, H)
        features = self.pool(hidden, batch)  # (B, F)
        logits = self.head(features)  # (B, C)
        return Output(logits=logits, features=features)
