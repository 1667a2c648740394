"""Added tokens: tokenizer, embedding, configuration and saved model agree."""

import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram
from tokenizers.pre_tokenizers import ByteLevel, Metaspace
from transformers import AutoModel, AutoTokenizer, BertConfig, BertTokenizer, PreTrainedTokenizerFast

import models  # noqa: F401 (AutoModel learns of ours)
from conftest import SHARED_DATA
from data.markers import added_tokens
from engine.arguments.parse import parse
from engine.compose.model import make_encoder, make_model
from models.backbone import empty_backbone
from models.tokens import add_tokens, add_words, fit_embedding, load_tokenizer, wordpiece_tokenizer

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


# spare slots of the vocabulary ------------------------------------------------------------------------------------

SLOTS = ["[unused0]", "[unused1]", "[unused2]"]


def ids(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_spare_slots_are_used_first_and_nothing_else_moves():
    before = [*VOCABULARY[:8], *SLOTS, *VOCABULARY[8:]]
    tokenizer = wordpiece_tokenizer(before)
    assert add_tokens(tokenizer, MARKERS[:2]) == MARKERS[:2]
    assert len(tokenizer) == len(before)
    expected = {word: number for number, word in enumerate(before) if word not in SLOTS}
    expected |= {MARKERS[0]: 8, MARKERS[1]: 9, "[unused2]": 10}
    assert tokenizer.get_vocab() == expected
    assert ids(tokenizer, "가[S:PER]나[/S:PER]") == [5, 8, expected["나"], 9]
    assert add_tokens(tokenizer, MARKERS) == MARKERS[2:]  # one slot is left, one goes behind the last number
    assert [tokenizer.convert_tokens_to_ids(marker) for marker in MARKERS] == [8, 9, 10, len(before)]
    assert len(tokenizer) == len(before) + 1
    assert all(marker not in tokenizer.decode(ids(tokenizer, marker), skip_special_tokens=True) for marker in MARKERS)


@pytest.mark.parametrize("slots", [["<unused0>", "<unused1>"], ["[UNUSED_0]", "[UNUSED_1]"]])
def test_slots_have_several_names(slots):
    tokenizer = wordpiece_tokenizer([*VOCABULARY, *slots])
    add_words(tokenizer, {"나무": None})
    add_tokens(tokenizer, ["<x>"])
    assert ids(tokenizer, "나무 <x>") == [len(VOCABULARY), len(VOCABULARY) + 1]


@given(slots=st.integers(0, 4), marks=st.integers(0, 4), words=st.integers(0, 4), words_first=st.booleans())
def test_numbers_are_dense_and_old_ones_stay(slots, marks, words, words_first):
    vocabulary = [*VOCABULARY, *(f"[unused{n}]" for n in range(slots))]
    tokenizer = wordpiece_tokenizer(vocabulary)
    steps = [
        lambda: add_words(tokenizer, {f"낱{n}": None for n in range(words)}),
        lambda: add_tokens(tokenizer, [f"<m{n}>" for n in range(marks)]),
    ]
    for step in steps if words_first else steps[::-1]:
        step()
    known = tokenizer.get_vocab()
    assert sorted(known.values()) == list(range(max(len(vocabulary), len(VOCABULARY) + words + marks)))
    assert all(known[word] == number for number, word in enumerate(VOCABULARY))
    assert sum(word.startswith("[unused") for word in known) == max(0, slots - marks - words)
    opened = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()))
    assert opened.get_vocab() == known
    before = tokenizer.backend_tokenizer.to_str()
    for step in steps:
        assert not step()
    assert tokenizer.backend_tokenizer.to_str() == before


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside the old files"])
def test_what_was_added_is_there_when_the_folder_is_opened_again(tmp_path, beside):
    """BertTokenizer of transformers 5 builds itself from a list of words: a hole in it would move what follows."""
    words = [*VOCABULARY, "##는", "Vi", *SLOTS[:2]]
    old = BertTokenizer(vocab={word: number for number, word in enumerate(words)}, do_lower_case=False)
    old.save_pretrained(tmp_path)
    if beside:
        (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    tokenizer = load_tokenizer(str(tmp_path))
    assert type(tokenizer) is BertTokenizer
    add_tokens(tokenizer, MARKERS[:3])
    add_words(tokenizer, {"나무": None, "COVID-19": None, "Vi": None})
    add_tokens(tokenizer, MARKERS)
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(str(tmp_path))
    text = "가람은 [S:PER]나무는[/S:PER] COVID-19 [O:ORG]Vi[/O:ORG] 나래"
    assert tokenizer.convert_ids_to_tokens(ids(tokenizer, text))[2:] == [
        "##은", "[S:PER]", "나무", "##는", "[/S:PER]", "COVID-19", "[O:ORG]", "Vi", "[/O:ORG]", "나", "##래",
    ]  # fmt: skip
    assert ids(again, text) == ids(tokenizer, text)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert add_tokens(again, MARKERS) == []
    assert add_words(again, {"나무": None, "COVID-19": None}) == {}


# ordinary words ---------------------------------------------------------------------------------------------------


def test_a_word_keeps_its_particle_as_a_piece():
    tokenizer = wordpiece_tokenizer([*VOCABULARY, "나무", "##는"])
    assert tokenizer.tokenize("누리집은") == ["[UNK]"]
    assert add_words(tokenizer, {"누리집": "나무"}) == {"누리집": "나무"}
    assert tokenizer.tokenize("누리집은 나무는 누리집") == ["누리집", "##은", "나무", "##는", "누리집"]
    assert tokenizer.tokenize("새누리집") == ["[UNK]"]  # inside another word it is not looked for
    assert tokenizer.decode(ids(tokenizer, "누리집"), skip_special_tokens=True) == "누리집"  # it is no special token


def test_a_word_that_is_cut_first_is_found_whole():
    tokenizer = wordpiece_tokenizer([*VOCABULARY, "COVID", "-", "19", "B"])
    add_words(tokenizer, {"COVID-19": None, "New York": None})
    assert tokenizer.tokenize("가 COVID-19, New York COVID-19B") == [
        "가", "COVID-19", "[UNK]", "New York", "COVID", "-", "[UNK]",
    ]  # fmt: skip


def test_case_follows_the_tokenizer():
    numbers = {word: number for number, word in enumerate([*VOCABULARY, "é"])}
    tokenizer = BertTokenizer(vocab=numbers, do_lower_case=True)
    assert add_words(tokenizer, {"Metaverse": None, "COVID-19": None}) == {"metaverse": None, "COVID-19": None}
    numbers = tokenizer.convert_tokens_to_ids(["metaverse", "COVID-19"])
    assert ids(tokenizer, "METAVERSE metaverse covid-19 Covid-19") == [numbers[0]] * 2 + [numbers[1]] * 2
    assert add_words(tokenizer, {"METAVERSE": None, "Covid-19": None}) == {}


def test_known_words_are_not_added():
    tokenizer = wordpiece_tokenizer(VOCABULARY)
    assert add_words(tokenizer, {"가": None, "@": None, "[CLS]": None}) == {}
    assert len(tokenizer) == len(VOCABULARY)


@pytest.mark.parametrize("word", ["", " 가", "가 ", "[unused3]", "\u200b", "x" * 101])
def test_what_cannot_be_a_word_is_refused(word):
    with pytest.raises(ValueError, match=r"^model\.added_tokens: "):
        add_words(wordpiece_tokenizer(VOCABULARY), {word: None})


def byte_pairs() -> PreTrainedTokenizerFast:
    letters = sorted(ByteLevel.alphabet())
    model = BPE({token: n for n, token in enumerate(["<unk>", "<pad>", "<unused0>", *letters])}, [], unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")


def unigram() -> PreTrainedTokenizerFast:
    letters = [(letter, -2.0) for letter in "abcdefgh▁가나는"]
    tokenizer = Tokenizer(Unigram([("<unk>", -9.0), ("<pad>", -9.0), ("<unused0>", -9.0), *letters], unk_id=0))
    tokenizer.pre_tokenizer = Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")


@pytest.mark.parametrize("make", [byte_pairs, unigram])
def test_other_kinds_find_a_word_between_blanks(make, tmp_path):
    tokenizer = make()
    size = len(tokenizer)
    plain = ids(tokenizer, "be deaf")
    assert add_words(tokenizer, {"fade": None, "bead": None}) == {"fade": None, "bead": None}
    add_tokens(tokenizer, ["<m>"])
    numbers = [tokenizer.convert_tokens_to_ids(token) for token in ("fade", "bead", "<m>")]
    assert numbers == [2, size, size + 1]
    assert ids(tokenizer, "fade") == [2]
    found = ids(tokenizer, "a fade, bead <m>a faded")
    assert [number for number in found if number in numbers] == numbers  # "faded" is another word
    assert ids(tokenizer, "be deaf") == plain
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert ids(again, "a fade, bead <m>a faded") == found
    assert again.get_vocab() == tokenizer.get_vocab()
    assert (add_words(again, {"fade": None, "bead": None}), add_tokens(again, ["<m>"])) == ({}, [])


def test_byte_pairs_leave_no_blank_before_a_word():
    tokenizer = byte_pairs()
    add_words(tokenizer, {"fade": None})
    assert tokenizer.convert_ids_to_tokens(ids(tokenizer, "a fade b")) == ["a", "fade", "Ġ", "b"]


def lower_cased() -> PreTrainedTokenizerFast:
    vocabulary = [*VOCABULARY, "covid", "##ir", *SLOTS]
    return BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)}, do_lower_case=True)


