"""Readers of data files. Reading order: source, options, klue, boostcamp, semeval, tacred, table, inline, documents/.

A format is a module with two functions: `rows(raw, name, options)` cuts the bytes of a file into rows, with a
ValueError for a row that cannot be cut; `example(row, options)` makes an `Example` of one row.
`stream(raw, name, options)` may give the rows one at a time; it gets large files as `content.FileBytes`.
`place(raw, name, number, options)` may say where a row stands, for messages;
`from_python(value, number, options)` may take what a user hands to a `Predictor`, else `example` gets it as a row;
`label(row, options)` may tell the label of a row that `example` refuses;
`packed(folder)` may make the bytes of a folder.
`options` are the `ReaderOptions` of `options.py`; READS may name those that the format looks at ("columns.text",
"header"), the user is told of others; LABEL is its own name of the label's column;
PLACEHOLDER says that a label 100 may be none.
Errors are ValueErrors with what was found and expected. Adding one = one file + one line here.
"""

from types import ModuleType

from data.readers import boostcamp, inline, klue, semeval, table, tacred
from data.readers.documents import brat, conll04, doccano, docred, fewrel, label_studio, opennre, scierc

FORMATS: dict[str, ModuleType] = {
    "klue": klue, "boostcamp": boostcamp, "semeval": semeval, "tacred": tacred, "inline": inline,
    "text": table, "doccano": doccano, "label_studio": label_studio, "brat": brat, "conll04": conll04,
    "scierc": scierc, "docred": docred, "fewrel": fewrel, "opennre": opennre,
}  # fmt: skip
