"""The readers: bytes of a KLUE JSON or Boostcamp CSV file to Examples."""

import csv
import io
import json
import os
import pickle
import sys
import types
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.labels import BOOSTCAMP, KLUE, label_list
from data.readers import FORMATS, boostcamp, klue
from data.readers.classes import Classes
from data.readers.entities import KEYS
from data.readers.options import Columns, ReaderOptions
from data.readers.source import Source, detect, open_source
from data.schema import Example, Span

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
COLUMNS = ("id", *klue.COLUMNS[1:], "label", "source")
BOM = b"\xef\xbb\xbf"


def entity(sentence: str, word: str, kind: str, occurrence: int = 0) -> dict:
    """As the files write it: end_idx is the last character."""
    start = -1
    for _ in range(occurrence + 1):
        start = sentence.index(word, start + 1)
    return {"word": word, "start_idx": start, "end_idx": start + len(word) - 1, "type": kind}


def row(number: int, sentence: str, subject: dict, object: dict, label="no_relation", source="모음") -> dict:
    return {
        "guid": str(number),
        "sentence": sentence,
        "subject_entity": subject,
        "object_entity": object,
        "label": label,
        "source": source,
    }


def make_rows() -> list[dict]:
    """Korean sentences with everything that breaks careless readers."""
    plain = "가람전자는 2001년 나래시에서 문을 열었다."
    apostrophe = "배우 도로시 O'Hara는 다온극단 소속이다."
    both = "노래 '너의 \"별\"'은 가수 하람이 불렀다."
    commas = "'돌, 바람: 그리고 물'을 쓴 사람은 마루, 소라의 형이다."
    braces = "모임 {word: 1}의 대표는 새롬이다."
    lines = "첫 줄에 나온 이름은 별찬,\r\n둘째 줄에 나온 이름은 해솔이다."
    twice = "서울상회는 서울에서 서울상회 2호점을 열었다."
    return [
        row(0, plain, entity(plain, "가람전자", "ORG"), entity(plain, "2001년", "DAT"), "org:founded"),
        row(
            1, apostrophe, entity(apostrophe, "O'Hara", "PER"), entity(apostrophe, "다온극단", "ORG"), "per:employee_of"
        ),
        row(2, both, entity(both, "하람", "PER"), entity(both, "'너의 \"별\"'", "POH"), "per:product"),
        row(3, commas, entity(commas, "마루", "PER"), entity(commas, "돌, 바람: 그리고 물", "POH"), "per:product"),
        row(4, braces, entity(braces, "{word: 1}", "ORG"), entity(braces, "새롬", "PER"), "org:top_members/employees"),
        row(5, lines, entity(lines, "해솔", "PER"), entity(lines, "별찬", "PER"), "per:siblings"),
        row(
            6, twice, entity(twice, "서울상회", "ORG", 1), entity(twice, "서울", "LOC", 1), "org:place_of_headquarters"
        ),
    ]


def as_json(rows: list) -> bytes:
    return json.dumps(rows, ensure_ascii=False, indent=1).encode()


