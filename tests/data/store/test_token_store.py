"""The token store and packed batches, against plain loops over the encoded examples."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

import data.manifest
from data.batch import collate
from data.encode import Encoder, EncodingOptions
from data.readers.options import Columns, ReaderOptions
from data.readers.source import Source
from data.schema import Example
from data.store import token_store
from data.store.arrays import GrowingArrays
from data.store.chunk import Task
from data.store.token_store import load, prepare
from models.tokens import wordpiece_tokenizer

ROOT = Path(__file__).resolve().parents[3]
LABELS = ["no_relation", "org:founded", "per:product", "per:siblings"]
CHARACTERS = sorted(
    set("가람전자는다온에서문을열었고새벽나래하늘의형이다소설바다를쓴사람단체기타날짜장소수량와과관계12@#*^?.'")
)
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS, *("##" + c for c in CHARACTERS)]
SENTENCES = [
    ("가람전자는 다온에서 문을 열었다.", "가람전자", "ORG", "다온", "LOC", "org:founded"),
    ("소설 '바다'를 쓴 나래", "나래", "PER", "바다", "POH", "per:product"),
    ("나래의 형 하늘이다.", "하늘", "PER", "나래", "PER", "per:siblings"),
    ("하늘새벽", "하늘", "PER", "새벽", "PER", None),
    ("새벽에 쓴 글과 하늘에서 쓴 글의 사람은 다르다, 새벽에 문을 열었고 하늘을 열었다.", "새벽", "DAT", "하늘", "LOC",
     "no_relation"),
]  # fmt: skip


def rows() -> list[dict]:
    found = []
    for number, (sentence, subject, subject_type, object, object_type, label) in enumerate(SENTENCES):
        entities = [
            {
                "word": word,
                "start_idx": sentence.rindex(word),
                "end_idx": sentence.rindex(word) + len(word) - 1,
                "type": kind,
            }
            for word, kind in ((subject, subject_type), (object, object_type))
        ]
        found.append(
            {"guid": f"글-{number}", "sentence": sentence, "subject_entity": entities[0], "object_entity": entities[1],
             "label": label, "source": "x"}
        )  # fmt: skip
    return found


def source(content: list[dict] | None = None, name: str = "rows.json") -> Source:
    return Source(name, json.dumps(rows() if content is None else content, ensure_ascii=False).encode(), "klue")


def make_encoder(vocabulary=VOCABULARY, **options) -> Encoder:
    return Encoder(wordpiece_tokenizer(vocabulary), EncodingOptions(**options))


def make_task(source, encoder=None, labels=LABELS, **options) -> Task:
    numbers = {label: number for number, label in enumerate(labels)}
    return Task(source, encoder or make_encoder(), numbers, **{"need_labels": False} | options)


def make_store(tmp_path, content=None, encoder=None, processes=None, **options):
    return prepare(make_task(source(content), encoder, **options), tmp_path, quiet=True, processes=processes)


@dataclasses.dataclass(frozen=True)
class Rows:
    """A source of ready examples: files of our formats hold neither pairs nor extra inputs."""

    content: tuple
    name: str = "examples"
    raw: bytes = b""
    format: str = "none"
    identity: str = "0"
    ids: str = "None"
    size: int = 0

    def examples(self):
        return enumerate(self.content, start=1)


def mixed_examples() -> list[Example]:
    """With entities, without, and with a second text; extra inputs of both kinds."""
    examples = [example for _, example in source().examples()]
    examples.insert(2, Example("짝", "하늘의 문", text_pair="새벽에 쓴 소설", label="per:product"))
    examples.insert(5, Example("홑", "문을 열었다.", label="no_relation"))
    encoder = make_encoder(max_length=40)
    lengths = [len(result.tokens) for result in encoder.encode(examples)]
    return [
        dataclasses.replace(one, extra={"topic": 10 * n - 20, "depth": [n * 100 + t for t in range(length)]})
        for n, (one, length) in enumerate(zip(examples, lengths, strict=True))
    ]


def naive_batch(encoded: list, index: list[int]) -> dict:
    """What collate must give, one token at a time."""
    want = {name: [] for name in (
        "tokens", "positions", "segments", "offsets", "subject", "object", "roles", "types", "index", "topic", "depth",
    )}  # fmt: skip
    want["offsets"].append(0)
    for row in index:
        one, start = encoded[row], len(want["tokens"])
        for position, token in enumerate(one.tokens.tolist()):
            want["tokens"].append(token)
            want["positions"].append(position)
            want["segments"].append(1 if position >= one.second else 0)
            want["depth"].append(row * 100 + position)
            role, kind = 0, 0
            for number in (0, 1):
                first, last = one.spans[number, 2].tolist()
                if 0 <= first <= position < last:
                    role, kind = number + 1, int(one.types[number])
            want["roles"].append(role)
            want["types"].append(kind)
        want["offsets"].append(len(want["tokens"]))
        for number, name in enumerate(("subject", "object")):
            want[name].append([[-1, -1] if a < 0 else [a + start, b + start] for a, b in one.spans[number].tolist()])
        want["index"].append(row)
        want["topic"].append(10 * row - 20)
    return want


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The store of the mixed examples, and the same examples encoded one at a time."""
    examples, encoder = mixed_examples(), make_encoder(max_length=40)
    store = prepare(make_task(Rows(tuple(examples)), encoder), tmp_path_factory.mktemp("cache"), quiet=True)
    return examples, [next(encoder.encode([example])) for example in examples], store


