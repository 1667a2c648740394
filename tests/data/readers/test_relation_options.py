"""Relation files of other teams, read by the options of KLUE's and Boostcamp's readers: names, offsets, types."""

import csv
import io
import json
from pathlib import Path

import pytest

from data.readers.options import Columns, ReaderOptions
from data.readers.source import Source
from data.schema import Example

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
TEXT = "소라는 다온전자에서 일한다."
CUSTOM = Columns(id="no", text="문장", subject="주어", object="목적어", label="관계")


def entity(word: str, exclusive: bool, kind: str = "곤충") -> dict:
    start = TEXT.index(word)
    return {"word": word, "start_idx": start, "end_idx": start + len(word) - (not exclusive), "type": kind}


def row(exclusive: bool = False, **changes) -> dict:
    values = {"no": 3, "문장": TEXT, "주어": entity("소라", exclusive), "목적어": entity("다온전자", exclusive)}
    return values | {"관계": "인물:소속"} | changes


def content(rows: list[dict], format: str) -> bytes:
    if format == "klue":
        return json.dumps(rows).encode()
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["", *rows[0]])  # with an unnamed index, as pandas writes it
    writer.writerows([number, *map(str, one.values())] for number, one in enumerate(rows))
    return file.getvalue().encode()


def read(rows: list[dict], format: str, options: ReaderOptions) -> list:
    return [one for _, one in Source("rows.file", content(rows, format), format, options).examples()]


@pytest.mark.parametrize("format", ["klue", "boostcamp"])
@pytest.mark.parametrize("offsets", ["inclusive", "exclusive", None])
def test_own_names_and_both_conventions(format, offsets):
    (found,) = read([row(offsets == "exclusive")], format, ReaderOptions(columns=CUSTOM, offsets=offsets))
    assert (found.id, found.text, found.label) == ("3", TEXT, "인물:소속")
    assert (found.subject.text, found.object.text, found.object.type) == ("소라", "다온전자", "곤충")


@pytest.mark.parametrize("format", ["klue", "boostcamp"])
def test_wrong_convention_is_named(format):
    (found,) = read([row(True)], format, ReaderOptions(columns=CUSTOM))
    assert str(found) == (
        "subject entity is '소라', but characters 0..2 of the sentence are '소라는'; it stands at 0..1; "
        "data.offsets exclusive fits it, find decides for each row"
    )
    (found,) = read([row(False)], format, ReaderOptions(columns=CUSTOM, offsets="exclusive"))
    assert str(found) == (
        "subject entity is '소라', but characters 0..0 of the sentence are '소'; it stands at 0..1; "
        "data.offsets inclusive fits it, find decides for each row"
    )


def test_a_word_of_one_character_read_as_exclusive():
    one = row(주어={"word": "소", "start_idx": 0, "end_idx": 0, "type": "x"})
    (found,) = read([one], "klue", ReaderOptions(columns=CUSTOM, offsets="exclusive"))
    assert str(found) == (
        "주어: start_idx 0 does not come before end_idx 0 (data.offsets exclusive); data.offsets inclusive fits it, "
        "find decides for each row"
    )


def test_the_other_convention_is_not_named_where_it_does_not_fit_either():
    shifted = entity("소라", True) | {"start_idx": 1, "end_idx": 3}
    (found,) = read([row(True, 주어=shifted)], "klue", ReaderOptions(columns=CUSTOM))
    assert str(found).endswith("it stands at 0..1; data.offsets find fits it")


def test_messages_use_the_names_of_the_file():
    options = ReaderOptions(columns=CUSTOM)
    (found,) = read([row(no="")], "klue", options)
    assert str(found) == "no is empty"
    (found,) = read([row(관계=0.5)], "klue", options)
    assert (
        str(found)
        == "관계 is 0.5, expected a text or a whole number; numbers to predict (regression) are not supported"
    )
    (found,) = read([{"no": 1}], "klue", options)
    assert (
        str(found) == "no key 문장, 주어, 목적어; found no; expected no, 문장, 주어, 목적어, 관계; "
        "data.columns.text, subject and object name others, data.format other forms"
    )
    (found,) = read([row(주어="{'word': ‘소라'}")], "boostcamp", options)
    assert str(found).startswith("주어 is \"{'word': ‘소라'}\", expected a dict such as")
    with pytest.raises(
        ValueError, match="no column 주어, 목적어; found , no, 문장; expected no, 문장, 주어, 목적어, 관계"
    ):
        read([{"no": 1, "문장": "x"}], "boostcamp", options)


def test_columns_inside_an_object():
    one = row()
    nested = {"id": one["no"], "data": {"s": one["문장"], "e": {"a": one["주어"], "b": one["목적어"]}}, "y": "z"}
    columns = Columns(id="id", text="data.s", subject="data.e.a", object="data.e.b", label="y")
    (found,) = read([nested], "klue", ReaderOptions(columns=columns))
    assert (found.subject.text, found.label) == ("소라", "z")


def test_identity_says_how_a_file_is_read():
    plain = Source("a", b"x", "klue").identity
    other = Source("b", b"x", "klue", ReaderOptions(columns=Columns(label=2), offsets="exclusive")).identity
    assert plain.keys() == {"sha256", "format"}
    assert other == plain | {"columns.label": "2", "offsets": "exclusive"}


REAL = {
    "annotation-insects/train.csv": (ReaderOptions(), 1021, 17, "exclusive"),
    "annotation-insects/validation.csv": (ReaderOptions(), 128, 0, "exclusive"),
    "annotation-insects/evaluation.csv": (ReaderOptions(), 128, 3, "exclusive"),
    "annotation-olympics/train_fix_form.csv": (
        ReaderOptions(columns=Columns(label="relation"), offsets="exclusive"), 882, None, "inclusive"),
}  # fmt: skip


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_file(name):
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"../shared/data/{name} is absent")
    options, count, bad, wrong = REAL[name]
    found = [one for _, one in Source(name, path.read_bytes(), "boostcamp", options).examples()]
    errors = [one for one in found if not isinstance(one, Example)]
    assert len(found) == count
    if bad is None:  # shifted offsets, overlaps
        assert 0 < len(errors) < 30
    else:
        assert len(errors) == bad
        assert all("‘" in str(one) and "expected a dict" in str(one) for one in errors)
    assert all(one.label for one in found if isinstance(one, Example))
    other = ReaderOptions(columns=options.columns, offsets=wrong)
    fits = f"data.offsets {'inclusive' if wrong == 'exclusive' else 'exclusive'} fits it, find decides for each row"
    seen = [one for _, one in Source(name, path.read_bytes(), "boostcamp", other).examples()]
    assert sum(str(one).endswith(fits) for one in seen) == count - len(errors)
