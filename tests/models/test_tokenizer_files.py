"""What lies in a tokenizer's folder is what is used: file, class, vocabulary and lower-casing against each other."""

import json
import shutil
import warnings

import pytest
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.normalizers import NFC, BertNormalizer, Lowercase, Replace, Sequence
from tokenizers.pre_tokenizers import BertPreTokenizer, Metaspace, WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import BertTokenizer, PreTrainedTokenizerFast

from conftest import SHARED_DATA
from engine.arguments.parse import parse
from engine.compose.model import make_encoder
from models.tokens import add_tokens, add_words, load_tokenizer, wordpiece_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROLES = {role: f"[{role[:-6].upper()}]" for role in ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")}
LETTERS = [*"가나다라마바사", *"abcdefghijklmnopqrstuvwxyz", *"ABCXYZ", "."]
VOCABULARY = [*SPECIAL, *LETTERS, *("##" + letter for letter in LETTERS)]
TEXT = "가나 Abc 다라. 힣"


def load(folder) -> tuple[PreTrainedTokenizerFast, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tokenizer = load_tokenizer(str(folder))
    return tokenizer, [str(one.message) for one in caught]


def write(folder, backend: Tokenizer | None = None, vocabulary=None, name="vocab.txt", model_type=None, **settings):
    folder.mkdir(exist_ok=True)
    if backend is not None:
        backend.save(str(folder / "tokenizer.json"))
    if vocabulary is not None:
        (folder / name).write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    if model_type is not None:
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    return folder


def template(backend: Tokenizer, cls: str, sep: str) -> Tokenizer:
    numbers = [(token, backend.token_to_id(token)) for token in (cls, sep)]
    backend.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}", pair=f"{cls} $A {sep} $B {sep}", special_tokens=numbers
    )
    return backend


def wordpiece(**options) -> Tokenizer:
    backend = Tokenizer(WordPiece({w: n for n, w in enumerate(VOCABULARY)}, unk_token="[UNK]", **options))
    backend.normalizer = BertNormalizer(lowercase=False, strip_accents=False)
    backend.pre_tokenizer = BertPreTokenizer()
    return template(backend, "[CLS]", "[SEP]")


def unigram(unk_id: int = 1) -> Tokenizer:
    pieces = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    pieces[1], pieces[unk_id] = pieces[unk_id], pieces[1]
    words = [*pieces, "▁", *LETTERS, "▁가", "▁가나", "▁다"]
    backend = Tokenizer(Unigram([(word, -1.0 - 1 / len(word)) for word in words], unk_id=unk_id))
    backend.pre_tokenizer = Sequence_([WhitespaceSplit(), Metaspace()])
    return template(backend, "[CLS]", "[SEP]")


def Sequence_(steps):  # noqa: N802
    from tokenizers.pre_tokenizers import Sequence as Steps

    return Steps(steps)


ALBERT = ROLES | {"pad_token": "<pad>", "unk_token": "<unk>"}


def expected(backend: Tokenizer, text: str = TEXT) -> list[int]:
    return backend.encode(text).ids


# tokenizer.json -----------------------------------------------------------------------------------------------------


def own(backend: Tokenizer, **parts) -> Tokenizer:
    for part, value in parts.items():
        setattr(backend, part, value)
    return backend


@pytest.mark.parametrize(
    "backend, settings, parts",
    [
        (wordpiece, ROLES | {"tokenizer_class": "RobertaTokenizerFast"}, "model.type"),
        (lambda: unigram(3), ALBERT | {"tokenizer_class": "AlbertTokenizerFast"}, "model.unk_id"),
        (
            lambda: own(wordpiece(), normalizer=Sequence([NFC(), Replace("다", "라")])),
            ROLES | {"tokenizer_class": "BertTokenizer", "do_lower_case": False},
            "normalizer",
        ),
        (
            lambda: own(wordpiece(), pre_tokenizer=WhitespaceSplit()),
            ROLES | {"tokenizer_class": "BertTokenizer", "do_lower_case": False},
            "pre_tokenizer",
        ),
        (
            lambda: wordpiece(max_input_chars_per_word=1),
            ROLES | {"tokenizer_class": "BertTokenizer", "do_lower_case": False},
            "model.max_input_chars_per_word",
        ),
        (wordpiece, ROLES | {"tokenizer_class": "BertTokenizer", "do_lower_case": True}, "normalizer"),
    ],
)
def test_the_file_is_used_where_its_class_would_change_it(tmp_path, backend, settings, parts):
    folder = write(tmp_path / "odd", backend(), **settings)
    tokenizer, told = load(folder)
    assert tokenizer(TEXT)["input_ids"] == expected(backend())
    assert len(told) == 1
    assert told[0].startswith(f"model.tokenizer: {folder} names the class ")
    assert parts in told[0]
    assert "the file is used as it is" in told[0]
    assert tokenizer.unk_token_id == tokenizer("힣", add_special_tokens=False)["input_ids"][-1]
    tokenizer.save_pretrained(tmp_path / "best")  # what a run leaves is read without a word
    again, told = load(tmp_path / "best")
    assert told == []
    assert again(TEXT)["input_ids"] == expected(backend())