def test_store_holds_what_the_encoder_made(mixed):
    examples, encoded, store = mixed
    assert len(store) == 7
    assert store.tokens.tolist() == [token for one in encoded for token in one.tokens.tolist()]
    assert store.offsets.tolist() == [sum(len(one.tokens) for one in encoded[:n]) for n in range(8)]
    assert store.lengths.tolist() == [len(one.tokens) for one in encoded]
    assert store.second.tolist() == [one.second for one in encoded]
    assert store.spans.tolist() == [one.spans.tolist() for one in encoded]
    assert store.types.tolist() == [one.types.tolist() for one in encoded]
    assert store.labels.tolist() == [1, 2, 2, 3, -1, 0, 0]
    assert [store.id(n) for n in range(7)] == ["글-0", "글-1", "짝", "글-2", "글-3", "홑", "글-4"]
    assert [example.id for example in examples] == [store.id(n) for n in range(7)]
    assert store.extra["topic"].tolist() == [-20, -10, 0, 10, 20, 30, 40]
    assert store.extra["depth"].tolist() == [
        n * 100 + t for n, one in enumerate(encoded) for t in range(len(one.tokens))
    ]
    types = {
        name: str(getattr(store, name).dtype) for name in ("tokens", "offsets", "second", "spans", "types", "labels")
    }
    assert types == {
        "tokens": "int32", "offsets": "int64", "second": "int32", "spans": "int32", "types": "int8", "labels": "int64",
    }  # fmt: skip
    unknown = sum(one.tokens.tolist().count(1) for one in encoded)
    assert unknown > 0
    assert {key: value for key, value in store.facts.items() if key != "words"} == {
        "rows": 7, "tokens": sum(len(one.tokens) for one in encoded), "unknown": unknown, "cut": 1, "wide": 0,
        "skipped": [], "lost": {}, "notes": {},
    }  # fmt: skip


def test_store_is_mapped_and_read_only(mixed):
    *_, store = mixed
    for array in (store.tokens, store.spans, store.labels, store.extra["depth"]):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def check_batch(batch, labels, encoded, index):
    want = naive_batch(encoded, index)
    for name in ("tokens", "positions", "segments", "offsets", "subject", "object", "roles", "types", "index"):
        tensor = getattr(batch, name)
        assert tensor.dtype == torch.int64, name
        assert tensor.tolist() == want[name], name
    assert batch.longest == max(len(encoded[row].tokens) for row in index)
    assert type(batch.longest) is int
    assert len(batch) == len(index)
    assert set(batch.extra) == {"topic", "depth"}
    assert {name: tensor.tolist() for name, tensor in batch.extra.items()} == {name: want[name] for name in batch.extra}
    assert labels.tolist() == [[1, 2, 2, 3, -1, 0, 0][row] for row in index]


