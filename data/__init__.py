"""From a file to packed batches. Reading order: schema, klue, boostcamp, markers, encode, packed, batch.

A format is a module with two functions: `rows(raw, name)` cuts the bytes of a file into rows, with a ValueError for a
row that cannot be cut; `example(row)` makes an `Example` of one row. `place(raw, name, number)` may say where a row
stands, for messages. Errors are ValueErrors with what was found and expected. Adding one = one file + one line here.
"""

from types import ModuleType

from data import boostcamp, klue

FORMATS: dict[str, ModuleType] = {"klue": klue, "boostcamp": boostcamp}
