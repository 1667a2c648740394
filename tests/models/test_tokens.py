"""Added tokens: tokenizer, embedding, configuration and saved model agree."""

import json

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import models  # noqa: F401 (AutoModel learns of ours)
from data.markers import added_tokens
from models.backbone import empty_backbone
from models.tokens import add_tokens, fit_embedding, load_tokenizer, wordpiece_tokenizer

MARKERS = ["[S:PER]", "[/S:PER]", "[O:ORG]", "[/O:ORG]"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "가", "##람", "##은", "나", "##래", "@", "*", "사", "##람"]
VOCABULARY = list(dict.fromkeys(WORDS))
TEXT = "가람은 @ * 사람 * 나래 @ Xyz"


def test_tokens_are_added_once(save):
    tokenizer = load_tokenizer(str(save("bert")[0]))
    size = len(tokenizer)
    assert add_tokens(tokenizer, MARKERS) == MARKERS
    assert len(tokenizer) == size + 4
    assert add_tokens(tokenizer, MARKERS) == []
    assert add_tokens(tokenizer, [*MARKERS, "[NEW]"]) == ["[NEW]"]
    assert [tokenizer.convert_tokens_to_ids(token) for token in MARKERS] == list(range(size, size + 4))


def test_an_added_token_is_one_token_that_no_text_can_split(save):
    tokenizer = load_tokenizer(str(save("bert")[0]))
    add_tokens(tokenizer, MARKERS)
    assert tokenizer.tokenize("가[S:PER]나[/S:PER]") == ["가", "[S:PER]", "나", "[/S:PER]"]
    assert tokenizer.decode(tokenizer("[S:PER]")["input_ids"], skip_special_tokens=True) == ""


def test_words_of_the_vocabulary_are_not_added_again(save):
    tokenizer = load_tokenizer(str(save("bert")[0]))
    assert add_tokens(tokenizer, ["@", "#", "가"]) == []


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "electra"], indirect=True)
def test_new_rows_differ_and_are_as_large_as_the_old_ones(tiny_config, family, save):
    tokenizer = load_tokenizer(str(save(family)[0]))
    backbone = empty_backbone(tiny_config(family))
    old = backbone.get_input_embeddings().weight.detach().clone()
    tokens = [f"[m{number}]" for number in range(200)]
    add_tokens(tokenizer, tokens)
    torch.manual_seed(0)
    assert fit_embedding(backbone, tokenizer) == 200
    rows = backbone.get_input_embeddings().weight.detach()
    assert torch.equal(rows[: len(old)], old)
    new = rows[len(old) :]
    assert len(new) == 200
    assert new.std().item() == pytest.approx(backbone.config.initializer_range, rel=0.1)
    # the library's default draws them all next to one mean
    assert new.std(dim=0).min().item() > 0.5 * backbone.config.initializer_range
    assert torch.pdist(new).min() > 0
    assert fit_embedding(backbone, tokenizer) == 0


def test_an_embedding_larger_than_the_tokenizer_stays(tiny_config, save):
    tokenizer = load_tokenizer(str(save("bert")[0]))
    config = tiny_config("bert")
    config.vocab_size = len(tokenizer) + 30
    backbone = empty_backbone(config)
    add_tokens(tokenizer, MARKERS)
    assert fit_embedding(backbone, tokenizer) == 0
    assert backbone.get_input_embeddings().num_embeddings == config.vocab_size


def test_tokenizer_embedding_configuration_and_saved_model_agree(save, load, family, tmp_path):
    folder, _ = save(family)
    model = load(folder, data__marker="typed")
    tokenizer = load_tokenizer(str(folder))
    new = added_tokens("typed", ("PER", "ORG", "LOC", "DAT", "POH", "NOH"))
    assert add_tokens(tokenizer, new) == new
    assert len(new) == 24
    model.save_pretrained(tmp_path / "best")
    tokenizer.save_pretrained(tmp_path / "best")
    opened, again = AutoModel.from_pretrained(tmp_path / "best"), AutoTokenizer.from_pretrained(tmp_path / "best")
    written = json.loads((tmp_path / "best" / "config.json").read_text())["backbone"]["vocab_size"]
    sizes = [
        len(again), opened.backbone.get_input_embeddings().num_embeddings, opened.config.backbone.vocab_size,
        model.config.backbone.vocab_size, written,
    ]  # fmt: skip
    assert sizes == [len(tokenizer)] * 5
    assert again.get_vocab() == tokenizer.get_vocab()
    assert add_tokens(again, new) == []
    assert fit_embedding(opened.backbone, again) == 0


# the bundled kind -------------------------------------------------------------------------------------------------


def test_a_wordpiece_tokenizer_numbers_its_words_in_their_order():
    tokenizer = wordpiece_tokenizer(VOCABULARY)
    assert [tokenizer.convert_tokens_to_ids(word) for word in VOCABULARY] == list(range(len(VOCABULARY)))
    assert [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id] == [0, 1, 2]
    assert [tokenizer.sep_token_id, tokenizer.mask_token_id] == [3, 4]


def test_a_wordpiece_tokenizer_splits_like_bert_and_marks_the_second_segment():
    tokenizer = wordpiece_tokenizer(VOCABULARY)
    encoded = tokenizer("가람은 나래.", "사람", return_token_type_ids=True)
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert tokens == ["[CLS]", "가", "##람", "##은", "나", "##래", "[UNK]", "[SEP]", "사", "##람", "[SEP]"]
    assert encoded["token_type_ids"] == [0] * 8 + [1] * 3


def test_case_is_kept():
    tokenizer = wordpiece_tokenizer([*VOCABULARY, "LG", "é"])
    assert tokenizer.tokenize("LG lg é e") == ["LG", "[UNK]", "é", "[UNK]"]


def test_a_wordpiece_tokenizer_encodes_the_same_after_saving(tmp_path):
    tokenizer = wordpiece_tokenizer(VOCABULARY)
    add_tokens(tokenizer, MARKERS)
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(str(tmp_path))
    for text in (TEXT, "[S:PER]가람[/S:PER]은 나래[UNK]", ""):
        wanted = {"return_token_type_ids": True, "return_offsets_mapping": True}
        mine, theirs = tokenizer(text, TEXT, **wanted), again(text, TEXT, **wanted)
        assert dict(mine) == dict(theirs)
        assert len(mine["input_ids"]) == len(mine["token_type_ids"]) == len(mine["offset_mapping"])
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again.model_max_length == tokenizer.model_max_length


def test_what_is_no_encoders_tokenizer_is_told(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("empty", "file"):
        with pytest.raises(ValueError, match=rf"model\.tokenizer: .*{name}"):
            load_tokenizer(str(tmp_path / name))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"no-one/has-this"):
        load_tokenizer("no-one/has-this")
    bare = wordpiece_tokenizer(VOCABULARY)
    bare.pad_token = None
    bare.save_pretrained(tmp_path / "bare")
    with pytest.raises(ValueError, match=r"model\.tokenizer: .*bare has no padding or no unknown token"):
        load_tokenizer(str(tmp_path / "bare"))