@settings(max_examples=60, deadline=None)
@given(index=st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_batch_equals_plain_loops(mixed, index):
    """Any rows in any order, a row several times too (losses with views ask for that)."""
    _, encoded, store = mixed
    check_batch(*collate(store, np.array(index)), encoded, index)


def test_batch_of_everything(mixed):
    _, encoded, store = mixed
    batch, labels = collate(store, np.arange(7))
    check_batch(batch, labels, encoded, list(range(7)))
    roles, types = batch.roles.tolist(), batch.types.tolist()
    assert {1, 2, 0} == set(roles)
    assert set(types) == {0, 1, 2, 3, 4, 5}
    second = slice(*batch.offsets[2:4].tolist())
    assert set(roles[second]) == {0}
    assert batch.subject[2].tolist() == [[-1, -1]] * 3


def test_extra_inputs_stay_apart_when_batch_has_as_many_rows_as_an_example_tokens(tmp_path):
    """One number a row and one a token are told apart by the store's size, whatever the batch."""
    examples = [Example(f"{n}", "문", extra={"row": n, "token": [n, -n, n * n]}) for n in range(1, 10)]
    store = prepare(make_task(Rows(tuple(examples))), tmp_path, quiet=True)
    for index in ([4], [0, 1, 2], [8, 7, 6, 5, 4, 3, 2, 1, 0]):
        batch, _ = collate(store, np.array(index))
        assert batch.extra["row"].tolist() == [n + 1 for n in index]
        assert batch.extra["token"].tolist() == [v for n in index for v in (n + 1, -n - 1, (n + 1) ** 2)]


def test_to_moves_every_tensor_but_the_lengths(mixed):
    batch, _ = collate(mixed[2], np.arange(3))
    moved = batch.to(torch.device("meta"))
    held = {name: value for name, value in vars(moved).items() if isinstance(value, torch.Tensor)}
    assert torch.equal(held.pop("lengths"), batch.offsets.diff())  # on the host: nobody waits for a device to know them
    tensors = [*held.values(), *moved.extra.values()]
    assert len(tensors) == 11
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.longest == batch.longest


def test_rows_with_different_extra_inputs_are_refused(tmp_path):
    examples = (Example("a", "문", extra={"x": 1}), Example("b", "문", extra={"y": 1}))
    with pytest.raises(ValueError, match=r"row 'b' has the extra inputs \['y'\], the rows before it \['x'\]"):
        prepare(make_task(Rows(examples)), tmp_path, quiet=True)


# the cache ----------------------------------------------------------------------------------------------------------


def folders(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.is_dir())


def same(a, b) -> bool:
    columns = [f.name for f in dataclasses.fields(a) if f.name not in ("extra", "facts")]
    return a.facts == b.facts and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in columns)


def test_second_time_nothing_is_encoded(tmp_path, monkeypatch):
    first = make_store(tmp_path)
    assert len(folders(tmp_path)) == 1

    def refuse(*_):
        raise AssertionError("encoded again")

    monkeypatch.setattr(Encoder, "encode", refuse)
    again = make_store(tmp_path)
    assert same(first, again)
    assert len(first) == 5
    assert len(folders(tmp_path)) == 1
    with pytest.raises(AssertionError, match="encoded again"):
        make_store(tmp_path, encoder=make_encoder(max_length=100))


