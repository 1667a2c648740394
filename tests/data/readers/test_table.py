"""Format text: CSV, TSV and JSON of sentences with labels; what is wrong in them is named."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.readers import table
from data.readers.options import Columns, ReaderOptions
from data.readers.source import Source
from data.schema import Example

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
PAIR = {"text": "전제", "text_pair": "가설", "label": "답", "id": "번호"}


def options(columns: dict | None = None, **others) -> ReaderOptions:
    return ReaderOptions(columns=Columns(**(columns or {})), **others)


def read(content: str | bytes, columns: dict | None = None, **others) -> list:
    """Examples and errors; the latter with their place."""
    raw = content.encode() if isinstance(content, str) else content
    source = Source("rows.file", raw, "text", options(columns, **others))
    return [
        f"{source.place(number)}: {one}" if isinstance(one, ValueError) else one for number, one in source.examples()
    ]


def refusal(content: str, columns: dict | None = None, **others) -> str:
    with pytest.raises(ValueError) as caught:
        read(content, columns, **others)
    return str(caught.value)


# the same two examples in every form ---------------------------------------------------------------------------------

TWO = [Example("007", "비가 온다.", "젖는다, 다", label="예"), Example("8", '"해"가 뜬다', "밤이다", label="10")]
OBJECTS = [
    {"번호": "007", "전제": "비가 온다.", "가설": "젖는다, 다", "답": "예", "else": [1]},
    {"번호": 8, "전제": '"해"가 뜬다', "가설": "밤이다", "답": 10},
]
NUMBERS = {"id": 1, "text": 2, "text_pair": 3, "label": 4}
FORMS = {
    "CSV": ('번호,전제,가설,답\n007,비가 온다.,"젖는다, 다",예\n8,"""해""가 뜬다",밤이다,10\n', PAIR, {}),
    "CSV, another order": (
        '답,x,가설,전제,번호\n예,,"젖는다, 다",비가 온다.,007\n10,,밤이다,"""해""가 뜬다",8', PAIR, {}),
    "CSV, unnamed index": (
        ',번호,전제,가설,답\n0,007,비가 온다.,"젖는다, 다",예\n1,8,"""해""가 뜬다",밤이다,10', PAIR, {}),
    "CSV without header": ('007,비가 온다.,"젖는다, 다",예\n8,"""해""가 뜬다",밤이다,10\n', NUMBERS, {"header": False}),
    "numbers as texts": ('007,비가 온다.,"젖는다, 다",예\n8,"""해""가 뜬다",밤이다,10\n',
                         {key: str(value) for key, value in NUMBERS.items()}, {"header": False}),
    "semicolons": ('번호;전제;가설;답\n007;비가 온다.;젖는다, 다;예\n8;"""해""가 뜬다";밤이다;10\n', PAIR,
                   {"separator": "semicolon"}),
    "TSV": ('번호\t전제\t가설\t답\n007\t비가 온다.\t젖는다, 다\t예\n8\t"""해""가 뜬다"\t밤이다\t10\n', PAIR, {}),
    "TSV, quotes are text": (
        '번호\t전제\t가설\t답\n007\t비가 온다.\t젖는다, 다\t예\n8\t"해"가 뜬다\t밤이다\t10\n', PAIR,
        {"quoting": False}),
    "TSV, CRLF, mark, empty lines": (
        b"\xef\xbb\xbf" + "\r\n번호\t전제\t가설\t답\r\n\r\n007\t비가 온다.\t젖는다, 다\t예 \r\n"
        '8\t"해"가 뜬다\t밤이다\t10\r\n\r\n'.encode(), PAIR, {"quoting": False}),
    "TSV without header": ('007\t비가 온다.\t젖는다, 다\t예\n8\t"해"가 뜬다\t밤이다\t10\n', NUMBERS,
                           {"quoting": False, "header": False, "separator": "tab"}),
    "JSON": (json.dumps(OBJECTS, ensure_ascii=False, indent=2), PAIR, {}),
    "JSON, escaped": (" \n" + json.dumps(OBJECTS), PAIR, {}),
    "JSON lines": ("\n\n".join(json.dumps(one, ensure_ascii=False) for one in OBJECTS) + "\r\n", PAIR, {}),
    "JSON, keys inside": (json.dumps([{"a": one} for one in OBJECTS]), {k: f"a.{v}" for k, v in PAIR.items()}, {}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*byte-order mark")
@pytest.mark.parametrize("content, columns, others", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_examples(content, columns, others):
    assert read(content, columns, **others) == TWO


def test_defaults_are_text_and_label_and_id_or_the_number_of_the_row():
    """A column id was ignored, and row numbers, which count from 1, were written under its name."""
    assert read("label,id,text\n1,0,가\n,x,나\n") == [Example("0", "가", label="1"), Example("x", "나")]
    assert read("label,id,text\n1,x,가\n,x,나\n", {"id": "row"}) == [Example("1", "가", label="1"), Example("2", "나")]
    assert read("label,row,text\n1,7,가\n", {"id": "row"}) == [Example("7", "가", label="1")]
    assert read('{"text": "가", "label": true}\n{"text": "나"}\n{"text": "다", "label": null}') == [
        Example("1", "가", label="true"), Example("2", "나"), Example("3", "다"),
    ]  # fmt: skip


def test_a_key_with_a_dot_goes_before_the_key_inside():
    assert read('[{"text": "가", "a.b": "x", "a": {"b": "y"}}]', {"label": "a.b"}) == [Example("1", "가", label="x")]


def test_a_title_in_brackets_is_no_json():
    lines = "[속보] 비가 온다,날씨\n{단독} 해,날씨\n"
    assert [one.text for one in read(lines, {"text": 1, "label": 2}, header=False)] == ["[속보] 비가 온다", "{단독} 해"]


ROWS = st.lists(
    st.tuples(
        st.text(st.sampled_from(" ,;\t\"'\n\r가a[{") | st.characters(exclude_categories=["Cs"]), max_size=8),
        st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=4),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from((",", ";")), st.sampled_from(("\n", "\r\n")))
def test_any_text_survives_csv_and_json(pairs, mark, line_end):
    pairs = [("x" + text.replace("\0", "0"), label) for text, label in pairs]
    expected = [Example(str(n), text, label=label) for n, (text, label) in enumerate(pairs, start=1)]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=mark, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "label"), *pairs])
    assert read(file.getvalue(), separator={",": "comma", ";": "semicolon"}[mark]) == expected
    content = [{"text": text, "label": label} for text, label in pairs]
    assert read(json.dumps(content, ensure_ascii=False)) == expected
    assert read("\n".join(json.dumps(one, ensure_ascii=False) for one in content)) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from("\"' ,;가a"), max_size=8), min_size=1, max_size=4))