def as_csv(rows: list[dict], line_end: str = "\n", columns=COLUMNS, quoting=csv.QUOTE_MINIMAL) -> bytes:
    """As the competition wrote it: csv.writer, entities by str(dict)."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=line_end, quoting=quoting)
    writer.writerow(columns)
    for one in rows:
        values = one | {"id": one["guid"]}
        writer.writerow(["" if values[column] is None else str(values[column]) for column in columns])
    return file.getvalue().encode()


def read(raw: bytes, format: str, name: str = "rows.file") -> list[Example]:
    return [FORMATS[format].example(one) for one in FORMATS[format].rows(raw, name)]


@pytest.mark.parametrize("format, write", [("klue", as_json), ("boostcamp", as_csv)])
def test_inclusive_offsets_become_exclusive_spans(format, write):
    example = read(write(make_rows()[:1]), format)[0]
    assert example == Example(
        id="0",
        text="가람전자는 2001년 나래시에서 문을 열었다.",
        subject=Span(0, 4, "가람전자", "ORG"),
        object=Span(6, 11, "2001년", "DAT"),
        label="org:founded",
        source="모음",
    )
    assert example.text[6:11] == "2001년"
    assert example.text_pair is None
    assert example.extra == {}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_both_formats_give_equal_examples(line_end):
    """Apostrophes (repr then uses double quotes), commas, colons, braces, quotes and line ends inside words."""
    rows = make_rows()
    raw = as_csv(rows, line_end)
    assert b'""O\'Hara""' in raw, "the file must hold the double quotes that repr chose"
    from_csv, from_json = read(raw, "boostcamp"), read(as_json(rows), "klue")
    assert len(from_csv) == len(from_json) == 7
    assert from_csv == from_json
    assert [example.subject.text for example in from_csv] == [
        "가람전자", "O'Hara", "하람", "마루", "{word: 1}", "해솔", "서울상회",
    ]  # fmt: skip
    assert [example.object.text for example in from_csv] == [
        "2001년", "다온극단", "'너의 \"별\"'", "돌, 바람: 그리고 물", "새롬", "별찬", "서울",
    ]  # fmt: skip


@pytest.mark.parametrize("file_ends", ["\n", "\r\n"])
@pytest.mark.parametrize("inside", ["\n", "\r\n", "\r"])
def test_line_ends_inside_a_quoted_sentence_keep_offsets_right(inside, file_ends):
    sentence = f"앞줄{inside}{inside}에 누리와{inside}마루가 있다."
    rows = [row(0, sentence, entity(sentence, "누리", "PER"), entity(sentence, "마루", "PER"))]
    example = read(as_csv(rows, file_ends, quoting=csv.QUOTE_ALL), "boostcamp")[0]
    assert example.text == sentence
    assert (example.subject.start, example.object.start) == (4 + 2 * len(inside), 7 + 3 * len(inside))


def test_word_that_occurs_twice_is_the_one_at_the_offsets():
    example = read(as_csv(make_rows()[6:]), "boostcamp")[0]
    assert (example.subject.start, example.object.start) == (11, 6)


@pytest.mark.parametrize("format, write", [("klue", as_json), ("boostcamp", as_csv)])
def test_byte_order_mark_is_skipped_with_a_warning_that_names_the_file(format, write):
    raw = write(make_rows())
    with pytest.warns(UserWarning, match=r"folder/rows\.file: starts with a byte-order mark"):
        marked = read(BOM + raw, format, "folder/rows.file")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(raw, format) == marked


@pytest.mark.parametrize("label", [100, "100", "", None])
def test_no_label(label):
    rows = [make_rows()[0] | {"label": label}]
    for raw, format in ((as_json(rows), "klue"), (as_csv(rows), "boostcamp")):
        source = Source("rows", raw, format, classes=Classes(KLUE, numbered=True))
        assert [example.label for _, example in source.examples()] == [None]


def test_missing_label_and_source_columns():
    rows = make_rows()[:2]
    short = [{key: value for key, value in one.items() if key not in ("label", "source")} for one in rows]
    for examples in (
        read(as_json(short), "klue"),
        read(as_csv(rows, columns=("id", *klue.COLUMNS[1:])), "boostcamp"),
    ):
        assert [(example.label, example.source) for example in examples] == [(None, ""), (None, "")]


def test_label_is_kept_as_written():
    rows = [make_rows()[0] | {"label": label} for label in ("관계_없음", "0", 0, 7, "no relation ")]
    assert [example.label for example in read(as_json(rows), "klue")] == ["관계_없음", "0", "0", "7", "no relation "]
    assert [example.label for example in read(as_csv(rows), "boostcamp")] == [
        "관계_없음",
        "0",
        "0",
        "7",
        "no relation ",
    ]


def test_order_of_columns_and_unknown_columns_do_not_matter():
    rows = [one | {"extra": "x"} for one in make_rows()]
    shuffled = as_csv(rows, columns=("extra", "label", "object_entity", "sentence", "source", "subject_entity", "id"))
    assert read(shuffled, "boostcamp") == read(as_json(rows), "klue")


def test_blank_lines_at_the_end_are_no_rows():
    assert len(boostcamp.rows(as_csv(make_rows()) + b"\n\r\n", "rows.csv")) == 7


# what is wrong with a file, and the fragments that its one message must hold
BAD_FILES = {
    "empty": ("klue", b"", ["bad.file", "empty"]),
    "blank": ("boostcamp", b" \n\r\n", ["bad.file", "empty"]),
    "only a mark": ("klue", BOM, ["bad.file", "empty"]),
    "cp949": ("boostcamp", b"id,sentence\n1,\xb0\xa1\n", ["bad.file", "line 2", "0xb0", "UTF-8"]),
    "utf-16": ("klue", "[]".encode("utf-16"), ["bad.file: found UTF-16 text", "UTF-8"]),
    "nul": ("boostcamp", b"id\na\nb\0c\n", ["bad.file", "line 3", "NUL"]),
    "json text": ("klue", b'"rows"', ["bad.file", "JSON str", "list"]),
    "cut json": ("klue", as_json(make_rows())[:-2], ["bad.file", "no valid JSON", "line"]),
    "json columns": ("klue", b'{"a": [1, 2], "b": [1]}', ["bad.file: columns are of different lengths (a 2, b 1)"]),
    "two lists": ("klue", b"[]\n[]\n", ["bad.file: no valid JSON (Extra data: line 2"]),
    "deep json": ("klue", b"[" * 100_000, ["bad.file", "nested"]),
    "long number": ("klue", b"[" + b"9" * 5000 + b"]", ["bad.file", "4300 digits"]),
    "columns": ("boostcamp", b"idx,sentence\n", ["no column subject_entity", "found idx, sentence"]),
    "bars": ("boostcamp", b"id|sentence|subject_entity|object_entity\n", ["no column sentence"]),
    "open quote": ("boostcamp", as_csv(make_rows()[:1]) + b'1,"x\n', ["row 2", "no valid CSV"]),
    "text after quote": ("boostcamp", as_csv(make_rows()[:1]) + b'"1"x,2,3,4,5,6\n', ["row 2", "no valid CSV"]),
}


# files that can be read, with one row that cannot be cut: its number, and what it says
UNCUT = {
    "no object": ("klue", as_json([make_rows()[0], 1]), 2, "found int 1, expected an object"),
    "keys": (
        "klue", b'[{"id": 1, "sentence": ""}]', 1,
        "no key subject_entity, object_entity; found id, sentence; expected id, sentence, subject_entity, "
        "object_entity, label",
    ),
    "odd keys": ("klue", b'[{"a\\n\\ud800": 1}]', 1, "found a\\n\\ud800; expected"),
    "key twice": ("klue", b'[{"guid": 1, "guid": 2}]', 1, "key 'guid' stands twice in an object"),
    "too many fields": ("boostcamp", as_csv(make_rows()[:1]) + b"1,2,3,4,5,6,7\n", 2, "found 7 columns, expected 6"),
    "too few fields": ("boostcamp", as_csv(make_rows()[:2]) + b"1,2\n", 3, "found 2 columns, expected 6"),
}  # fmt: skip


@pytest.mark.parametrize("format, raw, number, message", UNCUT.values(), ids=UNCUT)
def test_row_that_cannot_be_cut_is_the_rows_own_fault(format, raw, number, message):
    found = list(Source("rows.file", raw, format).examples())
    assert [row for row, one in found if isinstance(one, ValueError)] == [number]
    assert message in str(found[number - 1][1])


def test_place_of_a_row_in_a_csv_file_is_the_line_where_it_starts():
    raw = BOM + b"\r\n" + as_csv(make_rows(), "\r\n")
    source = Source("rows.csv", raw, "boostcamp")
    with pytest.warns(UserWarning, match="byte-order mark"):
        places = [source.place(number) for number in range(1, 8)]
    # the sixth row runs over two lines, and the mark is followed by an empty one
    lines = [3, 4, 5, 6, 7, 8, 10]
    assert places == [f"row {number} (line {line})" for number, line in enumerate(lines, start=1)]
    assert Source("rows.json", as_json(make_rows()), "klue").place(6) == "row 6"


@pytest.mark.filterwarnings("ignore:.*byte-order mark")
@pytest.mark.parametrize("format, raw, fragments", BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file(format, raw, fragments):
    with pytest.raises(ValueError) as caught:
        FORMATS[format].rows(raw, "bad.file")
    assert "\n" not in str(caught.value)
    for fragment in ["bad.file", *fragments]:
        assert fragment in str(caught.value)


def changed(**change) -> dict:
    return make_rows()[0] | change


SUBJECT = {"word": "가람전자", "start_idx": 0, "end_idx": 3, "type": "ORG"}
BAD_ROWS = {
    "exclusive end": (
        changed(subject_entity=SUBJECT | {"end_idx": 4}),
        ["subject", "'가람전자'", "0..4", "'가람전자는'"],
    ),
    "other word": (changed(subject_entity=SUBJECT | {"word": "나래전자"}), ["'나래전자'", "0..3", "'가람전자'"]),
    "reversed": (changed(subject_entity=SUBJECT | {"start_idx": 3, "end_idx": 0}), ["start_idx 3", "end_idx 0"]),
    "negative": (
        changed(subject_entity=SUBJECT | {"start_idx": -4, "end_idx": -1}),
        ["-4..-1", "outside", "of 25 characters"],
    ),
    "beyond": (
        changed(subject_entity=SUBJECT | {"start_idx": 25, "end_idx": 28}),
        ["25..28", "outside", "of 25 characters"],
    ),
    "text offset": (changed(subject_entity=SUBJECT | {"start_idx": "영"}), ["subject_entity", "start_idx", "'영'"]),
    "float offset": (changed(subject_entity=SUBJECT | {"end_idx": 3.5}), ["subject_entity", "end_idx", "3.5"]),
    "true offset": (changed(subject_entity=SUBJECT | {"start_idx": False}), ["subject_entity", "start_idx", "False"]),
    "type is a number": (changed(subject_entity=SUBJECT | {"type": 3}), ["subject_entity", "type is 3"]),
    "no word": (changed(subject_entity=SUBJECT | {"word": None}), ["subject_entity", "word is None"]),
    "missing key": (changed(object_entity={"start_idx": 6, "type": "DAT"}), ["object_entity", "word"]),
    "list": (changed(object_entity=[1]), ["object_entity", "[1]"]),
    "overlap": (
        changed(object_entity={"word": "전자는", "start_idx": 2, "end_idx": 4, "type": "ORG"}),
        ["'가람전자'", "'전자는'", "overlap"],
    ),
    "same span": (changed(object_entity=SUBJECT), ["overlap"]),
    "blank entity": (
        changed(object_entity={"word": " ", "start_idx": 5, "end_idx": 5, "type": "DAT"}),
        ["object", "blank"],
    ),
    "blank sentence": (changed(sentence=" "), ["sentence", "empty"]),
    "empty id": (changed(guid=""), ["guid", "empty"]),
}


@pytest.mark.parametrize("bad, fragments", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_in_both_formats(bad, fragments):
    """The file is read, and the row says what is wrong with it; the same words for both formats."""
    messages = []
    for format, raw in (("klue", as_json([bad])), ("boostcamp", as_csv([bad]))):
        (one,) = FORMATS[format].rows(raw, "rows.file")
        with pytest.raises(ValueError) as caught:
            FORMATS[format].example(one)
        messages.append(str(caught.value))
    assert messages[0].replace("guid", "id") == messages[1]  # each calls the column as its files do
    for fragment in fragments:
        assert fragment in messages[0]


@pytest.mark.parametrize(
    "change, fragment",
    [
        ({"sentence": 3}, "sentence is 3"),
        ({"guid": None}, "guid is empty"),
        ({"label": ["no_relation"]}, "label is ['no_relation']"),
        ({"label": True}, "label is True"),
        ({"label": 1.5}, "label is 1.5"),
        ({"sentence": "반쪽 \ud800 글자"}, "\\ud800"),
        ({"guid": "반쪽 \udfff"}, "\\udfff"),
    ],
)
def test_bad_values_that_only_json_can_hold(change, fragment):
    (one,) = klue.rows(json.dumps([changed(**change)]).encode(), "rows.json")
    with pytest.raises(ValueError) as caught:
        klue.example(one)
    assert fragment in str(caught.value)


def test_auto_detection_is_made_for_each_file(tmp_path):
    rows = make_rows()
    files = {"a.csv": as_csv(rows), "b.json": as_json(rows), "c": BOM + b" \n" + as_json(rows), "d": BOM + as_csv(rows)}
    found = {}
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
        source = open_source(str(tmp_path / name), "auto", "train", "data.train")
        assert source.raw == raw
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name] = (source.format, [example for _, example in source.examples()])
    assert {name: format for name, (format, _) in found.items()} == {
        "a.csv": "boostcamp", "b.json": "klue", "c": "klue", "d": "boostcamp",
    }  # fmt: skip
    assert all(examples == read(files["b.json"], "klue") for _, examples in found.values())
    assert open_source(str(tmp_path / "b.json"), "boostcamp", "train", "data.train").format == "boostcamp"


def test_detection_looks_at_the_first_character_only():
    assert [detect(raw) for raw in (b"[", b" {", b"", b"id,[", b"\xff\xfe")] == [
        "klue", "klue", "boostcamp", "boostcamp", "boostcamp",
    ]  # fmt: skip


def test_rows_are_numbered_from_one_and_ids_are_unique():
    rows = make_rows()
    rows[2] = rows[2] | {"guid": ""}
    rows[4] = rows[4] | {"guid": "1"}
    found = list(Source("rows.json", as_json(rows), "klue").examples())
    assert [number for number, _ in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [number for number, one in found if isinstance(one, ValueError)] == [3, 5]
    assert str(found[2][1]) == "guid is empty"
    assert str(found[4][1]) == "id '1' was already used in row 2; data.columns.id row numbers the rows instead"


@pytest.mark.parametrize("format, raw", [("klue", b"[]"), ("boostcamp", as_csv([]))])
def test_file_without_rows(format, raw):
    with pytest.raises(ValueError, match=r"rows\.file: holds no rows"):
        list(Source("rows.file", raw, format).examples())


@pytest.mark.parametrize(
    "location, fragment",
    [("nowhere.csv", "data.dev: no file"), (".", "is a folder"), ("rows.csv/x", "cannot read"), ("a\0b", "cannot read"),
     ("x" * 5000, "cannot read"), ("sample:test", "'test'")],
)  # fmt: skip
def test_location_that_cannot_be_read(tmp_path, location, fragment):
    (tmp_path / "rows.csv").write_bytes(as_csv(make_rows()))
    where = location if location.startswith("sample:") else str(tmp_path / location)
    with pytest.raises(ValueError) as caught:
        open_source(where, "auto", "dev", "data.dev")
    assert fragment in str(caught.value)
    assert len(str(caught.value)) < 500


# entity columns -----------------------------------------------------------------------------------------------------

EVIL = {
    "call": "__import__('os').system('touch {path}')",
    "in a dict": "{{'word': __import__('os').system('touch {path}'), 'start_idx': 0, 'end_idx': 0, 'type': 'PER'}}",
    "open": "open('{path}', 'w')",
    "comprehension": "[open('{path}', 'w') for _ in (1,)]",
    "f-string": "f\"{{open('{path}', 'w')}}\"",
    "statement": "import os; os.mkdir('{path}')",
    "lambda": "(lambda: open('{path}', 'w'))()",
}


@pytest.mark.parametrize("expression", EVIL.values(), ids=EVIL)
def test_nothing_in_an_entity_column_is_evaluated(tmp_path, expression):
    path = tmp_path / "evaluated"
    text = expression.format(path=path)
    raw = as_csv([changed(subject_entity=text)])
    with pytest.raises(ValueError, match="subject_entity is"):
        read(raw, "boostcamp")
    assert not path.exists()
    eval(compile(text, "test", "exec"))  # the expression does work where somebody evaluates it
    assert path.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "{'word'}", "-" * 1999, "(" * 1999, "{[]: 1}", "'\\x'", "{'a': " * 333, "1" * 1999]
)
def test_entity_column_that_is_no_dict(text):
    with pytest.raises(ValueError, match="object_entity is") as caught:
        read(as_csv([changed(object_entity=text)]), "boostcamp")
    assert len(str(caught.value)) < 300


# hub ----------------------------------------------------------------------------------------------------------------


class FakeRows(list):
    features: dict


def fake_datasets(monkeypatch, rows: list[dict], names: list[str] | None, error: Exception | None = None) -> list:
    calls = []

    def load_dataset(*arguments, **options):
        calls.append((arguments, options))
        if error:
            raise error
        loaded = FakeRows(rows)
        loaded.features = {"label": types.SimpleNamespace(names=names) if names else object()}
        return loaded

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    return calls


def test_hub_numbers_become_names_and_minus_one_is_unlabelled(monkeypatch):
    names = ["no_relation", "org:founded", "per:product"]
    rows = [one | {"label": number} for one, number in zip(make_rows(), [1, -1, 2, 0, None, 2, -1], strict=True)]
    calls = fake_datasets(monkeypatch, rows, names)
    source = open_source("hub:klue/klue:re", "auto", "train", "data.train")
    assert source.format == "klue"
    assert [example.label for _, example in source.examples()] == [
        "org:founded", None, "per:product", "no_relation", None, "per:product", None,
    ]  # fmt: skip
    assert calls == [(("klue/klue", "re"), {"split": "train"})]
    local = [
        one | {"label": label} for one, label in zip(make_rows(), ["org:founded", None, "per:product"], strict=False)
    ]
    assert [example for _, example in source.examples()][:3] == read(as_json(local), "klue")


@pytest.mark.parametrize(
    "location, part, expected",
    [
        ("hub:klue/klue:re", "dev", (("klue/klue", "re"), {"split": "validation"})),
        ("hub:klue/klue:re:train[:10]", "dev", (("klue/klue", "re"), {"split": "train[:10]"})),
        ("hub:somebody/rows", "train", (("somebody/rows", None), {"split": "train"})),
        ("hub:somebody/rows::test", "train", (("somebody/rows", None), {"split": "test"})),
    ],
)
def test_hub_location(monkeypatch, location, part, expected):
    calls = fake_datasets(monkeypatch, make_rows(), None)
    source = open_source(location, "boostcamp", part, f"data.{part}")
    assert calls == [expected]
    assert [example for _, example in source.examples()] == read(as_json(make_rows()), "klue")


def test_hub_rows_of_a_classification_set(monkeypatch):
    fake_datasets(monkeypatch, [{"title": "가", "label": 1}, {"title": "나", "label": 0}], ["사회", "경제"])
    options = ReaderOptions(columns=Columns(text="title"))
    source = open_source("hub:klue/klue:ynat", "text", "train", "data.train", options)
    assert [(one.text, one.label) for _, one in source.examples()] == [("가", "경제"), ("나", "사회")]


def test_hub_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError) as caught:
        open_source("hub:klue/klue:re", "auto", "dev", "data.dev")
    assert str(caught.value) == 'data.dev: hub:klue/klue:re needs the extra: pip install -e ".[hub]"'


def test_hub_that_does_not_answer(monkeypatch):
    fake_datasets(monkeypatch, [], None, error=ConnectionError("no route" + "!" * 1000))
    with pytest.raises(ValueError) as caught:
        open_source("hub:klue/klue:re", "auto", "train", "data.train")
    message = str(caught.value)
    assert message.startswith("data.train: cannot load hub:klue/klue:re from the hub (ConnectionError: no route!")
    assert message.endswith("download the files once and give their path instead")
    assert len(message) < 400


# label lists --------------------------------------------------------------------------------------------------------


def test_the_two_orders_hold_the_same_names_and_agree_at_two_places_only():
    assert len(KLUE) == len(BOOSTCAMP) == len(set(KLUE)) == 30
    assert set(KLUE) == set(BOOSTCAMP)
    assert [number for number in range(30) if KLUE[number] == BOOSTCAMP[number]] == [0, 21]
    assert (KLUE[0], KLUE[21]) == ("no_relation", "per:parents")
    assert label_list("klue") == list(KLUE)
    assert label_list("boostcamp") == list(BOOSTCAMP)


class PlainUnpickler(pickle.Unpickler):
    """Builds dicts, texts and numbers; any class or function is refused."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name}")


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_orders_equal_the_publishers_files():
    official = json.loads((SHARED / "klue-re" / "relation_list.json").read_text(encoding="utf-8"))
    assert official["relations"] == list(KLUE)
    with (SHARED / "boostcamp-re" / "dict_label_to_num.pkl").open("rb") as file:
        numbers = PlainUnpickler(file).load()
    assert numbers == {label: number for number, label in enumerate(BOOSTCAMP)}
    with pytest.raises(pickle.UnpicklingError):
        PlainUnpickler(io.BytesIO(pickle.dumps(os.system))).load()


