"""Bytes to text: what no format reads further."""

import codecs

import pytest

from data.readers import FORMATS
from data.readers.source import Source

BLANK = {
    "nothing": b"", "blanks": b" \t ", "lines": b"\n \r\n\t", "mark": codecs.BOM_UTF8,
    "mark and lines": codecs.BOM_UTF8 + b"\n \n",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*byte-order mark")
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("raw", BLANK.values(), ids=BLANK)
def test_a_file_of_blanks_alone_is_empty_in_every_format(format, raw):
    with pytest.raises(ValueError) as caught:
        list(Source("rows.file", raw, format).examples())
    assert str(caught.value) == "rows.file: the file is empty"
