"""Entity embeddings: nothing at step 0, then what they say, before the norm, without a copy of anybody's code."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoModel

from models.backbone import hidden_states
from models.embeddings import EntityEmbeddings, embedding_width


@pytest.fixture
def batch(packed, sequences):
    """Roles and types on some tokens of five sentences: subject, object, and words of no entity."""
    made = packed(sequences)
    roles, types = torch.zeros_like(made.tokens), torch.zeros_like(made.tokens)
    for start, end in made.offsets[:-1].unsqueeze(1).add(torch.tensor([1, 2])).tolist():
        roles[start:end], types[start:end] = 1, 3
    for start, end in made.offsets[1:].unsqueeze(1).add(torch.tensor([-2, -1])).tolist():
        roles[start:end], types[start:end] = 2, 5
    return replace(made, roles=roles, types=types)


@torch.no_grad()
@pytest.mark.parametrize("kinds", ["[role]", "[role, type]"])
def test_step_0_is_the_pretrained_model_to_the_last_bit(save, load, family, batch, kinds):
    """Others declare them with N(0, 0.02), or enlarge type_vocab_size, which no checkpoint then fits."""
    folder, _ = save(family)
    plain, model = load(folder).eval(), load(folder, model__entity_embeddings=kinds).eval()
    assert torch.equal(
        hidden_states(model.backbone, batch, model.embeddings(batch)), hidden_states(plain.backbone, batch)
    )
    assert not any(table.any() for table in model.embeddings.parameters())
    before, after = plain.backbone.state_dict(), model.backbone.state_dict()
    assert {name: value.shape for name, value in before.items()} == {name: value.shape for name, value in after.items()}


@torch.no_grad()
def test_they_enter_before_the_norm(save, load, family, batch, packed, sequences):
    """As if the word embeddings of exactly these tokens had been changed."""
    folder, _ = save(family)
    model = load(folder, model__entity_embeddings="[role, type]").eval()
    torch.manual_seed(8)
    for table in model.embeddings.parameters():
        table.normal_()
    found = hidden_states(model.backbone, batch, model.embeddings(batch))
    words = model.backbone.get_input_embeddings().weight
    for row, tokens in enumerate(sequences):
        start, end = batch.offsets[row], batch.offsets[row + 1]
        changed = words[torch.tensor(tokens)]
        changed = (
            changed
            + model.embeddings.role_table[batch.roles[start:end]]
            + model.embeddings.type_table[batch.types[start:end]]
        )
        alone = model.backbone(inputs_embeds=changed[None]).last_hidden_state[0]
        torch.testing.assert_close(found[start:end], alone, atol=1e-5, rtol=0)


def test_every_row_that_occurs_learns(save, load, family, batch):
    model = load(save(family)[0], model__entity_embeddings="[role, type]").train()
    model(batch).logits.square().sum().backward()
    assert (model.embeddings.role_table.grad.abs().sum(dim=1) > 0).tolist() == [True, True, True]
    assert (model.embeddings.type_table.grad.abs().sum(dim=1) > 0).tolist() == [row in (0, 3, 5) for row in range(7)]


@torch.no_grad()
def test_they_are_saved_with_the_model(save, load, family, batch, tmp_path):
    model = load(save(family)[0], model__entity_embeddings="[type]").eval()
    model.embeddings.type_table.normal_()
    model.save_pretrained(tmp_path / "best")
    opened = AutoModel.from_pretrained(tmp_path / "best")
    assert torch.equal(opened(batch).logits, model(batch).logits)
    assert opened.embeddings.role_table is None
    model.embeddings.type_table.zero_()
    assert not torch.equal(opened(batch).logits, model(batch).logits)


def test_one_kind_alone():
    made = EntityEmbeddings(["role"], types=6, width=4)
    assert [(name, tuple(table.shape)) for name, table in made.named_parameters()] == [("role_table", (3, 4))]
    made = EntityEmbeddings(["type"], types=6, width=4)
    assert [(name, tuple(table.shape)) for name, table in made.named_parameters()] == [("type_table", (7, 4))]


def test_a_backbone_that_takes_no_embeddings_is_refused(tiny_config):
    class Numbers(torch.nn.Module):
        config = tiny_config("bert")

        def forward(self, input_ids, attention_mask=None):
            raise AssertionError

    with pytest.raises(ValueError, match=r"model\.entity_embeddings: bert takes token numbers only"):
        embedding_width(Numbers())
