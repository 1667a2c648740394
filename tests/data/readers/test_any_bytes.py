"""Files of every format with something wrong in them: true examples, or errors of one short line, nothing else."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.readers import FORMATS
from data.readers.options import Columns, ReaderOptions
from data.readers.source import Source
from data.schema import Example

OWN = {
    "id": "e7", "relation": "r", "token": ["a", "b", "가", "-LRB-"], "subj_start": 0, "subj_end": 0, "obj_start": 2,
    "obj_end": 3, "subj_type": "P", "obj_type": "Q",
}  # fmt: skip
HEAD = {"token": ["a", "b"], "h": {"name": "a", "pos": [0, 1]}, "t": {"name": "b", "pos": [1, 2]}, "relation": 3}
TEXTS = [{"text": "가 나", "b": "다", "a": {"l": 1}, "id": 5}, {"text": "라", "b": "마", "a": {"l": "x"}, "id": "6"}]
ENTITIES = [
    {"id": 1, "label": "P", "start_offset": 0, "end_offset": 1},
    {"id": "2", "label": "Q", "start_offset": 2, "end_offset": 3},
]
DOCUMENT = {"id": 4, "text": "가 나", "entities": ENTITIES, "relations": [{"from_id": 1, "to_id": 2, "type": "r"}]}
REGIONS = [
    {"type": "labels", "id": "a", "value": {"start": 0, "end": 1, "text": "가", "labels": ["P"]}},
    {"type": "labels", "id": "b", "value": {"start": 2, "end": 3, "text": "나", "labels": ["Q"]}},
    {"type": "relation", "from_id": "a", "to_id": "b", "direction": "bi", "labels": ["r"]},
]
STANDOFF = {"a.txt": "가 나\n", "a.ann": "T1\tP 0 1\t가\nT2\tQ 2 3\t나\nR1\tr Arg1:T1 Arg2:T2\n#1\tN T1\tx\n"}
SPERT = {
    "tokens": ["a", "b", "-LRB-"],
    "entities": [{"type": "P", "start": 0, "end": 1}, {"type": "Q", "start": 1, "end": 3}],
    "relations": [{"type": "r", "head": 1, "tail": 0}],
    "orig_id": 3,
}
SCIERC = {
    "doc_key": "d",
    "sentences": [["a", "b"], ["c"]],
    "ner": [[[0, 0, "P"], [1, 1, "Q"]], []],
    "relations": [[[0, 0, 1, 1, "r"], [1, 1, 0, 0, "r"]], []],
}
MENTIONS = [[{"name": "a", "sent_id": 0, "pos": [0, 1], "type": "P"}], [{"sent_id": 0, "pos": [1, 2], "type": "Q"}]]
DOCRED = {"title": "d", "sents": [["a", "b"]], "vertexSet": MENTIONS, "labels": [{"h": 0, "t": 1, "r": "x"}] * 2}
FEWREL = {"tokens": ["a", "b"], "h": ["a", "Q1", [[0]]], "t": ["b", "Q2", [[1]]]}
OPENNRE = {"text": "a b", "h": {"name": "a", "pos": [0, 1]}, "t": {"name": "b", "pos": [2, 3]}, "relation": "r"}
COLUMNS = Columns(text="text", text_pair="b", label="a.l", id="id")
FILES = [
    ("semeval", "Other\ta <e1> b </e1> c <e2> d </e2>.\nX(e1,e2)\t<e1>가</e1>\t<e2>나</e2>\n", ReaderOptions()),
    ("semeval",
     '1\t"a <e1>b</e1> <e2>c</e2>"\nOther\nComment: x\n\n2\t"<e1>b</e1> <e2>c</e2>"\nOther\n', ReaderOptions()),
    ("tacred", json.dumps([OWN, HEAD]), ReaderOptions()),
    ("tacred", json.dumps(OWN) + "\n" + json.dumps(HEAD, ensure_ascii=False), ReaderOptions(offsets="inclusive")),
    ("inline", "text,label\n[[가]]는 <<나>>,x\n<e1>가</e1> <e2> 나 </e2>,y\n", ReaderOptions()),
    ("text", json.dumps(TEXTS), ReaderOptions(columns=COLUMNS)),
    ("text", "\n".join(map(json.dumps, TEXTS)), ReaderOptions(columns=COLUMNS)),
    ("text", 'id,text,b,a.l\n1,"가, ""나""",다,x\n2,라,마,y\n', ReaderOptions(columns=COLUMNS)),
    ("text", '1\t가 "나"\t다\tx\n2\t라\t마\ty\n', ReaderOptions(Columns(1, 2, 3, 4), header=False, quoting=False)),
    ("doccano", json.dumps([DOCUMENT, {"id": 5, "data": "다", "label": ["x"]}]), ReaderOptions()),
    ("doccano", json.dumps(DOCUMENT, ensure_ascii=False), ReaderOptions(negatives="n")),
    ("label_studio", json.dumps([{"id": 1, "data": {"text": "가 나"}, "annotations": [{"result": REGIONS}]}]),
     ReaderOptions()),
    ("label_studio", '[{"id": 1, "text": "가", "x": "y", "annotation_id": 3}, {"id": 2, "text": "나", "x": "z"}]',
     ReaderOptions()),
    ("brat", json.dumps(STANDOFF, ensure_ascii=False), ReaderOptions(negatives="n")),
    ("conll04", json.dumps(SPERT), ReaderOptions(negatives="n")),
    ("scierc", json.dumps(SCIERC), ReaderOptions()),
    ("docred", json.dumps([DOCRED]), ReaderOptions()),
    ("fewrel", json.dumps({"r": [FEWREL], "s": [FEWREL]}), ReaderOptions()),
    ("opennre", json.dumps([OPENNRE, OPENNRE]), ReaderOptions()),
]  # fmt: skip
PIECES = [
    b"", b"\n", b"\r", b"\t", b",", b'"', b"{", b"}", b"[", b"]", b"null", b"-1", b"1e999", b"9" * 30, b"<e1>",
    b"</e2>", b"<e2> </e2>", b"\\ud800", b"\0", b"\xff", b"\xef\xbb\xbf", b"{}", b"true", b"NaN", b'{"pos": 1}',
    b"[[[[", b"\x1c",
]  # fmt: skip


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_files_with_something_wrong(data):
    format, text, options = data.draw(st.sampled_from(FILES))
    raw = bytearray(data.draw(st.just(text.encode()) | st.binary(max_size=12)))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        raw[start : start + data.draw(st.integers(0, 6))] = data.draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    source = Source("any.file", bytes(raw), format, options)
    errors = []
    try:
        for number, one in source.examples():
            if isinstance(one, ValueError):
                errors.append(one)
                assert source.place(number).startswith(f"row {number}")
            else:
                check(one)
    except ValueError as error:
        assert str(error).startswith("any.file")  # noqa: PT017
        errors.append(error)
    for error in errors:
        assert str(error).isprintable(), str(error)
        assert len(str(error)) < 600


def check(example: Example) -> None:
    for _, span in example.entities():
        assert example.text[span.start : span.end] == span.text
    assert example.id.strip()
    assert example.text.strip()
    assert example.text_pair is None or example.text_pair.strip()
    assert example.label is None or example.label.strip()


def test_the_files_are_right_before_something_goes_wrong():
    for format, text, options in FILES[:3] + FILES[4:]:
        found = [one for _, one in Source("any.file", text.encode(), format, options).examples()]
        assert len(found) == 2
        assert all(isinstance(one, Example) for one in found), found
    assert {format for format, _, _ in FILES} | {"klue", "boostcamp"} == set(FORMATS)
