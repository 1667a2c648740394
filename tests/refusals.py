"""What the tests of bad input share: good rows, a folder with them, and what a refusal looks like."""

import json
import os
import subprocess
import sys
from pathlib import Path

from train import main

ROOT = Path(__file__).resolve().parent.parent


def entity(sentence: str, word: str, kind: str) -> dict:
    start = sentence.index(word)
    return {"word": word, "start_idx": start, "end_idx": start + len(word) - 1, "type": kind}


def row(guid: str, sentence: str, subject: str, subject_type: str, object: str, object_type: str, label: str) -> dict:
    """A row as KLUE's files write it; the entities are where their words first stand."""
    return {
        "guid": guid,
        "sentence": sentence,
        "subject_entity": entity(sentence, subject, subject_type),
        "object_entity": entity(sentence, object, object_type),
        "label": label,
        "source": "시험",
    }


def good_rows() -> list[dict]:
    facts = [
        ("가람은 나래의 형이다.", "가람", "PER", "나래", "PER", "per:siblings"),
        ("다온전자는 2003년에 설립되었다.", "다온전자", "ORG", "2003년", "DAT", "org:founded"),
        ("작가 마루는 소설 '새벽'을 지었다.", "마루", "PER", "새벽", "POH", "per:product"),
        ("하늘이 보라시를 방문했다.", "하늘", "PER", "보라시", "LOC", "no_relation"),
        ("보라시에 본사를 둔 누리건설이다.", "누리건설", "ORG", "보라시", "LOC", "org:place_of_headquarters"),
        ("누리건설의 대표는 소라이다.", "누리건설", "ORG", "소라", "PER", "org:top_members/employees"),
        ("소라는 다온전자에서 근무했다.", "소라", "PER", "다온전자", "ORG", "per:employee_of"),
        ("마루와 하늘은 함께 강연했다.", "마루", "PER", "하늘", "PER", "no_relation"),
    ]
    return [row(f"줄-{n}", *one) for n, one in enumerate(facts, start=1)]


def dumped(content) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


class Folder:
    """A folder with good data, and the command line that would train on it."""

    def __init__(self, path: Path):
        self.path, self.runs, self.cache = path, path / "runs", path / "cache"
        self.write("train.json", dumped(good_rows()))
        self.write("dev.json", dumped(good_rows()[:4]))

    def write(self, name: str, content: bytes | str) -> str:
        where = self.path / name
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(where)

    def command(self, *more: str) -> list[str]:
        options = {
            "data.train": self.path / "train.json", "data.dev": self.path / "dev.json", "model.tokenizer": "sample",
            "run.dir": self.runs, "run.name": "try", "data.cache_dir": self.cache, "train.max_updates": 1,
            "model.scratch.hidden_size": 16, "model.scratch.layers": 1, "track.tensorboard": "false", "run.threads": 1,
        }  # fmt: skip
        return [word for key, value in options.items() for word in (f"--{key}", str(value))] + list(more)

    def report(self, name: str = "try") -> dict:
        return json.loads((self.runs / name / "report.json").read_text(encoding="utf-8"))


def refused(folder: Folder, capsys, arguments: list[str], fragments: list[str], command=None) -> str:
    """Exit code 2, one `error:` with all fragments, no traceback, no run folder. Returns the message."""
    code = main(folder.command(*arguments) if command is None else command)
    said = capsys.readouterr()
    assert code == 2, said.err
    assert sum(line.startswith("error: ") for line in said.err.splitlines()) == 1, said.err
    assert "Traceback" not in said.err + said.out
    lines = said.err.splitlines()
    message = said.err[said.err.index("error: ") :]
    for line in lines[: lines.index(message.splitlines()[0])]:
        assert line.startswith("warning: "), line
    for fragment in fragments:
        assert fragment in message, message
    assert not folder.runs.is_dir() or not list(folder.runs.iterdir())
    return message


def refused_process(folder: Folder, arguments: list[str], fragments: list[str], **environment: str) -> None:
    """`python train.py` as a process of its own: exit code 2, and the last line that it prints is the one message."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ACCELERATE_")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *folder.command(*arguments)],
        capture_output=True, text=True, encoding="utf-8", timeout=100, cwd=folder.path,
        env=kept | {"PYTHONIOENCODING": "utf-8", "ACCELERATE_USE_CPU": "true"} | environment,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    for fragment in fragments:
        assert fragment in last
    assert not folder.runs.exists()
