"""Korean pages, and whether they are behind the English ones that they follow.

python -m tests.translations                     names the pages that are behind
python -m tests.translations docs/ko/data.md     renews the digest of a page that follows its English page again
"""

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLLOWS = re.compile(r"\n<!-- follows: (\w+) -->\n\Z")
# code is compared as it is; measured tables are written by a program, in both languages
NO_PROSE = re.compile(r"^```.*?^```$|^<!-- [\w.]+: begin -->.*?^<!-- [\w.]+: end -->$", re.MULTILINE | re.DOTALL)


def pages() -> dict[str, str]:
    """Korean page -> English page."""
    names = sorted(path.name for path in (ROOT / "docs" / "ko").glob("*.md"))
    return {"README.ko.md": "README.md"} | {f"docs/ko/{name}": f"docs/{name}" for name in names}


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def digest(english: str) -> str:
    """Of the prose of a page, however its lines are broken."""
    prose = " ".join(NO_PROSE.sub(" ", english).split())
    return hashlib.sha256(prose.encode()).hexdigest()[:12]


def behind() -> list[str]:
    """The Korean pages whose digest is not that of the English prose of today."""

    def followed(page: str) -> str | None:
        mark = FOLLOWS.search(read(page))
        return mark and mark[1]

    return [page for page, english in pages().items() if followed(page) != digest(read(english))]


def renew(page: str) -> None:
    text = FOLLOWS.sub("", read(page)).rstrip("\n")
    (ROOT / page).write_text(f"{text}\n\n<!-- follows: {digest(read(pages()[page]))} -->\n", encoding="utf-8")


def main(argv: Sequence[str]) -> int:
    if unknown := [page for page in argv if page not in pages()]:
        print(f"error: got {unknown[0]}, expected one of {', '.join(pages())}", file=sys.stderr)
        return 2
    for page in argv:
        renew(page)
    for page in behind():
        print(f"{page} is behind {pages()[page]}")
    return 1 if behind() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