CHANGES = {
    "raw bytes": {"source": Source("rows.json", source().raw + b" ", "klue")},
    "options of the reader": {"source": Source("rows.json", source().raw, "klue", ReaderOptions(header=False))},
    "marker": {"encoder": {"marker": "entity_punct"}},
    "query": {"encoder": {"query": "relation"}},
    "language": {"encoder": {"type_words": "english"}},
    "max_length": {"encoder": {"max_length": 255}},
    "types": {"encoder": {"types": ("ORG", "PER", "LOC", "DAT", "POH", "NOH")}},
    "order of labels": {"labels": LABELS[::-1]},
    "more labels": {"labels": [*LABELS, "x"]},
    "tokenizer": {"encoder": {"vocabulary": [*VOCABULARY, "가람"]}},
    "bad rows": {"stop": False},
    "need labels": {"need_labels": True},
    "learned": {"learned": True},
}


def test_everything_that_changes_the_store_changes_its_key(tmp_path):
    labelled = [row | {"label": row["label"] or "no_relation"} for row in rows()]
    base = {"source": source(labelled), "encoder": {}, "labels": LABELS}
    found = {}
    for name, change in ({"nothing": {}} | CHANGES).items():
        if "source" in change:  # of the same rows
            extra = b" " if name == "raw bytes" else b""
            change = {"source": dataclasses.replace(change["source"], raw=base["source"].raw + extra)}
        options = base | change
        before = set(folders(tmp_path))
        prepare(make_task(**options | {"encoder": make_encoder(**options["encoder"])}), tmp_path, quiet=True)
        found[name] = len(set(folders(tmp_path)) - before)
    assert found == dict.fromkeys(["nothing", *CHANGES], 1)
    assert len(folders(tmp_path)) == 14


