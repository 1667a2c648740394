"""Every `python -m` and every import that the pages show: there is what they name."""

import re
import runpy
import sys
from importlib import import_module

import pytest

from conftest import ROOT

PAGES = [path.read_text(encoding="utf-8") for path in [*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md")]]
CODE = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in ("engine", "models", "losses", "data")
    for path in (ROOT / folder).rglob("*.py")
}
NAMED = {
    name.rstrip(".")
    for text in [*PAGES, *CODE.values()]
    for name in re.findall(r"python -m ((?:engine|data)\.\w[\w.]*)", text)
}
FOLDERS = {name.removesuffix("/__main__.py").replace("/", ".") for name in CODE if name.endswith("/__main__.py")}


def test_every_command_is_named_somewhere():
    assert {"engine.compare"} == NAMED - FOLDERS
    assert FOLDERS <= NAMED


@pytest.mark.parametrize("command", sorted(NAMED))
def test_a_command_says_how_it_is_called(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(command, run_name="__main__", alter_sys=True)
    said = capsys.readouterr()
    assert f"python -m {command} " in said.out + said.err
    assert ended.value.code == (0 if said.out else 2)


def test_imports_that_are_shown_work():
    """But for the files that the recipes write; tests/test_readme.py runs these."""
    written = {name for text in PAGES for name in re.findall(r"(?:data|engine|losses|models)/[\w/]+\.py", text)} - set(
        CODE
    )
    shown = {
        line
        for text in PAGES
        for line in re.findall(r"^ *(from [\w.]+ import [\w, ]+)$", text, re.MULTILINE)
        if line.split()[1].split(".")[0] in ("data", "engine", "losses", "models")
    }
    assert "from engine.predict import Predictor" in shown
    assert "from engine.notify import notify" in shown
    for line in shown:
        module, names = re.fullmatch(r"from ([\w.]+) import (.*)", line).groups()
        folder = module.replace(".", "/")
        for name in names.split(", "):
            if not {f"{folder}.py", f"{folder}/{name}.py"} & written:
                assert hasattr(import_module(module), name), line