def test_a_class_that_cannot_read_the_file(tmp_path):
    folder = write(tmp_path / "odd", wordpiece(), **ROLES, tokenizer_class="XLMRobertaTokenizer")
    tokenizer, told = load(folder)
    assert tokenizer(TEXT)["input_ids"] == expected(wordpiece())
    assert len(told) == 1
    assert "cannot read its tokenizer.json" in told[0]


def test_special_tokens_that_only_the_class_knows(tmp_path):
    """A tokenizer_config.json without them: BERT's class brings [CLS] and so on, and the file's model its own."""
    folder = write(tmp_path / "odd", own(wordpiece(), pre_tokenizer=WhitespaceSplit()), tokenizer_class="BertTokenizer")
    tokenizer, _ = load(folder)
    assert [getattr(tokenizer, role) for role in ROLES] == list(ROLES.values())


def test_the_unknown_token_is_the_one_that_the_file_writes(tmp_path):
    settings = ALBERT | {"unk_token": "[MASK]", "tokenizer_class": "PreTrainedTokenizerFast"}
    tokenizer, told = load(write(tmp_path / "odd", unigram(), **settings))
    assert tokenizer.unk_token == "<unk>"
    assert len(told) == 1
    assert "unknown characters become <unk> by the tokenizer.json" in told[0]


def saved(folder, tokenizer):
    tokenizer.save_pretrained(folder)
    return folder


def marked(tokenizer):
    add_words(tokenizer, {"가나라": None})
    add_tokens(tokenizer, ["<S:PER>", "</S:PER>"])
    return tokenizer


NUMBERS = {word: number for number, word in enumerate(VOCABULARY)}


@pytest.mark.parametrize(
    "make",
    [
        lambda path: saved(path, wordpiece_tokenizer(VOCABULARY)),
        lambda path: saved(path, BertTokenizer(vocab=NUMBERS, do_lower_case=False)),
        lambda path: saved(path, marked(BertTokenizer(vocab=NUMBERS, do_lower_case=False))),
        lambda path: saved(path, marked(BertTokenizer(vocab=NUMBERS, do_lower_case=False, strip_accents=False))),
        lambda path: write(path, wordpiece(), **ROLES, tokenizer_class="BertTokenizerFast", do_lower_case=False),
        lambda path: write(path, wordpiece(), **ROLES, tokenizer_class="ElectraTokenizerFast", do_lower_case=False),
        lambda path: write(path, unigram(), **ALBERT, tokenizer_class="PreTrainedTokenizerFast"),
        lambda path: write(path, unigram(), **ALBERT),
        # steps without an effect: words are cut at blanks first
        lambda path: write(
            path,
            own(unigram(3), normalizer=Replace(Regex(" {2,}"), " ")),
            **ALBERT,
            tokenizer_class="TokenizersBackend",
        ),
        lambda path: write(path, vocabulary=VOCABULARY, **ROLES, do_lower_case=False, tokenizer_class="BertTokenizer"),
    ],
)
def test_folders_in_order_are_read_without_a_word(tmp_path, make):
    folder = make(tmp_path / "plain")
    tokenizer, told = load(folder)
    assert told == []
    if (folder / "tokenizer.json").is_file():
        assert tokenizer(TEXT)["input_ids"] == expected(Tokenizer.from_file(str(folder / "tokenizer.json")))


# unknown characters and special tokens ------------------------------------------------------------------------------


def test_a_file_whose_unknown_characters_are_another_special_token_is_refused(tmp_path):
    described = json.loads(unigram(2).to_str())
    described["model"]["unk_id"] = 3  # [SEP]
    folder = write(tmp_path / "odd", Tokenizer.from_str(json.dumps(described)), **ALBERT)
    with pytest.raises(ValueError, match=r"the special tokens sep '\[SEP\]' are its unknown token"):
        load(folder)