@pytest.mark.parametrize(
    "text",
    [
        '["없음", "가족", "동료"]',
        '{"동료": 2, "없음": 0, "가족": 1}',
        "없음\n가족\n\n 동료 \n",
        "\ufeff없음\r\n가족\r\n동료",
    ],
)
def test_label_file(tmp_path, text):
    (tmp_path / "labels").write_text(text, encoding="utf-8", newline="")
    assert label_list(str(tmp_path / "labels")) == ["없음", "가족", "동료"]


@pytest.mark.parametrize(
    "raw, fragment",
    [(b"", "at least two"), (b"one", "at least two"), (b"a\nb\na", "different"), (b"[1, 2]", "[1, 2]"),
     (b'["a", ["b"]]', "at least two"), (b'["a", ', "no JSON list"),
     (b'{"a": 1, "b": 2}', "must number its labels from 0 to 1"), (b'{"a": 0, "b": "1"}', "found {'a': 0, 'b': '1'}"),
     (b'{"a": 0}', "at least two"), (b'{"a": 0, "b": true}', "from 0 to 1"), ("가\n나".encode("cp949"), "utf-8")],
)  # fmt: skip
def test_bad_label_file(tmp_path, raw, fragment):
    (tmp_path / "labels").write_bytes(raw)
    with pytest.raises(ValueError, match=r"^data\.labels: ") as caught:
        label_list(str(tmp_path / "labels"))
    assert fragment in str(caught.value)
    assert "labels" in str(caught.value)