KINDS = [lambda: wordpiece_tokenizer([*VOCABULARY, *SLOTS]), lower_cased, byte_pairs, unigram]
NEW = [
    "나무",
    "나래",
    "가람",
    "누리집",
    "COVID-19",
    "Covid-19",
    "covid",
    "New York",
    "new york",
    "Bead",
    "bead",
    "fade",
    "@",
]


@pytest.mark.parametrize("make", KINDS, ids=["wordpiece", "lower-cased", "byte pairs", "unigram"])
@given(words=st.lists(st.sampled_from(NEW), unique=True, max_size=8))
def test_words_together_are_numbered_as_one_by_one(make, words):
    together, apart = make(), make()
    described = {word: f"{number}" for number, word in enumerate(words)}
    added = {}
    for word, text in described.items():
        added |= add_words(apart, {word: text})
    assert list(add_words(together, described).items()) == list(added.items())
    assert together.get_vocab() == apart.get_vocab()
    assert together.added_tokens_decoder == apart.added_tokens_decoder
    text = " ".join([*words, *(f"{word}는" for word in words), "be deaf 가람은"])
    assert ids(together, text) == ids(apart, text)


def test_the_vocabulary_is_written_once_for_all_words(monkeypatch):
    """It took a tenth of a second a word with a real vocabulary."""
    tokenizer, opened = wordpiece_tokenizer([*VOCABULARY, *SLOTS]), []
    monkeypatch.setattr("models.tokens.Tokenizer", Opening(opened))
    words = [f"낱말{number}" for number in range(300)] + [f"COVID-{number}" for number in range(300)]
    assert list(add_words(tokenizer, dict.fromkeys(words))) == words
    assert len(opened) == 1