def test_a_second_unknown_token_is_told(tmp_path):
    folder = write(tmp_path / "odd", vocabulary=[*VOCABULARY, "<unk>"], **ROLES, do_lower_case=False, model_type="bert")
    _, told = load(folder)
    assert len(told) == 1
    assert "has two unk tokens, [UNK] and <unk>" in told[0]


def test_special_tokens_under_other_names_are_refused(tmp_path):
    folder = write(tmp_path / "odd", vocabulary=VOCABULARY, tokenizer_class="MPNetTokenizer", unk_token="[UNK]")
    with pytest.raises(ValueError, match=r'takes <pad> for its pad token, .* has \[PAD\]; .* "pad_token": "\[PAD\]"'):
        load(folder)


# a vocabulary alone -------------------------------------------------------------------------------------------------

UNCASED = [*SPECIAL, *"abcdefghijklmnopqrstuvwxyz", "the", "##s"]
KOREAN_UNCASED = [*UNCASED, *"가나다라"]


@pytest.mark.parametrize(
    "vocabulary, text, tokens, how",
    [
        (VOCABULARY, "Aé 가나", ["[UNK]", "가", "##나"], "do_lower_case false, as its words say, [CLS] before"),
        (UNCASED, "The É", ["the", "e"], "do_lower_case true, as its words say, [CLS] before"),
        (KOREAN_UNCASED, "The 가", ["the", "가"], "do_lower_case true, as its words say with strip_accents false"),
    ],
)
@pytest.mark.parametrize("name", ["vocab.txt", "my_vocab.txt"])
def test_a_vocabulary_alone_is_read_and_told_how(tmp_path, vocabulary, text, tokens, how, name):
    folder = write(tmp_path / "alone", vocabulary=vocabulary, name=name)
    tokenizer, told = load(folder)
    assert tokenizer.tokenize(text) == tokens
    assert len(told) == 1
    assert f"has {name} and no tokenizer.json" in told[0]
    assert how in told[0]
    assert tokenizer.get_vocab() == {word: number for number, word in enumerate(vocabulary)}
    again, told = load(saved(tmp_path / "best", tokenizer))
    assert (again.tokenize(text), told) == (tokens, [])


@pytest.mark.parametrize("named", ["RobertaTokenizerFast", "AlbertTokenizer", "T5Tokenizer", "FunnelTokenizer", "Own"])
def test_a_class_that_does_not_read_the_vocabulary(tmp_path, named):
    """transformers makes five tokens up, for which every word is unknown or nothing."""
    folder = write(tmp_path / "odd", vocabulary=VOCABULARY, tokenizer_class=named)
    tokenizer, told = load(folder)
    assert tokenizer.get_vocab() == NUMBERS
    assert len(told) == 1
    assert f"which the class {named.removesuffix('Fast')}" in told[0]


def test_words_that_only_python_takes_for_ends_of_lines(tmp_path):
    words = [*VOCABULARY, "\u2028", "\x85", "끝"]
    tokenizer, _ = load(write(tmp_path / "alone", vocabulary=words))
    assert tokenizer.convert_tokens_to_ids("끝") == len(words) - 1


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": ["가", "나"]},
        {"a.txt": VOCABULARY, "b.txt": VOCABULARY},
        {"merges.txt": ["#version: 0.2", "가 나"]},
    ],
)
def test_no_vocabulary_or_several_are_refused_with_what_is_expected(tmp_path, files):
    folder = tmp_path / "odd"
    for name, words in files.items():
        write(folder, vocabulary=words, name=name)
    with pytest.raises(ValueError, match=rf"the folder has {', '.join(files)}; expected a tokenizer\.json, one"):
        load(folder)


# SentencePiece ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def spiece(tmp_path_factory):
    """A SentencePiece model as KoBERT's: [UNK] 0, [PAD] 1, then [CLS], [SEP], [MASK]."""
    trainer = pytest.importorskip("sentencepiece").SentencePieceTrainer
    folder = tmp_path_factory.mktemp("spiece")
    (folder / "text").write_text("\n".join(["가나 다라 가나다 마바", "사가 나다 라마 바사"] * 40), encoding="utf-8")
    trainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "spiece"), vocab_size=24, hard_vocab_limit=False,
        unk_id=0, pad_id=1, bos_id=-1, eos_id=-1, unk_piece="[UNK]", pad_piece="[PAD]",
        control_symbols="[CLS],[SEP],[MASK]", minloglevel=2,
    )  # fmt: skip
    return folder / "spiece.model"