def test_unknown_label_list():
    with pytest.raises(
        ValueError, match=r"^data\.labels: 'kleu' is neither one of klue, boostcamp, learned nor a file$"
    ):
        label_list("kleu")


# any bytes ----------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("100"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*KEYS.values(),)) | st.text(max_size=3), inner)
    ),
    max_leaves=6,
)
ENTITIES = VALUES | st.fixed_dictionaries(
    {"word": st.sampled_from(["가", "나", " ", ""]), "start_idx": st.integers(-2, 6), "end_idx": st.integers(-2, 6),
     "type": st.sampled_from(["PER", ""])}
)  # fmt: skip
ROWS = st.lists(
    VALUES
    | st.fixed_dictionaries(
        {
            "guid": VALUES,
            "sentence": VALUES | st.just("가 나 가"),
            "subject_entity": ENTITIES,
            "object_entity": ENTITIES,
        },
        optional={"label": VALUES, "source": VALUES},
    ),
    max_size=3,
)


PIECES = (b"\\ud800", b'"', b"]", b"\0", b"\r", b"\n", b",", b"}", b"[" * 2000, BOM, b"NaN", b"1e999", b"-")


@st.composite
def any_file(draw) -> bytes:
    """Bytes; JSON and CSV of odd rows; true files with bytes flipped, taken out and put in."""
    kind = draw(st.sampled_from(("bytes", "json", "csv", "changed")))
    if kind == "bytes":
        return draw(st.binary(max_size=200))
    if kind == "json":
        return json.dumps(draw(ROWS | VALUES), ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    if kind == "csv":
        fields = st.text(max_size=10) | ENTITIES.map(repr) | st.just("가 나 가")
        lines = draw(st.lists(st.lists(fields, min_size=4, max_size=4), max_size=3))
        file = io.StringIO(newline="")
        csv.writer(file, lineterminator=draw(st.sampled_from(("\n", "\r\n", "\r")))).writerows(
            [boostcamp.COLUMNS, *lines]
        )
        return file.getvalue().encode(errors="surrogatepass")
    raw = bytearray(draw(st.sampled_from((as_json(make_rows()[:2]), as_csv(make_rows()[:2])))))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw) - 1))
        if draw(st.booleans()):
            raw[start] ^= 1 << draw(st.integers(0, 7))
        else:
            raw[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8) | st.sampled_from(PIECES))
    return bytes(raw) or b"["


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_file())
@pytest.mark.filterwarnings("ignore")
def test_any_bytes_give_true_examples_or_value_errors_of_one_short_line(raw):
    for format in ("klue", "boostcamp"):  # the others: tests/data/test_any_bytes.py
        source = Source("any.file", raw, format)
        errors = []
        try:
            for number, one in source.examples():
                if isinstance(one, ValueError):
                    errors.append(one)
                    assert source.place(number).startswith(f"row {number}")
                else:
                    check_example(one)
        except ValueError as error:
            assert str(error).startswith("any.file")  # noqa: PT017
            errors.append(error)
        for error in errors:
            assert str(error).isprintable()
            assert len(str(error)) < 600


