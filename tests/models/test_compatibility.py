"""A tokenizer and an encoder that do not belong together are told apart, whatever their sizes."""

import json
import re
import warnings

import pytest
import torch
from transformers import AutoModel, BertConfig, BertTokenizer

from conftest import SHARED_DATA
from models.compatibility import check_tokenizer
from models.tokens import add_tokens, load_tokenizer, wordpiece_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [
    *"가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로모보소오조초코토포호",
    *(f"w{n}" for n in range(200)),
]


def saved(path, vocabulary: list[str], rows: int | None = None, tokenizer: bool = True, **changes):
    """A folder with a tiny BERT of `rows` and, where wanted, the tokenizer of `vocabulary`."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(
        vocab_size=rows or len(vocabulary), max_position_embeddings=40, pad_token_id=vocabulary.index("[PAD]"), **sizes
    )
    for key, value in changes.items():
        setattr(config, key, value)
    AutoModel.from_config(config).save_pretrained(path)
    if tokenizer:
        wordpiece_tokenizer(vocabulary).save_pretrained(path)
    return str(path)


def only_tokenizer(path, vocabulary: list[str]) -> str:
    wordpiece_tokenizer(vocabulary).save_pretrained(path)
    return str(path)


def check(name: str, backbone: str) -> None:
    check_tokenizer(load_tokenizer(name), name, backbone)


@pytest.fixture
def backbone(tmp_path) -> str:
    return saved(tmp_path / "backbone", [*SPECIAL, *WORDS])


@pytest.fixture
def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("silent")
def test_its_own_tokenizer_and_a_copy_of_it_fit(backbone, tmp_path):
    check(backbone, backbone)
    check(only_tokenizer(tmp_path / "copy", [*SPECIAL, *WORDS]), backbone)


def test_the_same_words_with_other_special_tokens_are_refused(backbone, tmp_path):
    """klue/bert-base and klue/roberta-base: no size differs, and only five lines do."""
    order = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
    other = only_tokenizer(tmp_path / "other", [*order, *WORDS])
    total = len(WORDS) + 5
    with pytest.raises(ValueError) as error:
        check(other, backbone)
    assert str(error.value) == (
        f"model.tokenizer: {other} is the tokenizer of another model than {backbone}: [PAD] 0 vs 1, [UNK] 1 vs 3, "
        f"[CLS] 2 vs 0, [SEP] 3 vs 2 ({total - 4} of its {total} vocabulary lines agree); leave it null for the "
        "backbone's own"
    )


def test_a_run_is_refused_before_anything_is_tokenised(backbone, tmp_path, load):
    other = only_tokenizer(tmp_path / "other", ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]", *WORDS])
    with pytest.raises(ValueError, match=r"^model\.tokenizer: .* is the tokenizer of another model"):
        load(backbone, model__tokenizer=other, data__max_length=40)


@pytest.mark.real_data
def test_the_two_klue_tokenizers_are_told_apart():
    folder = SHARED_DATA / "tokenizers"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    with pytest.raises(ValueError, match=r"\[CLS\] 0 vs 2.*31,996 of its 32,000 vocabulary lines agree"):
        check(str(folder / "klue-bert-base"), str(folder / "klue-roberta-base"))


@pytest.mark.real_data
@pytest.mark.parametrize(
    "model, other, told",
    [
        ("klue-roberta-base", "klue-roberta-typed-markers", None),  # 28 markers in spare slots
        ("klue-roberta-base", "klue-roberta-large-34268", "2,268 more"),
        ("klue-roberta-large-34268", "klue-roberta-base", None),
    ],
)
def test_tokenizers_that_teams_extended(model, other, told):
    folder = SHARED_DATA / "tokenizers"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check(str(folder / other), str(folder / model))
    messages = [str(one.message) for one in caught]
    assert [told in message for message in messages] == ([True] if told else []), messages


@pytest.mark.parametrize("place", ["beside", "apart"])
def test_more_tokens_than_rows_are_told_with_numbers_and_get_rows(tmp_path, load, place):
    longer = [*SPECIAL, *WORDS, "새말", "헌말"]
    if place == "beside":  # a team saved its extended tokenizer with the old weights
        folder = name = saved(tmp_path / "backbone", longer, rows=len(longer) - 2)
    else:
        folder, name = saved(tmp_path / "backbone", longer[:-2]), only_tokenizer(tmp_path / "longer", longer)
    rows = len(longer) - 2
    with pytest.warns(UserWarning, match=rf"has {rows + 2} tokens, but .* has {rows} rows; it gets 2 more"):
        model = load(folder, model__tokenizer=name, data__max_length=40)
    assert model.backbone.get_input_embeddings().num_embeddings == model.config.backbone.vocab_size == rows + 2
    new = model.backbone.get_input_embeddings().weight[-2:]
    assert not torch.equal(new[0], new[1])


def test_more_tokens_of_another_vocabulary_are_refused(backbone, tmp_path):
    other = only_tokenizer(tmp_path / "other", [*SPECIAL, *reversed(WORDS), "새말"])
    with pytest.raises(
        ValueError, match=r"has other words than .*: 5 of its \d+ vocabulary lines agree \(5 '가' vs 'w199'"
    ):
        check(other, backbone)


def test_a_few_lines_that_were_replaced_are_told(backbone, tmp_path):
    few = [*SPECIAL, *WORDS]
    few[-2:] = ["새말", "헌말"]
    with pytest.warns(UserWarning, match=r"is not quite that of .*'w198' vs '새말'"):
        check(only_tokenizer(tmp_path / "few", few), backbone)
    many = [*SPECIAL, *WORDS]
    many[-3:] = ["새말", "헌말", "긴말"]  # above 1 % of 245
    with pytest.raises(ValueError, match=r"has other words than"):
        check(only_tokenizer(tmp_path / "many", many), backbone)


@pytest.mark.usefixtures("silent")
def test_spare_slots_may_hold_anything(tmp_path):
    slots = [f"[unused{n}]" for n in range(50)]
    folder = saved(tmp_path / "backbone", [*SPECIAL, *WORDS, *slots])
    used = only_tokenizer(tmp_path / "used", [*SPECIAL, *WORDS, "<S:PER>", "새말", *slots[2:]])
    check(used, folder)
    folder = saved(tmp_path / "trained", [*SPECIAL, *WORDS, "<S:PER>", "새말", *slots[2:]])
    check(only_tokenizer(tmp_path / "plain", [*SPECIAL, *WORDS, *slots]), folder)


def test_a_tokenizer_with_markers_added_fits(backbone, tmp_path):
    tokenizer = load_tokenizer(backbone)
    add_tokens(tokenizer, ["<S:PER>"])
    tokenizer.save_pretrained(tmp_path / "marked")
    with pytest.warns(UserWarning, match="it gets 1 more"):
        check(str(tmp_path / "marked"), backbone)


def test_another_lower_casing_is_told(tmp_path):
    vocabulary = [*SPECIAL, *WORDS, "A", "a", "##a", "e", "##e", "É", "##é"]
    numbers = {word: number for number, word in enumerate(vocabulary)}
    folder = saved(tmp_path / "backbone", vocabulary, tokenizer=False)
    BertTokenizer(vocab=numbers, do_lower_case=False).save_pretrained(folder)
    BertTokenizer(vocab=numbers, do_lower_case=True).save_pretrained(tmp_path / "lower")
    with pytest.warns(UserWarning, match=r"but cuts 'Aa .* to a ##a .* and not to A ##a .* lower-casing"):
        check(str(tmp_path / "lower"), folder)


# a backbone without tokenizer files -------------------------------------------------------------------------------


def test_without_a_tokenizer_of_its_own_the_numbers_of_the_configuration_count(tmp_path):
    folder = saved(tmp_path / "backbone", [*SPECIAL, *WORDS], tokenizer=False, pad_token_id=1)
    good = only_tokenizer(tmp_path / "good", ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]", *WORDS])
    check(good, folder)
    bad = only_tokenizer(tmp_path / "bad", [*SPECIAL, *WORDS])
    with pytest.raises(ValueError, match=r"the padding token of .* is 0, but that of .* is 1: it is the tokenizer of"):
        check(bad, folder)


def test_other_numbers_of_the_configuration_are_told(tmp_path):
    folder = saved(tmp_path / "backbone", [*SPECIAL, *WORDS], tokenizer=False, bos_token_id=0, eos_token_id=2)
    with pytest.warns(UserWarning, match="which has no tokenizer to compare with") as caught:
        check(only_tokenizer(tmp_path / "other", [*SPECIAL, *WORDS]), folder)
    found = [re.search(r"(\[\w+\]) of .* is (\d), .* says (\d)", str(one.message)).groups() for one in caught]
    assert found == [("[CLS]", "2", "0"), ("[SEP]", "3", "2")]


def test_a_larger_tokenizer_without_one_to_compare_with_is_refused(tmp_path):
    folder = saved(tmp_path / "backbone", [*SPECIAL, *WORDS], tokenizer=False)
    longer = only_tokenizer(tmp_path / "longer", [*SPECIAL, *WORDS, "새말"])
    rows = len(WORDS) + 5
    with pytest.raises(ValueError, match=rf"it has {rows + 1} tokens, but the embedding .* has {rows} rows"):
        check(longer, folder)


def test_a_folder_without_tokenizer_files_has_no_tokenizer(tmp_path):
    """transformers makes one of five tokens up, for which every word is unknown."""
    folder = saved(tmp_path / "backbone", [*SPECIAL, *WORDS], tokenizer=False)
    with pytest.raises(ValueError, match=r"^model\.tokenizer: .*has no tokenizer files; expected tokenizer\.json"):
        load_tokenizer(folder)


def test_its_own_tokenizer_with_another_padding_is_told(tmp_path):
    folder = saved(tmp_path / "backbone", [*SPECIAL, *WORDS], pad_token_id=1)
    with pytest.warns(UserWarning, match=r"the padding token of .* is 0, but that of .* is 1 in its config\.json"):
        check(folder, folder)


def test_special_tokens_that_are_the_unknown_one_are_refused(tmp_path):
    path = tmp_path / "tokenizer"
    wordpiece_tokenizer([*SPECIAL, *WORDS]).save_pretrained(path)
    settings = json.loads((path / "tokenizer_config.json").read_text())
    (path / "tokenizer_config.json").write_text(json.dumps(settings | {"sep_token": "[UNK]"}))
    with pytest.raises(ValueError, match=r"the special tokens sep '\[UNK\]' are its unknown token"):
        load_tokenizer(str(path))