def test_a_sentencepiece_file_alone_is_read_as_it_is(tmp_path, spiece):
    import sentencepiece

    shutil.copy(spiece, tmp_path)
    tokenizer, told = load(tmp_path)
    reference = sentencepiece.SentencePieceProcessor(str(spiece))
    for text in ("가나 다라", "가나  @ 마바사", " 힣 가"):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == reference.encode(text)
    assert tokenizer("가나", "다")["input_ids"] == [2, *reference.encode("가나"), 3, *reference.encode("다"), 3]
    assert [getattr(tokenizer, role) for role in ROLES] == list(ROLES.values())
    assert len(told) == 1
    assert "has spiece.model and no tokenizer.json" in told[0]


@pytest.mark.parametrize(
    "named, told",
    [
        ("AlbertTokenizer", r"unknown characters such as . become \[PAD\] and not <unk>"),
        ("T5Tokenizer", r"unknown characters such as . become \[CLS\] and not <unk>"),
        ("XLNetTokenizer", r"takes <pad> for its pad token, which its vocabulary lacks: it has \[PAD\]"),
    ],
)
def test_a_class_with_other_special_tokens_than_the_file_is_refused(tmp_path, spiece, named, told):
    """Every unknown character would be [PAD] or [CLS], and none counted."""
    shutil.copy(spiece, tmp_path)
    write(tmp_path, tokenizer_class=named)
    with pytest.raises(ValueError, match=told):
        load(tmp_path)


def test_a_class_that_puts_tokens_of_its_own_before_the_file_is_told(tmp_path, spiece):
    shutil.copy(spiece, tmp_path / "sentencepiece.bpe.model")
    with pytest.raises(ValueError, match=r"sentencepiece\.bpe\.model alone: .* number its pieces in their own way"):
        load(tmp_path)
    _, told = load(write(tmp_path, tokenizer_class="XLMRobertaTokenizer"))
    assert any("has two pad tokens, <pad> and [PAD]" in message for message in told)


@pytest.mark.parametrize("settings", [{}, {"tokenizer_class": "AlbertTokenizer"}])
def test_without_the_package_its_name_is_told(tmp_path, monkeypatch, settings):
    (tmp_path / "spiece.model").write_bytes(b"\x0a\x00")
    write(tmp_path, **settings)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"spiece\.model needs the package sentencepiece .*pip install sentencepiece"):
        load(tmp_path)


# lower-casing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vocabulary, lower, words",
    [
        (
            VOCABULARY,
            True,
            ["capital letters, which lower-casing never finds", "Hangul syllables, which are never found"],
        ),
        (UNCASED, False, ["have no capital letter"]),
        ([*UNCASED, *(chr(code) for code in range(0x1100, 0x1150))], False, ["no capital letter", "parts of Hangul"]),
    ],
)
def test_a_stated_lower_casing_that_the_vocabulary_contradicts_is_told(tmp_path, vocabulary, lower, words):
    folder = write(tmp_path / "odd", vocabulary=vocabulary, tokenizer_class="BertTokenizer", do_lower_case=lower)
    tokenizer, told = load(folder)
    assert tokenizer.do_lower_case is lower, "what is stated stays"
    assert len(told) == 1
    assert "its normalizer disagree" in told[0]
    assert all(word in told[0] for word in words)
    assert f"Set do_lower_case {str(not lower).lower()}" in told[0]


def test_what_nobody_stated_follows_the_vocabulary_and_is_told(tmp_path):
    """BERT's class lower-cases where nothing is said, and takes Hangul apart: all words of a Korean text unknown."""
    folder = write(tmp_path / "odd", vocabulary=VOCABULARY, model_type="bert")
    tokenizer, told = load(folder)
    assert tokenizer.tokenize("가나 Ab") == ["가", "##나", "A", "##b"]
    assert len(told) == 1
    assert "does not say do_lower_case" in told[0]
    assert "it is read with do_lower_case false" in told[0]
    tokenizer, told = load(write(tmp_path / "uncased", vocabulary=UNCASED, model_type="bert"))
    assert (tokenizer.tokenize("The"), told) == (["the"], [])


def test_a_file_that_contradicts_itself_is_told(tmp_path):
    folder = write(tmp_path / "odd", own(wordpiece(), normalizer=Lowercase()), **ROLES)
    _, told = load(folder)
    assert len(told) == 1
    assert "capital letters, which lower-casing never finds" in told[0]