def check_example(example: Example) -> None:
    for _, span in example.entities():
        assert example.text[span.start : span.end] == span.text
        assert span.text.strip()
    assert example.subject.end <= example.object.start or example.object.end <= example.subject.start
    assert example.label is None or isinstance(example.label, str)
    assert isinstance(example.id, str)
    assert example.id.strip()


def deepest_list() -> int:
    """The depth that json still reads here; Python versions differ."""
    takes, refuses = 1, 1_000_000
    while refuses - takes > 1:
        depth = (takes + refuses) // 2
        try:
            json.loads("[" * depth + "]" * depth)
            takes = depth
        except RecursionError:
            refuses = depth
    return takes


@pytest.mark.parametrize("change", ["guid", "sentence", "label", "source", "subject_entity", "object_entity", None])
def test_value_nested_as_deeply_as_json_just_reads(change):
    """The message about the deepest list that the parser takes must not itself run out of stack."""
    kinds, deepest = set(), deepest_list()
    for depth in range(deepest - 60, deepest + 10):
        deep = "[" * depth + "]" * depth
        text = "[" + json.dumps(changed(**{change: "DEEP"}) if change else "DEEP").replace('"DEEP"', deep) + "]"
        try:
            ((_, one),) = Source("deep.json", text.encode(), "klue").examples()
        except ValueError as error:
            one = error
        kinds.add("too deep" if "nested too deeply" in str(one) else type(one).__name__)
        assert len(str(one)) < 400
    assert kinds == {"too deep", "Example" if change == "source" else "RowError"}


