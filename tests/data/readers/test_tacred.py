"""TACRED-like JSON: word positions to spans, in both forms; what is wrong in a row is named."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.readers.options import Columns, ReaderOptions
from data.readers.source import Source
from data.schema import Example, Span

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
OWN = {
    "id": "e7", "docid": "d", "relation": "per:title", "token": ["-LRB-", "Mina", "Lee", ",", "a", "mason", "-RRB-"],
    "subj_start": 1, "subj_end": 2, "obj_start": 5, "obj_end": 5, "subj_type": "PERSON", "obj_type": "TITLE",
    "stanford_ner": ["O"] * 7,
}  # fmt: skip
HEAD = {
    "token": ["mina", "lee", ",", "a", "mason"], "relation": "Other",
    "h": {"name": "mason", "pos": [4, 5]}, "t": {"name": "mina lee", "pos": [0, 2]},
}  # fmt: skip


def changed(base: dict, **values) -> dict:
    return {key: value for key, value in (base | values).items() if value != "GONE"}


def read(content, options: ReaderOptions | None = None) -> list:
    raw = content if isinstance(content, str) else json.dumps(content)
    source = Source("rows.json", raw.encode(), "tacred", options or ReaderOptions())
    return [
        f"{source.place(number)}: {one}" if isinstance(one, ValueError) else one for number, one in source.examples()
    ]


def test_form_of_tacred():
    """Ends are inclusive, brackets come back, types are there."""
    text = "( Mina Lee , a mason )"
    expected = Example(
        "e7", text, subject=Span(2, 10, "Mina Lee", "PERSON"), object=Span(15, 20, "mason", "TITLE"), label="per:title"
    )
    assert read([OWN]) == read(json.dumps(OWN) + "\n") == [expected]


def test_form_of_heads_and_tails():
    """Ends are exclusive, h is the subject wherever it stands, there are no types, ids are numbers of rows."""
    expected = Example(
        "2", "mina lee , a mason", subject=Span(13, 18, "mason"), object=Span(0, 8, "mina lee"), label="Other"
    )
    lines = "\n".join(json.dumps(one) for one in (changed(HEAD, id="x"), HEAD))
    assert read(lines)[1] == expected
    typed = changed(HEAD, h=HEAD["h"] | {"type": "PER"}, t=HEAD["t"] | {"type": "ORG"})
    assert [span.type for _, span in read([typed])[0].entities()] == ["PER", "ORG"]


def test_name_may_differ_in_case_and_blanks():
    assert read([changed(HEAD, t={"name": "Mina  LEE", "pos": [0, 2]})])[0].object.text == "mina lee"


def test_types_of_tacred_may_be_absent():
    (found,) = read([changed(OWN, subj_type="GONE", obj_type="GONE")])
    assert [span.type for _, span in found.entities()] == ["", ""]


def test_label_and_id_under_other_keys():
    options = ReaderOptions(columns=Columns(id="docid", label="meta.class"))
    (found,) = read([changed(OWN, relation="GONE", meta={"class": 3})], options)
    assert (found.id, found.label) == ("d", "3")
    assert read([changed(OWN, relation="GONE")])[0].label is None


WORDS = st.lists(st.text("ab가 .", min_size=1, max_size=4), min_size=2, max_size=8)


@settings(max_examples=150, deadline=None)
@given(WORDS, st.data())
def test_any_positions(words, data):
    words = [word if word.strip() else "x" for word in words]
    cut = data.draw(st.integers(1, len(words) - 1))
    first = sorted(data.draw(st.tuples(st.integers(0, cut - 1), st.integers(0, cut - 1))))
    second = sorted(data.draw(st.tuples(st.integers(cut, len(words) - 1), st.integers(cut, len(words) - 1))))
    subject, object = (first, second) if data.draw(st.booleans()) else (second, first)
    own = dict(zip(("subj_start", "subj_end", "obj_start", "obj_end"), [*subject, *object], strict=True))
    names = [" ".join(words[start : end + 1]) for start, end in (subject, object)]
    heads = {
        role: {"name": name, "pos": [start, end + 1]}
        for role, name, (start, end) in zip("ht", names, (subject, object), strict=True)
    }
    for row in ({"token": words, "relation": "r", **own}, {"token": words, "relation": "r", **heads}):
        (found,) = read([row])
        assert found.text == " ".join(words)
        assert [span.text for _, span in found.entities()] == names
        starts = [sum(len(word) + 1 for word in words[:start]) for start, _ in (subject, object)]
        assert [span.start for _, span in found.entities()] == starts


BAD = {
    "no object": (7, "found int 7, expected an object"),
    "no words": (changed(OWN, token="GONE"), "token is None, expected a list of words; found id, docid, relation"),
    "words joined": (changed(OWN, token="a b"), "token is 'a b', expected a list of words"),
    "a number for a word": (changed(OWN, token=["a", 1]), "token is ['a', 1], expected a list of words"),
    "no positions": (changed(OWN, obj_end="GONE"), "found id, docid, relation, token, subj_start"),
    "tail missing": (changed(HEAD, t="GONE"), "found token, relation, h, expected subj_start, subj_end, obj_start, "
                     "obj_end, or h and t"),
    "position a text": (changed(OWN, subj_end="2"), "subj_end is '2', expected a whole number"),
    "position a truth": (changed(OWN, obj_start=True), "obj_start is True, expected a whole number"),
    "type a number": (changed(OWN, obj_type=1), "obj_type is 1, expected a text"),
    "head a list": (changed(HEAD, h=["mason", "Q1", [[4]]]), "h is ['mason', 'Q1', [[4]]], expected an object with "
                    "name and pos, two positions"),
    "three positions": (changed(HEAD, h={"name": "x", "pos": [1, 2, 3]}), "h is {'name': 'x', 'pos': [1, 2, 3]}"),
    "share": (changed(HEAD, h={"name": "x", "pos": [1, 2.5]}), "h: pos is 2.5, expected a whole number"),
    "name a number": (changed(HEAD, h={"name": 1, "pos": [1, 2]}), "h: name is 1 and type is '', expected two texts"),
    "outside": (changed(OWN, obj_end=9), "object entity at words 5 to 9 (inclusive) is not inside the sentence of 7 "
                "words"),
    "negative": (changed(OWN, subj_start=-1), "subject entity at words -1 to 2 (inclusive) is not inside"),
    "end before start": (changed(OWN, subj_start=3), "subject entity at words 3 to 2 (inclusive) is not inside"),
    "other words": (changed(HEAD, t={"name": "mina li", "pos": [0, 2]}), "object entity is 'mina li', but words 0 to 2 "
                    "(exclusive) are 'mina lee'"),
    "overlap": (
        changed(OWN, obj_start=1), "subject 'Mina Lee' and object 'Mina Lee , a mason' overlap in the sentence"
    ),
    "blank words": (changed(OWN, token=[*OWN["token"][:5], " ", "x"]), "object entity holds only blanks"),
    "relation a list": (changed(OWN, relation=[]), "relation is [], expected a text or a whole number"),
    "id empty": (changed(OWN, id=""), "id is empty"),
}  # fmt: skip


@pytest.mark.parametrize("row, message", BAD.values(), ids=BAD)
def test_bad_row(row, message):
    good, found = read([changed(OWN, id="0"), row])
    assert isinstance(good, Example)
    assert found.startswith(f"row 2: {message}")
    assert len(found) < 300
    assert "data.offsets" not in found


def test_bad_line_and_repeated_keys():
    lines = [json.dumps(OWN), '{"token": ["a"]', '{"h": {"pos": 1, "pos": 2}, "t": 1, "token": []}', json.dumps(OWN)]
    _, cut, twice, again = read("\n\n".join(lines))
    assert cut.startswith("row 2 (line 3): no valid JSON (")
    assert twice == "row 3 (line 5): h: key 'pos' stands twice in an object"
    assert again == "row 4 (line 7): id 'e7' was already used in row 1; data.columns.id row numbers the rows instead"


WRONG_CONVENTION = {
    "exclusive file, read as inclusive": (
        HEAD, "inclusive", "subject entity at words 4 to 5 (inclusive) is not inside the sentence of 5 words; "
        "data.offsets exclusive fits it"),
    "inclusive file, read as exclusive": (
        changed(HEAD, h={"name": "mason", "pos": [4, 4]}, t={"name": "mina lee", "pos": [0, 1]}), None,
        "subject entity at words 4 to 4 (exclusive) is not inside the sentence of 5 words; data.offsets inclusive fits "
        "it"),
    "longer words": (
        changed(HEAD, h={"name": "mina", "pos": [0, 1]}, t={"name": "a", "pos": [3, 4]}), "inclusive",
        "subject entity is 'mina', but words 0 to 1 (inclusive) are 'mina lee'; data.offsets exclusive fits it"),
    "TACRED's form read as exclusive": (
        OWN, "exclusive", "object entity at words 5 to 5 (exclusive) is not inside the sentence of 7 words; "
        "data.offsets inclusive fits it"),
}  # fmt: skip


@pytest.mark.parametrize("row, offsets, message", WRONG_CONVENTION.values(), ids=WRONG_CONVENTION)
def test_wrong_convention_is_named(row, offsets, message):
    assert read([row], ReaderOptions(offsets=offsets)) == [f"row 1: {message}"]
    other = {"inclusive": "exclusive", "exclusive": "inclusive", None: "inclusive"}[offsets]
    assert isinstance(read([row], ReaderOptions(offsets=other))[0], Example)


@pytest.mark.real_data
def test_real_file():
    path = SHARED / "semeval2010-jsonl" / "train.txt"
    if not path.is_file():
        pytest.skip("../shared/data/semeval2010-jsonl is absent")
    found, wrong = (
        [one for _, one in Source("train.txt", path.read_bytes(), "tacred", ReaderOptions(offsets=offsets)).examples()]
        for offsets in (None, "inclusive")
    )
    assert len(found) == 6507
    assert all(isinstance(one, Example) for one in found)
    assert len({one.label for one in found}) == 18
    assert all(str(one).endswith("data.offsets exclusive fits it") for one in wrong)