class Opening:
    """`Tokenizer`, which notes what it opens."""

    def __init__(self, opened: list[str]):
        self.opened = opened

    def from_str(self, text: str) -> Tokenizer:
        self.opened.append(text)
        return Tokenizer.from_str(text)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name, slots", [("klue-roberta-base", 500), ("kobigbird", 498), ("roberta-base", 0), ("lassl-tiny/albert", 0)]
)
def test_real_tokenizers_open_again_as_they_were(name, slots, tmp_path):
    folder = SHARED_DATA / "tokenizers" / name
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    shutil.copytree(folder, tmp_path / "copy")
    tokenizer = load_tokenizer(str(folder))
    before = tokenizer.get_vocab()
    text = "누리집쨩의 <S:PER>이순신</S:PER>은 메타버스에서 COVID-19 <O:DAT>"
    new = [*add_words(tokenizer, {"누리집쨩": None, "메타버스": None, "COVID-19": None}), *add_tokens(tokenizer, TYPED)]
    assert len(new) == 27
    assert len(tokenizer) == len(before) + max(0, 27 - slots)
    after = tokenizer.get_vocab()
    assert all(after[word] == number for word, number in before.items() if "unused" not in word)
    assert all(len(ids(tokenizer, word)) == 1 for word in new)
    tokenizer.save_pretrained(tmp_path / "copy")
    again = load_tokenizer(str(tmp_path / "copy"))
    assert again.get_vocab() == after
    assert dict(again(text, "짝")) == dict(tokenizer(text, "짝"))
    assert add_tokens(again, TYPED) == []