def test_any_line_survives_without_quoting(texts):
    expected = [Example(str(number), "x" + text, label="1") for number, text in enumerate(texts, start=1)]
    assert read("label\ttext\n" + "\n".join("1\tx" + text for text in texts), quoting=False) == expected


# bad rows ------------------------------------------------------------------------------------------------------------

GOOD = ["text,label\n가,1\n", '{"text": "가", "label": "1"}\n']
BAD_ROWS = {
    "empty text": (0, ",1\n", "row 2 (line 3): the sentence is empty"),
    "blank text": (0, " \u3000,1\n", "row 2 (line 3): the sentence is empty"),
    "short": (0, "나\n", "row 2 (line 3): found 1 columns, expected 2"),
    "long": (0, "나,1,\n", "row 2 (line 3): found 3 columns, expected 2"),
    "no JSON": (1, "{'text': '나'}\n", "row 2: no valid JSON (Expecting property name"),
    "cut off": (1, '{"text": "나\n', "row 2: no valid JSON (Unterminated string"),
    "no object": (1, '"나"\n', "row 2: found str '나', expected an object"),
    "a list": (1, '["나", 1]\n', "row 2: found list ['나', 1], expected an object"),
    "no text": (1, '{"label": "1"}\n', "row 2: no key text; found label; data.columns.text names another"),
    "text null": (1, '{"text": null, "label": "1"}\n', "row 2: text is None, expected a text"),
    "text number": (1, '{"text": 3, "label": "1"}\n', "row 2: text is 3, expected a text"),
    "label list": (1, '{"text": "나", "label": ["1"]}\n', "row 2: label is ['1'], expected a text or a whole number"),
    "label share": (1, '{"text": "나", "label": 0.5}\n', "row 2: label is 0.5, expected a text or a whole number"),
    "key twice": (1, '{"text": "나", "label": "1", "text": "다"}\n', "row 2: key 'text' stands twice in an object"),
    "half a character": (1, '{"text": "\\ud800", "label": "1"}\n', "row 2: character \\ud800 is half of a surrogate"),
    "deep": (1, "[" * 100_000 + "\n", "row 2: JSON nested too deeply"),
}