def test_an_edited_reader_or_marker_gets_another_store(tmp_path, monkeypatch):
    """Whoever edits a file of data/ in place must not get the store that the old one made."""
    code, cache = tmp_path / "data", tmp_path / "cache"
    shutil.copytree(ROOT / "data", code, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(token_store, "__file__", str(code / "store" / "token_store.py"))
    for stores, edited in enumerate(("", "readers/klue.py", "markers.py", "store/words.py"), start=1):
        if edited:
            with (code / edited).open("a", encoding="utf-8") as file:
                file.write("# edited\n")
        for _ in range(2):
            make_store(cache)
            assert len(folders(cache)) == stores, edited


def test_rows_called_by_their_number_are_kept_apart_from_those_called_by_their_ids(tmp_path):
    found = {}
    for name in (None, "row", None):
        options = ReaderOptions(columns=Columns(id=name))
        asked = dataclasses.replace(source(), options=options)
        found[name] = [prepare(make_task(asked), tmp_path, quiet=True).id(row) for row in range(4)]
    assert found == {None: [f"글-{row}" for row in range(4)], "row": ["1", "2", "3", "4"]}


def test_name_of_the_file_does_not_change_the_key(tmp_path):
    for name in ("a.json", "b.json"):
        prepare(make_task(source(name=name)), tmp_path, quiet=True)
    assert len(folders(tmp_path)) == 1


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    """An exception in the middle of encoding, and one in the middle of writing."""
    encode, save = Encoder.encode, GrowingArrays.append

    def broken_encode(self, examples):
        yield from list(encode(self, examples))[:3]
        raise RuntimeError("power cut")

    monkeypatch.setattr(Encoder, "encode", broken_encode)
    with pytest.raises(RuntimeError, match="power cut"):
        make_store(tmp_path)
    monkeypatch.setattr(Encoder, "encode", encode)
    assert folders(tmp_path) == []

    def broken_save(arrays, name, rows):
        if name == "labels":
            raise OSError(28, "No space left on device")
        save(arrays, name, rows)

    monkeypatch.setattr(GrowingArrays, "append", broken_save)
    with pytest.raises(ValueError, match=r"data\.cache_dir: cannot write the token store to .*No space left"):
        make_store(tmp_path)
    monkeypatch.setattr(GrowingArrays, "append", save)
    assert folders(tmp_path) == []
    assert len(make_store(tmp_path)) == 5
    assert len(folders(tmp_path)) == 1


def altered(name: str, change):
    """A change of one array by somebody who keeps its form."""

    def write(folder: Path) -> None:
        array = np.load(folder / f"{name}.npy")
        np.save(folder / f"{name}.npy", change(array).astype(array.dtype))

    return write


def flipped(name: str, place: int):
    def write(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[place % len(content)] ^= 4
        (folder / name).write_bytes(content)

    return write


DAMAGE = {
    "zeroed tokens": (altered("tokens", np.zeros_like), r"tokens\.npy was changed"),
    "reversed labels": (altered("labels", lambda array: array[::-1]), r"labels\.npy was changed"),
    "other spans": (altered("spans", lambda array: array[:, ::-1]), r"spans\.npy was changed"),
    "one bit of the tokens": (flipped("tokens.npy", -7), r"tokens\.npy was changed"),
    "one bit of the header": (flipped("offsets.npy", 20), r"offsets\.npy was changed"),
    "one bit of the facts": (flipped("store.json", 14), r"store\.json was changed"),
    "half a file": (lambda folder: os.truncate(folder / "tokens.npy", 140), r"tokens\.npy has 140 bytes, expected"),
    "an empty file": (lambda folder: os.truncate(folder / "store.json", 0), r"store\.json has 0 bytes, expected"),
    "a missing file": (lambda folder: (folder / "types.npy").unlink(), r"types\.npy is missing"),
    "no facts": (lambda folder: (folder / "store.json").unlink(), r"store\.json is missing"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json: No such file"),
    "half a manifest": (lambda folder: os.truncate(folder / "manifest.json", 99), "manifest.json does not list files"),
    "no files in it": (lambda folder: (folder / "manifest.json").write_text('{"format": 1, "files": []}'), "not list"),
    "a later version": (
        lambda folder: (folder / "manifest.json").write_text('{"format": 2, "files": {}}'), "is of format 2",
    ),
}  # fmt: skip


@pytest.mark.drill("R20")
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_store_is_made_anew(tmp_path, kind):
    make_store(tmp_path)
    (folder,) = (tmp_path / name for name in folders(tmp_path))
    expected = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage, message = DAMAGE[kind]
    damage(folder)
    with pytest.warns(UserWarning, match=rf"data\.cache_dir: the token store .* is damaged \(.*{message}.*made anew"):
        prepare(make_task(source()), tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
    assert len(folders(tmp_path)) == 1


@pytest.mark.drill("R20")
def test_any_flipped_bit_of_a_store_is_noticed(tmp_path):
    make_store(tmp_path)
    (folder,) = (tmp_path / name for name in folders(tmp_path))
    assert token_store.damage(folder) == ""
    for path in sorted(folder.iterdir()):
        for place in range(0, path.stat().st_size, 41):
            flipped(path.name, place)(folder)
            assert token_store.damage(folder), (path.name, place)
            flipped(path.name, place)(folder)
    assert token_store.damage(folder) == ""


@pytest.mark.drill("R20")
def test_pieces_of_large_files_are_looked_at_each(tmp_path, monkeypatch):
    monkeypatch.setattr(data.manifest, "PIECE", 100)
    make_store(tmp_path)
    (folder,) = (tmp_path / name for name in folders(tmp_path))
    size = (folder / "spans.npy").stat().st_size
    digests = json.loads((folder / "manifest.json").read_text())["files"]["spans.npy"]["sha256"]
    content = (folder / "spans.npy").read_bytes()
    assert digests == [hashlib.sha256(content[start : start + 100]).hexdigest() for start in range(0, size, 100)]
    for place in (0, 99, 100, size - 1):
        flipped("spans.npy", place)(folder)
        assert "spans.npy was changed" in token_store.damage(folder)
        flipped("spans.npy", place)(folder)


@pytest.mark.drill("R20")
def test_a_store_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    seen, flush, replace = [], data.manifest.flush, os.replace
    monkeypatch.setattr(data.manifest, "flush", lambda path: (seen.append(path.name), flush(path)))
    monkeypatch.setattr(os, "replace", lambda old, new: (seen.append("the name"), replace(old, new)))
    make_store(tmp_path)
    (folder,) = (tmp_path / name for name in folders(tmp_path))
    files = sorted(path.name for path in folder.iterdir() if path.name != "manifest.json")
    assert seen[: len(files) + 1] == [*files, "manifest.json"]
    assert seen[len(files) + 2 :] == ["the name", tmp_path.name]


@pytest.mark.drill("R20")
def test_leftovers_of_killed_builders_are_cleared_and_those_of_others_stay(tmp_path):
    make_store(tmp_path)
    (name,) = folders(tmp_path)
    gone, alive = (f".{key * 32}-x{key}" for key in "ab")
    for left in (f".{name}-abc", gone, alive, ".other"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "tokens.npy").write_bytes(b"half")
    (tmp_path / name / "tokens.npy").unlink()
    with FileLock(tmp_path / f"{'b' * 32}.lock"):
        make_store(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted([alive, ".other", name])


@pytest.mark.drill("R20")
def test_waiting_for_another_builder_is_told(tmp_path, monkeypatch):
    make_store(tmp_path)
    (name,) = folders(tmp_path)
    shutil.rmtree(tmp_path / name)
    monkeypatch.setattr(token_store, "TOLD_AFTER", 0.01)
    held = threading.Event()

    def hold() -> None:
        with FileLock(tmp_path / f"{name}.lock"):
            held.set()
            time.sleep(0.3)

    threading.Thread(target=hold).start()
    held.wait()
    task = make_task(source())
    with pytest.warns(UserWarning, match=f"waiting for another process that makes the store {name}"):
        store = prepare(task, tmp_path)
    assert len(store) == 5


def test_cache_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ValueError, match=r"data\.cache_dir: cannot write the token store to .*file.cache .*another folder"
    ):
        make_store(tmp_path / "file" / "cache")


def test_every_array_is_a_plain_array(tmp_path):
    make_store(tmp_path)
    (folder,) = (tmp_path / name for name in folders(tmp_path))
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "id_bytes.npy", "id_offsets.npy", "labels.npy", "manifest.json", "offsets.npy", "second.npy", "sentences.npy",
        "spans.npy", "store.json", "tokens.npy", "types.npy",
    ]  # fmt: skip
    for name in names:
        if name.endswith(".npy"):
            array = np.load(folder / name, allow_pickle=False)
            assert array.dtype.kind in "iu"
    assert same(load(folder), make_store(tmp_path))


# bad rows -----------------------------------------------------------------------------------------------------------


def spoiled() -> list[dict]:
    """Rows 2, 4 and 5 of 7 are bad: a wrong word, an unknown label, a type that is not listed."""
    good = [row | {"label": row["label"] or "no_relation"} for row in rows()]
    word = good[1] | {"guid": "w", "subject_entity": good[1]["subject_entity"] | {"word": "없음"}}
    label = good[2] | {"guid": "l", "label": "per:friend"}
    kind = good[3] | {"guid": "t", "object_entity": good[3]["object_entity"] | {"type": "CLS"}}
    return [good[0], word, good[1], label, kind, good[2], good[3]]


def test_skipped_rows_are_counted_and_listed(tmp_path):
    store = make_store(tmp_path, spoiled(), stop=False, need_labels=True)
    assert [store.id(n) for n in range(len(store))] == ["글-0", "글-1", "글-2", "글-3"]
    assert store.facts["rows"] == 4
    assert [number for number, _ in store.facts["skipped"]] == [2, 4, 5]
    reasons = [reason for _, reason in store.facts["skipped"]]
    assert "'없음'" in reasons[0]
    assert "'나래'" in reasons[0]
    assert reasons[1] == (
        "unknown label 'per:friend'; data.labels lists no_relation, org:founded, per:product, per:siblings; "
        "data.labels learned takes those of the training rows"
    )
    assert "'CLS'" in reasons[2]
    clean = make_store(
        tmp_path / "clean", [row for n, row in enumerate(spoiled(), 1) if n not in (2, 4, 5)], need_labels=True
    )
    assert clean.tokens.tolist() == store.tokens.tolist()
    assert clean.labels.tolist() == store.labels.tolist() == [1, 2, 3, 0]
    again = make_store(tmp_path, spoiled(), stop=False, need_labels=True)
    assert again.facts == store.facts, "the list comes out of the cache too"


@pytest.mark.parametrize("left_out, message", [
    ([], r"^rows\.json, row 2: subject entity is '없음'"),
    ([2], r"^rows\.json, row 3: unknown label 'per:friend'"),
    ([2, 4], r"^rows\.json, row 3: entity type 'CLS'"),
])  # fmt: skip
def test_error_names_the_first_bad_row(tmp_path, left_out, message):
    content = [row for n, row in enumerate(spoiled(), 1) if n not in left_out]
    with pytest.raises(ValueError, match=message):
        make_store(tmp_path, content, need_labels=True)
    assert folders(tmp_path) == []


def test_chunks_do_not_change_the_store(tmp_path, monkeypatch):
    """Rows are encoded some at a time; bad ones may fall anywhere in a chunk."""
    whole = make_store(tmp_path / "1", spoiled(), stop=False, need_labels=True)
    for size in (1, 2, 3):
        monkeypatch.setattr(token_store, "CHUNK", size)
        assert same(whole, make_store(tmp_path / f"chunks-{size}", spoiled(), stop=False, need_labels=True))


def test_rows_without_label(tmp_path):
    reason = "the row has no label, which training and evaluation need; looked for in 'label', "
    reason += "data.columns.label names another"
    with pytest.raises(ValueError, match=rf"^rows\.json, row 4: {reason}$"):
        make_store(tmp_path, need_labels=True)
    assert make_store(tmp_path, need_labels=False).labels.tolist() == [1, 2, 3, -1, 0]
    kept = make_store(tmp_path, need_labels=True, stop=False)
    assert kept.labels.tolist() == [1, 2, 3, 0]
    assert kept.facts["skipped"] == [[4, reason]]


def test_all_rows_bad(tmp_path):
    bad = [row | {"guid": ""} for row in rows()]
    with pytest.raises(ValueError, match=r"^rows\.json: all 5 rows are bad; the first: guid is empty$"):
        make_store(tmp_path, bad, stop=False)
    assert folders(tmp_path) == []


# two processes ------------------------------------------------------------------------------------------------------

WORKERS = """
import contextlib, os, sys, time
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
import test_token_store
from data.encode import Encoder

encode = Encoder.encode
def slow(self, examples):
    print("encodes", flush=True)
    time.sleep(1.0)
    yield from encode(self, examples)
Encoder.encode = slow
cache = Path(sys.argv[1])
waiting, ready = os.pipe()
child = os.fork()  # two processes, both past their imports
with Path(sys.argv[2 if child else 3]).open("w", encoding="utf-8") as output, contextlib.redirect_stdout(output):
    encoder = test_token_store.make_encoder()
    os.read(waiting, 1) if child else os.write(ready, b"1")
    store = test_token_store.make_store(cache, encoder=encoder)
    print(len(store), int(store.tokens.astype("int64").sum()), store.id(4))
assert not child or os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.timeout(120)
def test_two_processes_make_one_store(tmp_path):
    script = WORKERS.format(root=str(ROOT), tests=str(Path(__file__).parent))
    outputs = [tmp_path / "one", tmp_path / "two"]
    command = [sys.executable, "-c", script, str(tmp_path / "cache"), *map(str, outputs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    said = [path.read_text(encoding="utf-8").splitlines() for path in outputs]
    assert sorted(len(lines) for lines in said) == [1, 2], "one of them encoded, the other waited"
    assert said[0][-1] == said[1][-1]
    reference = make_store(tmp_path / "reference")
    assert said[0][-1] == f"5 {int(reference.tokens.astype('int64').sum())} 글-4"
    assert len(folders(tmp_path / "cache")) == 1