# any sentence -------------------------------------------------------------------------------------------------------

TEXTS = st.text(
    st.sampled_from(" ,'\"\n\r\t\\{}[]:가각\u1100\u1161😀") | st.characters(exclude_categories=["Cs"]), max_size=8
)


@st.composite
def any_rows(draw) -> list[dict]:
    """Rows of any characters but NUL, which no reader takes; two entities anywhere, in any order."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        before, first, between, second, after = (draw(TEXTS).replace("\0", "0") for _ in range(5))
        first, second = first if first.strip() else "가", second if second.strip() else "나"
        starts = (len(before), len(before + first + between))
        entities = [
            {"word": word, "start_idx": start, "end_idx": start + len(word) - 1, "type": kind}
            for word, start, kind in zip((first, second), starts, ("PER", "학명 '1'"), strict=True)
        ]
        if draw(st.booleans()):
            entities.reverse()
        label = draw(TEXTS).replace("\0", "0")
        found.append(row(number, before + first + between + second + after, *entities, label))
    return found


@settings(max_examples=200, deadline=None)
@given(any_rows(), st.sampled_from(("\n", "\r\n", "\r")), st.booleans())
def test_any_sentence_survives_both_formats(rows, line_end, escaped):
    """Spans are those of the rows as made, whatever line ends, quotes and characters of other planes stand before."""
    expected = [
        Example(
            id=one["guid"],
            text=one["sentence"],
            subject=span_of(one["subject_entity"]),
            object=span_of(one["object_entity"]),
            label=one["label"] or None,
            source="모음",
        )
        for one in rows
    ]
    assert read(as_csv(rows, line_end, quoting=csv.QUOTE_ALL), "boostcamp") == expected
    assert read(json.dumps(rows, ensure_ascii=escaped).encode(), "klue") == expected


def span_of(one: dict) -> Span:
    return Span(one["start_idx"], one["end_idx"] + 1, one["word"], one["type"])
