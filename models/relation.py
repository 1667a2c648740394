"""The model: backbone -> pooling -> head.

Legend: B examples, T tokens of all of them, H hidden size, F features, C classes.
"""

from dataclasses import dataclass, field

from torch import Tensor, nn
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from data.batch import Batch
from models.backbone import check_embedding, empty_backbone, hidden_states, take_pooler
from models.embeddings import EntityEmbeddings, embedding_width
from models.heads import HEADS
from models.last_layer import answer_few
from models.pooling import make_pooling


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
    pooling_options: dict = field(default_factory=dict)
    with_cls: bool | None = None
    head: str = "mlp"
    head_options: dict = field(default_factory=dict)
    entity_embeddings: list = field(default_factory=list)
    entity_types: int = 0
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
        self.pool = make_pooling(config.pooling, hidden_size, config.with_cls, config.pooling_options)
        if self.pool.layers > config.backbone.num_hidden_layers:
            raise ValueError(
                f"model.pooling_options.layers: got {self.pool.layers}, but the backbone has "
                f"{config.backbone.num_hidden_layers} layers"
            )
        self.head = HEADS[config.head](self.pool.features, hidden_size, config.classes, **config.head_options)
        self.embeddings = None
        self.put_backbone(empty_backbone(config.backbone, pooler=self.pool.takes_pooler))
        if config.entity_embeddings:
            width = embedding_width(self.backbone)
            self.embeddings = EntityEmbeddings(config.entity_embeddings, config.entity_types, width)
        self.post_init()  # transformers: initialises the weights and makes from_pretrained work

    @classmethod
    def from_pretrained(cls, *args, **options):
        """As in transformers, and to the last bit: weights read from a file lie at any address, and matrix kernels
        round differently where it is no multiple of 64 bytes. Those move to one that is.
        """
        loaded = super().from_pretrained(*args, **options)
        model = loaded[0] if isinstance(loaded, tuple) else loaded  # with output_loading_info
        for parameter in model.parameters():
            if parameter.device.type == "cpu" and parameter.data_ptr() % 64:
                parameter.data = parameter.data.clone()
        return loaded

    def put_backbone(self, backbone: PreTrainedModel) -> None:
        """Use this backbone, whose pooler becomes the pooling's where that reads it."""
        check_embedding(backbone)
        if self.pool.takes_pooler:
            self.pool.take(take_pooler(backbone))
        answer_few(backbone)
        self.backbone = backbone

    @property
    def reader(self) -> nn.Module:
        """What makes features of hidden states: the pooling, or a head that reads the whole sentence in its place."""
        return self.head if self.head.reads_sentence else self.pool

    def forward(self, batch: Batch) -> Output:
        added = None if self.embeddings is None else self.embeddings(batch)  # (T, E)
        places = self.reader.places(batch)  # (B, S); None where it reads all tokens
        hidden = hidden_states(self.backbone, batch, added, self.pool.layers, places)  # (T, H), with places (B, S, H)
        features = self.reader.read(hidden, batch, places)  # (B, F)
        logits = self.head(features)  # (B, C)
        return Output(logits=logits, features=features)
