"""Large files are read some lines at a time: the same rows and the same messages as of their bytes."""

import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.readers import content, decoding
from data.readers.content import FileBytes, read
from data.readers.options import ReaderOptions
from data.readers.source import Source, open_source

BOM = b"\xef\xbb\xbf"
PIECES = ["가나", "é", "a", "1", ",", '"', '""', "\n", "\r\n", "\r", "\t", " ", "\u2028", "id", "{'word': 'a'}"]
HEADERS = {
    "boostcamp": b"id,sentence,subject_entity,object_entity,label\n",
    "text": b"text,label\n",
}


def everything(source: Source) -> list[str]:
    """Rows, or the message that ends them; where the last row stands; what the file is known by."""
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            for _, one in source.examples():
                found.append(repr(one))
            found.append(source.place(len(found)))
        except ValueError as error:
            found.append(str(error))
    return [*found, *sorted({str(one.message) for one in caught}), source.identity["sha256"]]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("content") / "rows.csv"


def compare(path: Path, raw: bytes, format: str, block: int) -> list[str]:
    path.write_bytes(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "BLOCK", block)
        patch.setattr(content, "LARGE", 1)
        large = read(path) if raw else raw
        assert isinstance(large, FileBytes) == bool(raw)
        streamed = everything(Source("rows.csv", large, format))
    at_once = everything(Source("rows.csv", raw, format))
    assert streamed == at_once
    return streamed


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=30),
    st.sampled_from(sorted(HEADERS)),
    st.sampled_from([b"", BOM, b"\n", b" ", b"PK\x03\x04"]),
    st.sampled_from([b"", b"\0", b"\xb0\xa1", b"\xea"]),
    st.integers(1, 40),
)
def test_any_csv_is_read_as_its_bytes_are(path, pieces, format, start, end, block):
    compare(path, start + HEADERS[format] + "".join(pieces).encode() + end, format, block)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60).filter(lambda raw: b"\0" not in raw), st.integers(1, 20))
def test_any_bytes_are_read_as_they_are_at_once(path, raw, block):
    compare(path, raw, "text", block)


def test_json_is_read_as_a_whole(path):
    raw = '[{"text": "가", "label": "a"}, {"text": "나", "label": "b"}]'.encode()
    assert len([one for one in compare(path, raw, "text", 5) if one.startswith("Example(")]) == 2
    assert len(compare(path, b'[{"guid": 1}]', "klue", 5)) == 3


def test_errors_say_the_line_of_the_file(path):
    rows = HEADERS["text"] + "가,a\n".encode() * 50
    line = "rows.csv, line 52: "
    assert compare(path, rows + b"\xb0\xa1,a\n" + rows, "text", 30)[0].startswith(f"{line}byte 0xb0 at position 311 is")
    assert compare(path, rows + b"a\0,a\n" + rows, "text", 30)[0] == f"{line}holds a NUL character"


def test_only_large_regular_files_are_left_on_disk(path, monkeypatch):
    path.write_bytes(b"text,label\na,b\n")
    assert read(path) == b"text,label\na,b\n"
    monkeypatch.setattr(content, "LARGE", 5)
    assert isinstance(open_source(str(path), "text", "train", "data.train").raw, FileBytes)
    monkeypatch.setattr(content, "LARGE", 0)
    assert read(Path("/dev/null")) == b""


def test_a_file_that_changes_while_it_is_read_is_told(path, monkeypatch):
    path.write_bytes(b"text,label\n" + b"abc,x\n" * 100)
    monkeypatch.setattr(content, "LARGE", 1)
    monkeypatch.setattr(decoding, "BLOCK", 50)
    rows = Source("rows.csv", read(path), "text", ReaderOptions()).examples()
    next(rows)
    with path.open("ab") as file:
        file.write(b"abc,x\n")
    with pytest.raises(ValueError, match=r"rows\.csv: the file was changed while it was read; start again"):
        list(rows)


def test_a_file_that_is_replaced_is_read_to_its_end(path, monkeypatch):
    """Whoever writes a new file beside it and renames it, as editors do, disturbs nobody."""
    path.write_bytes(b"old bytes")
    monkeypatch.setattr(content, "LARGE", 1)
    raw = read(path)
    path.with_name("new").write_bytes(b"new")
    path.with_name("new").replace(path)
    assert bytes(raw) == b"old bytes"
    assert (raw[4:], raw[:3], raw[50:], len(raw)) == (b"bytes", b"old", b"", 9)