@pytest.mark.parametrize("form, line, message", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row(form, line, message):
    first, found, last = read(GOOD[form] + line + GOOD[form].splitlines()[-1])
    assert (first.text, last.text, first.id, last.id) == ("가", "가", "1", "3")
    assert found.startswith(message)
    assert len(found) < 300


PAIRS = {
    "no second text": ("전제,가설,답,번호\n가,,1,x\n", "row 1 (line 2): 가설 is empty"),
    "no id": ("전제,가설,답,번호\n가,나,1, \n", "row 1 (line 2): 번호 is empty"),
    "no key": ('[{"전제": "가", "답": "1", "번호": 2}]',
               "row 1: no key 가설; found 전제, 답, 번호; data.columns.text_pair names another"),
    "second text a number": ('[{"전제": "가", "가설": 1, "번호": 2}]', "row 1: 가설 is 1, expected a text"),
    "id a truth": ('[{"전제": "가", "가설": "나", "번호": true}]',
                   "row 1: 번호 is True, expected a text or a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("content, message", PAIRS.values(), ids=PAIRS)
def test_bad_row_of_a_pair(content, message):
    assert read(content, PAIR) == [message]


def test_key_twice_inside():
    (found,) = read('[{"text": "가", "a": {"b": "1", "b": "2"}}]', {"label": "a.b"})
    assert found == "row 1: a: key 'b' stands twice in an object"


def test_id_twice():
    first, second = read("text,id\n가,1\n나,1\n", {"id": "id"})
    assert (first.id, second) == (
        "1",
        "row 2 (line 3): id '1' was already used in row 1; data.columns.id row numbers the rows instead",
    )


def test_odd_quotes_of_a_tsv_do_not_swallow_rows():
    """With quotes as CSV has them, lines 2 to 4 would silently be one row of the right width."""
    content = 'text\tlabel\n"가\t1\n나\t2\n다"\t3\n라\t4\n'
    assert read(content) == [
        "row 1 (line 2): a quoted field holds a TAB and runs over several lines; data.quoting false reads quotes as "
        "text",
        Example("2", "라", label="4"),
    ]
    assert [one.text for one in read(content, quoting=False)] == ['"가', "나", '다"', "라"]


# bad files -----------------------------------------------------------------------------------------------------------

ADVICE = "name yours by data.columns.text and its like; for a file without names, data.header false"
BAD_FILES = {
    "no such column": ("document,label\n가,1\n", {}, {}, f"no column text; found document, label; {ADVICE}"),
    "no header": ("가,1\n나,2\n", {}, {}, f"no column text; found 가, 1; {ADVICE}"),
    "a number for a name": ("text,label\n가,1\n", {"text": 1}, {}, f"no column 1; found text, label; {ADVICE}"),
    "no second text": ("text,label\n가,1\n", {"text_pair": "b"}, {}, f"no column b; found text, label; {ADVICE}"),
    "column twice": ("text,label,text\n가,1,나\n", {}, {},
                     f"column text stands twice; found text, label, text; {ADVICE}"),
    "label twice": ("label,text,label\n1,가,2\n", {}, {},
                    f"column label stands twice; found label, text, label; {ADVICE}"),
    "a name for a number": ("가,1\n", {"text": "text"}, {"header": False},
                            "data.columns.text is 'text', expected a number from 1 to 2: the file is read without a "
                            "header, and its first row has 2 columns"),
    "label not named": ("가,1\n", {"text": 1}, {"header": False}, "data.columns.label is 'label', expected a number"),
    "zero": ("가,1\n", {"text": 0, "label": 1}, {"header": False},
             "data.columns.text is '0', expected a number from 1"),
    "beyond": ("가,1\n", {"text": 1, "label": 3}, {"header": False}, "data.columns.label is '3', expected a number"),
    "not quoted as CSV": ('text\tlabel\n"가" 나\t1\n', {}, {},
                          "row 1 (line 2): no valid CSV ('\\t' expected after '\"'; is a quote open or not doubled? "
                          "data.quoting false reads quotes as text)"),
    "JSON cut off": ('[{"text": "가"},', {}, {}, "no valid JSON (Expecting value"),
    "no list": ('[{"text": "가"}] [', {}, {}, "no valid JSON (Extra data"),
    "no rows": ("[]", {}, {}, "holds no rows"),
    "header only": ("text,label\n", {}, {}, "holds no rows"),
    "empty": (" \n", {}, {}, "the file is empty"),
}  # fmt: skip


@pytest.mark.parametrize("content, columns, others, message", BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file(content, columns, others, message):
    found = refusal(content, columns, **others)
    assert found.startswith("rows.file")
    assert message in found
    assert len(found) < 400


# the real data -------------------------------------------------------------------------------------------------------

REAL = {
    "nsmc/dev.tsv": (
        {"id": "id", "text": "document"}, {"quoting": False}, 20_000, {"0": 10_070, "1": 9_929},
        ["row 10722 (line 10723): the sentence is empty"]),
    "klue-classification/klue-nli-v1.1_dev.json": (
        {"id": "guid", "text": "premise", "text_pair": "hypothesis", "label": "gold_label"}, {}, 3000,
        {"entailment": 1000, "contradiction": 1000, "neutral": 1000}, []),
    "klue-classification/klue-sts-v1.1_dev.json": (
        {"id": "guid", "text": "sentence1", "text_pair": "sentence2", "label": "labels.binary-label"}, {}, 519,
        {"0": 299, "1": 220}, []),
    "klue-classification/ynat-v1.1_dev_extracted.csv": (
        {"id": 1, "text": 4, "label": 3}, {"header": False}, 9107,
        {"사회": 3701, "생활문화": 1369, "경제": 1348, "세계": 835, "정치": 722, "스포츠": 578, "IT과학": 554}, []),
}  # fmt: skip


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_file(name):
    if not (SHARED / name).is_file():
        pytest.skip(f"../shared/data/{name} is absent")
    columns, others, count, labels, errors = REAL[name]
    found = read((SHARED / name).read_bytes(), columns, **others)
    good = [one for one in found if isinstance(one, Example)]
    assert len(found) == count
    assert [one for one in found if not isinstance(one, Example)] == errors
    assert {label: sum(one.label == label for one in good) for label in labels} == labels
    assert len(good) == sum(labels.values())
    if "ynat" in name:
        assert good[0].id == "00000"  # leading zeros stay
        assert good[0].text == "5억원 무이자 융자는 되고 7천만원 이사비는 안된다"
    if "nsmc" in name:
        assert not any("\r" in one.label or "\r" in one.text for one in good)


def test_reads_say_what_the_reader_looks_at():
    assert set(table.READS) == {*(f"columns.{key}" for key in PAIR), "header", "separator", "quoting"}
