"""Every pooling with every head, and pairwise families, poolings, heads, embeddings: trained, saved, opened."""

import itertools
from datetime import timedelta

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from transformers import AutoConfig, AutoModel

from engine.config import OptimConfig
from engine.optim import make_optimizer
from models.heads import HEADS
from models.pooling import POOLINGS
from models.relation import RelationConfig, RelationModel

FAMILIES = ["bert", "roberta", "xlm-roberta", "electra", "modernbert"]
VECTOR = [name for name, head in HEADS.items() if not head.reads_sentence]
SENTENCE = [name for name, head in HEADS.items() if head.reads_sentence]
EMBEDDINGS = [[], ["role"], ["type"], ["role", "type"]]
EVERY_PAIR = [*itertools.product(POOLINGS, VECTOR), *(("cls", head) for head in SENTENCE)]


def exists(family: str, pooling: str) -> bool:
    return pooling != "pooler" or family in ("bert", "roberta", "xlm-roberta")


ACROSS = [
    (family, pooling, VECTOR[(f + p) % len(VECTOR)], EMBEDDINGS[(f + 3 * p) % 4])
    for (f, family), (p, pooling) in itertools.product(enumerate(FAMILIES), enumerate(POOLINGS))
    if exists(family, pooling)
] + [
    (family, "cls", head, EMBEDDINGS[(f + h) % 4])
    for (f, family), (h, head) in itertools.product(enumerate(FAMILIES), enumerate(SENTENCE))
]


def test_every_pair_of_choices_is_built_somewhere():
    seen = {(type_a, a, type_b, b) for row in ACROSS for (type_a, a), (type_b, b) in
            itertools.permutations(zip("fphe", [*row[:3], tuple(row[3])], strict=True), 2)}  # fmt: skip
    for family, pooling in itertools.product(FAMILIES, POOLINGS):
        assert ("f", family, "p", pooling) in seen or not exists(family, pooling)
    for family, head in itertools.product(FAMILIES, HEADS):
        assert ("f", family, "h", head) in seen
    for family, kinds in itertools.product(FAMILIES, EMBEDDINGS):
        assert ("f", family, "e", tuple(kinds)) in seen
    for pooling, kinds in itertools.product(POOLINGS, EMBEDDINGS):
        assert ("p", pooling, "e", tuple(kinds)) in seen or pooling == "pooler"


@pytest.fixture(scope="module", autouse=True)
def one_process():
    """A process group of one: DistributedDataParallel itself says which parameter got no gradient."""
    distributed.init_process_group(
        "gloo", store=distributed.HashStore(), rank=0, world_size=1, timeout=timedelta(seconds=60)
    )
    yield
    distributed.destroy_process_group()


def step_save_open(model: RelationModel, batch, folder) -> RelationModel:
    """Two updates under DDP, which fails in the second where a parameter had no gradient; then saved and opened."""
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    wrapped = DistributedDataParallel(model)
    optimizer = make_optimizer(model, OptimConfig(lr=1e-2))
    for _ in range(2):
        loss = torch.nn.functional.cross_entropy(wrapped(batch).logits, torch.arange(len(batch)) % 5)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    # an attention key's bias has no gradient but rounding noise; everything else must have moved
    still = [n for n, p in model.named_parameters() if torch.equal(p, start[n]) and "key.bias" not in n]
    assert still == []
    model.eval().save_pretrained(folder)
    opened = AutoModel.from_pretrained(folder)
    assert type(opened) is RelationModel
    with torch.no_grad():
        assert torch.equal(opened(batch).logits, model(batch).logits)
        assert torch.equal(opened(batch).features, model(batch).features)
    return opened


def make(config, pooling: str, head: str, kinds: list[str]) -> RelationModel:
    torch.manual_seed(9)
    options = {"layers": 2} if pooling == "last_layers" else {}
    return RelationModel(
        RelationConfig(
            backbone=config, pooling=pooling, pooling_options=options, head=head, entity_embeddings=kinds,
            entity_types=6, classes=5,
        )
    )  # fmt: skip


@pytest.mark.parametrize("pooling, head", EVERY_PAIR)
def test_every_pooling_with_every_head(tiny_config, packed, sequences, tmp_path, pooling, head):
    step_save_open(make(tiny_config("bert"), pooling, head, []), packed(sequences), tmp_path)
    written = AutoConfig.from_pretrained(tmp_path)
    assert (written.pooling, written.head) == (pooling, head)


@pytest.mark.drill("R17")
@pytest.mark.parametrize("family, pooling, head, kinds", ACROSS)
def test_families_poolings_heads_and_embeddings(tiny_config, packed, sequences, tmp_path, family, pooling, head, kinds):
    opened = step_save_open(make(tiny_config(family), pooling, head, kinds), packed(sequences), tmp_path)
    assert opened.config.entity_embeddings == kinds
    assert opened.config.backbone.model_type == family


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_weights_without_autocast(tiny_config, packed, sequences, half):
    """FSDP2 computes so: every layer, and what stands between them, in half types."""
    for pooling, head in [*((pooling, "linear") for pooling in POOLINGS), *(("mean", head) for head in VECTOR)]:
        model = make(tiny_config("bert"), pooling, head, ["role"]).to(half)
        assert torch.isfinite(model(packed(sequences)).logits.float()).all(), (pooling, head)


def test_a_family_without_a_pooler_says_so(tiny_config):
    for family in ("electra", "modernbert"):
        with pytest.raises(ValueError, match=rf"model\.pooling: pooler is the backbone's own, but {family} has none"):
            make(tiny_config(family), "pooler", "linear", [])


def test_the_pretrained_pooler_is_read(save, load, packed, sequences):
    folder, saved = save("bert")
    model = load(folder, model__pooling="pooler", model__head="linear").eval()
    batch = packed(sequences)
    with torch.no_grad():
        for row, tokens in enumerate(sequences):
            alone = saved.eval()(input_ids=torch.tensor([tokens])).pooler_output[0]
            torch.testing.assert_close(model(batch).features[row], alone, atol=1e-5, rtol=0)
    assert model.backbone.pooler is None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model__head": "bilstm"}, r"model\.pooling: the head bilstm reads the states of the whole sentence itself"),
        ({"model__head": "cnn", "model__pooling": "cls", "model__with_cls": True}, r"model\.with_cls: the head cnn"),
        ({"model__pooling": "entity_type_mean"}, r"which only data\.marker typed_punct writes; got data\.marker none"),
        ({"model__pooling": "last_layers", "model__pooling_options__layers": 9}, r"layers: got 9, but .* has 2 layers"),
    ],
)
def test_what_makes_no_sense_together_is_refused(save, load, options, message):
    with pytest.raises(ValueError, match=message):
        load(save("bert")[0], **options)
