"""Which column tells rows apart: the one that was named, the usual one, or none: then the number of the row."""

from collections.abc import Collection, Sequence

from data.readers.options import ReaderOptions

ROW = "row"  # data.columns.id row: the number, also where there is a column id
NUMBERED = "no column of ids: the number of the row, from 1, is its id"
USED_TWICE = "; data.columns.id row numbers the rows instead"


def id_column(options: ReaderOptions, columns: Collection[str], usual: Sequence[str]) -> str:
    """Its name, empty for the number of the row. `columns`: those of the file; `usual`: looked for in this order where
    none was named."""
    given = options.columns.id
    if given is None:
        return next((name for name in usual if name in columns), "")
    return "" if given == ROW and ROW not in columns else str(given)