TYPED = added_tokens("typed", ("PER", "ORG", "LOC", "DAT", "POH", "NOH"))


@pytest.mark.real_data
def test_markers_that_a_team_put_into_slots_are_found():
    folder = SHARED_DATA / "tokenizers" / "klue-roberta-typed-markers"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    tokenizer = load_tokenizer(str(folder))
    theirs = [token for token, number in tokenizer.get_vocab().items() if 31500 <= number < 31528]
    assert len(theirs) == 28
    assert add_tokens(tokenizer, theirs) == []
    assert add_tokens(tokenizer, ["<새것>"]) == ["<새것>"]
    assert tokenizer.convert_tokens_to_ids("<새것>") == 31528  # [unused28]
    assert len(tokenizer) == 32000


# the rows of new tokens -------------------------------------------------------------------------------------------


def encoder_of(tokenizer, width: int = 256):
    torch.manual_seed(3)
    sizes = {"hidden_size": width, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    backbone = empty_backbone(BertConfig(vocab_size=len(tokenizer), **sizes))
    with torch.no_grad():
        backbone.get_input_embeddings().weight.normal_(std=0.05)
    return backbone


def test_described_rows_start_near_the_mean_of_their_words_and_apart():
    tokenizer = wordpiece_tokenizer([*VOCABULARY, *SLOTS])
    backbone = encoder_of(tokenizer)
    old = backbone.get_input_embeddings().weight.detach().clone()
    new = {"<S:PER>": "사람", "</S:PER>": "사람", "<x>": None, "<y>": None}
    assert add_tokens(tokenizer, list(new)) == list(new)
    torch.manual_seed(0)
    assert fit_embedding(backbone, tokenizer, new) == 1  # three took slots
    rows = backbone.get_input_embeddings().weight.detach()
    start, end, x, y = (rows[tokenizer.convert_tokens_to_ids(token)] for token in new)
    mean = old[ids(tokenizer, "사람")].mean(dim=0)
    spread = backbone.config.initializer_range
    for row in (start, end):
        assert (row - mean).std().item() == pytest.approx(spread / 2, rel=0.15)
        assert torch.cosine_similarity(row, mean, dim=0) > 0.9
    assert (start - end).std().item() == pytest.approx(spread / 2**0.5, rel=0.15)
    assert (x - y).std().item() == pytest.approx(spread * 2**0.5, rel=0.15)
    assert x.std().item() == pytest.approx(spread, rel=0.15)
    used = [tokenizer.convert_tokens_to_ids(token) for token in new]
    kept = [number for number in range(len(old)) if number not in used]
    assert torch.equal(rows[kept], old[kept])
    assert all(not torch.equal(rows[number], old[number]) for number in used if number < len(old))


def test_the_same_seed_gives_the_same_rows():
    rows = []
    for seed in (1, 1, 2):
        tokenizer = wordpiece_tokenizer([*VOCABULARY, *SLOTS])
        backbone = encoder_of(tokenizer)
        add_tokens(tokenizer, MARKERS)
        torch.manual_seed(seed)
        fit_embedding(backbone, tokenizer, dict.fromkeys(MARKERS, "사람"))
        rows.append(backbone.get_input_embeddings().weight.detach())
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


def test_a_description_that_says_nothing_is_told():
    tokenizer = wordpiece_tokenizer(VOCABULARY)
    backbone = encoder_of(tokenizer)
    new = add_words(tokenizer, {"누리": "모름", "마당": "누리"})  # unknown, and new itself
    with pytest.warns(UserWarning, match=r"nothing of the texts that describe 누리 \(모름\), 마당 \(누리\); 2 tokens"):
        fit_embedding(backbone, tokenizer, new)
    weight = backbone.get_input_embeddings().weight[-2:]
    assert weight.std().item() == pytest.approx(0.02, rel=0.2)


def test_rows_that_the_embedding_has_to_spare_are_new_ones_too(tiny_config, save):
    tokenizer = load_tokenizer(str(save("bert")[0]))
    config = tiny_config("bert")
    config.vocab_size = len(tokenizer) + 30
    backbone = empty_backbone(config)
    backbone.get_input_embeddings().weight.data.zero_()  # what some checkpoints hold there
    new = add_tokens(tokenizer, MARKERS)
    assert fit_embedding(backbone, tokenizer, dict.fromkeys(new)) == 0
    rows = backbone.get_input_embeddings().weight.detach()
    assert rows.any(dim=1).nonzero().flatten().tolist() == [tokenizer.convert_tokens_to_ids(m) for m in MARKERS]


# a whole run ------------------------------------------------------------------------------------------------------


@pytest.mark.drill("R17")
def test_best_can_be_the_backbone_of_the_next_run(save, load, tmp_path):
    folder, _ = save("bert")
    options = ["--data.max_length", "64", "--data.marker", "typed", "--model.added_tokens", "{누리집: 가나}"]
    config, _, _ = parse(["--model.backbone", str(folder), "--model.tokenizer", "null", *options])
    tokenizer, _, new = make_encoder(config)
    assert list(new) == ["누리집", *TYPED]
    assert new["누리집"] == "가나"
    assert (new["<S:PER>"], new["</O:NOH>"]) == ("사람", "수량")
    model = make_model(config, tokenizer, new, 5)
    model.save_pretrained(tmp_path / "best")
    tokenizer.save_pretrained(tmp_path / "best")

    config, _, _ = parse(["--model.backbone", str(tmp_path / "best"), "--model.tokenizer", "null", *options])
    again, _, nothing = make_encoder(config)
    assert nothing == {}
    assert again.get_vocab() == tokenizer.get_vocab()
    notes: list[str] = []
    opened = make_model(config, again, nothing, 5, notes)
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(opened.backbone.state_dict()[name], tensor), name
    assert notes[0].endswith("as float32; without use: head")


def test_added_words_change_the_encoders_fingerprint(save):
    prints = set()
    for words in ("{}", "[누리집]", "{누리집: 가나}", "[누리집, 나라]"):
        options = ["--model.backbone", str(save("bert")[0]), "--model.tokenizer", "null", "--data.max_length", "64"]
        config, _, _ = parse([*options, "--data.marker", "none", "--model.added_tokens", words])
        prints.add(make_encoder(config)[1].fingerprint)
    assert len(prints) == 3  # how a row starts changes no token


@pytest.mark.parametrize("words", ["3", "가", "[1, 2]", "{가: [1]}", "null"])
def test_words_that_are_no_list_of_words_are_refused(words):
    with pytest.raises(ValueError, match=r"^model\.added_tokens: got .*, expected"):
        parse(["--model.added_tokens", words])


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