def test_bytes_have_no_case():
    from models.casing import casing

    alphabet = {word: number for number, word in enumerate([*SPECIAL, *"abcdefghijklmnopqrstuvwxyz"])}
    from tokenizers.pre_tokenizers import ByteLevel

    backend = Tokenizer(BPE(alphabet, []))
    backend.pre_tokenizer = ByteLevel()
    assert casing(PreTrainedTokenizerFast(tokenizer_object=backend, **ROLES)) == []


# public vocabularies ------------------------------------------------------------------------------------------------

FOLDERS = [
    "bert-base-uncased", "klue-bert-base", "klue-roberta-base", "klue-roberta-large", "klue-roberta-large-34268",
    "klue-roberta-typed-markers", "kobigbird", "koelectra-v1", "kr-bert-char16424", "roberta-base", "lassl-tiny/albert",
    "lassl-tiny/bert", "lassl-tiny/electra", "lassl-tiny/roberta",
]  # fmt: skip
ALONE = ("bert-base-uncased", "koelectra-v1", "kr-bert-char16424")
SENTENCE = "〈Something〉는 조지 해리슨이 쓰고 비틀즈가 1969년 앨범 《Abbey Road》에 담은 노래다. @ 쀍 漢字 é"


@pytest.mark.real_data
@pytest.mark.parametrize("name", FOLDERS)
def test_public_vocabularies_and_other_classes_over_them(tmp_path, name):
    """As they are: not a word, but how a vocabulary alone is read. Under other classes: the same tokens, or refused."""
    folder = SHARED_DATA / "tokenizers" / name
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    tokenizer, told = load(folder)
    assert len(told) == (name in ALONE)
    reference = tokenizer(SENTENCE)["input_ids"]
    assert reference.count(tokenizer.unk_token_id) < len(reference) / 2
    for named in ("BertTokenizer", "RobertaTokenizerFast", "AlbertTokenizerFast", "MPNetTokenizer", "T5Tokenizer"):
        copy = tmp_path / named
        shutil.copytree(folder, copy, copy_function=shutil.copyfile)
        copy.chmod(0o755)
        settings = json.loads((copy / "tokenizer_config.json").read_text()) if name not in ALONE else {}
        (copy / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": named}))
        try:
            other, told = load(copy)
        except ValueError:
            continue
        assert other(SENTENCE)["input_ids"] == reference, (named, told)
        assert told or type(other) is type(tokenizer) or "MPNet" in named


# where [CLS] stands -------------------------------------------------------------------------------------------------


def ending(tokens: str) -> Tokenizer:
    """XLNet's and T5's way: special tokens behind the text only."""
    backend = wordpiece()
    numbers = [(token, backend.token_to_id(token)) for token in tokens.split()]
    backend.post_processor = TemplateProcessing(
        single=f"$A {tokens}".strip(), pair=f"$A $B {tokens}".strip(), special_tokens=numbers
    )
    return backend


@pytest.mark.parametrize(
    "tokens, told", [("[SEP] [CLS]", r"puts \[SEP\] \[CLS\] behind a text"), ("[SEP]", r"puts \[SEP\] behind a text")]
)
def test_a_first_word_is_never_read_for_cls(tmp_path, tokens, told):
    folder = write(tmp_path / "odd", ending(tokens), **ROLES, tokenizer_class="PreTrainedTokenizerFast")

    def encoder(**given):
        options = {"model.tokenizer": folder, "data.marker": "none"} | given
        return make_encoder(parse([f"--{key}={value}" for key, value in options.items()])[0])[1]

    for options in (
        {"model.pooling": "cls"},
        {"model.pooling": "cls_mean"},
        {"model.pooling": "entity_start"},
        {"model.pooling": "entity_mean"},
        {"model.pooling": "pooler"},
        {"model.pooling": "last_layers"},
    ):
        with pytest.raises(ValueError, match=rf"^model\.pooling: {options['model.pooling']} reads the token .*{told}"):
            encoder(**options)
    assert encoder(**{"model.pooling": "mean"}).single[0] == []
    encoder(**{"model.pooling": "entity_start", "model.with_cls": "false"})
    encoder(**{"model.pooling": "cls", "model.head": "bilstm"})
    write(tmp_path / "odd", wordpiece())
    encoder(**{"model.pooling": "cls"})
