"""The tables of docs/speed.md and the short one of both READMEs, from the JSON file alone."""

import re

BEGIN, END = "<!-- versus_trainer.py: begin -->", "<!-- versus_trainer.py: end -->"


def tables(results: dict) -> str:
    """Markdown; a line a configuration. What a configuration did not measure is not in it."""
    parts = [
        rates("training", "train", results, ("default", "tuned", "ours", "bare")),
        rates("prediction", "predict", results, ("default", "tuned", "ours")),
        beside(results),
        scores(results),
    ]
    return "\n\n".join(part for part in [*parts, *no_gpu(results)] if part)


def short(results: dict) -> str:
    """Markdown for a front page: rates and ratios of training and prediction in one table."""
    names = ("default", "tuned", "ours")
    train, predict = rate_rows("train", results, names), rate_rows("predict", results, names)
    rows = [
        [f"{what}, {key}", *cells]
        for what, part in (("training", train), ("prediction", predict))
        for key, *cells in part
    ]
    return "\n\n".join([grid(rate_head("real tokens/s", names), rows), *no_gpu(results)])


def no_gpu(results: dict) -> list[str]:
    ran = any(result.get("case", {}).get("device") == "cuda" for result in results.values())
    return [] if ran else ["On a GPU: not run."]


NAMES = {"default": "Trainer", "tuned": "Trainer, tuned", "ours": "plainloop", "bare": "bare loop"}


def grid(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) if rows else ""


def rates(title: str, section: str, results: dict, names: tuple[str, ...]) -> str:
    return grid(rate_head(f"{title}, real tokens/s", names), rate_rows(section, results, names))


def rate_head(title: str, names: tuple[str, ...]) -> list[str]:
    return [title, *(NAMES[name] for name in names), "to the Trainer", "to the tuned one"]


def rate_rows(section: str, results: dict, names: tuple[str, ...]) -> list[list[str]]:
    rows = []
    for key, found in results.items():
        if section not in found:
            continue
        sides, ratios = found[section]["sides"], found[section]["ratios"]
        medians = [f"{sides[name]['tokens_per_second']['median']:,.0f}" for name in names]
        rows.append([key, *medians, ratio(ratios["ours / default"]), ratio(ratios["ours / tuned"])])
    return rows


def ratio(found: dict) -> str:
    low, high = found["quartiles"]
    return f"{found['median']:.2f} ({low:.2f} to {high:.2f})"


def beside(results: dict) -> str:
    """Trainer, tuned Trainer and plainloop in each cell, where all three have the number."""
    head = [
        "Trainer / tuned / plainloop", "padding share", "peak memory, GiB", "of the matmul peak",
        "plainloop to the bare loop", "outside forward, backward, optimizer (in brackets: with clipping and loss)",
        "start",
    ]  # fmt: skip
    rows = []
    for key, found in results.items():
        if "train" not in found:
            continue
        sides, names = found["train"]["sides"], ("default", "tuned", "ours")
        own = found["train"]["own_time"]["host"]
        start = found.get("start", {}).get("seconds")
        rows.append(
            [
                key,
                " / ".join(f"{100 * sides[name]['padding_share']:.1f} %" for name in names),
                " / ".join(f"{sides[name]['peak_memory_gib']:.2f}" for name in names),
                " / ".join(f"{100 * sides[name]['mfu']:.1f} %" for name in names),
                ratio(found["train"]["ratios"]["ours / bare"]),
                f"{100 * own['rest']:.2f} % ({100 * own['outside_forward_backward_optimizer']:.2f} %)",
                f"{start['default']['median']:.1f} s / - / {start['ours']['median']:.1f} s" if start else "not run",
            ]
        )
    return grid(head, rows)


def scores(results: dict) -> str:
    rows = []
    for key, found in results.items():
        if "scores" not in found:
            continue
        by_name = {row["name"]: row for row in found["scores"]["rows"]}
        cells = [f"{by_name[name]['mean']:.2f} ± {by_name[name]['sd'] or 0:.2f}" for name in ("default", "ours")]
        ours = by_name["ours"]
        difference = f"{ours['difference']:+.2f} ± {ours['difference_95'] or 0:.2f}"
        what = f"{key}, {found['scores']['updates']} updates, {len(found['scores']['seeds'])} seeds"
        rows.append([what, *cells, difference])
    return grid(["micro-F1 of held-out rows", "Trainer", "plainloop", "difference, seed by seed (95 % interval)"], rows)


# longer ones before those that they contain
KOREAN = {
    "real tokens/s": "실제 토큰/초",
    "training, ": "학습, ",
    "prediction, ": "예측, ",
    "to the Trainer": "Trainer 대비",
    "to the tuned one": "튜닝한 Trainer 대비",
    "Trainer, tuned": "튜닝한 Trainer",
    "On a GPU: not run.": "GPU에서는 측정하지 않았습니다.",
}
KOREAN_NUMBERS = {
    r"batch (\d+)": r"배치 \1",
    r"threads (\d+)": r"스레드 \1",
    r"([\d.]+) to ([\d.]+)": r"\1~\2",
}


def korean(markdown: str) -> str:
    """The short table with Korean words; every number stays."""
    for english, word in KOREAN.items():
        markdown = markdown.replace(english, word)
    for english, word in KOREAN_NUMBERS.items():
        markdown = re.sub(english, word, markdown)
    return markdown


def put(text: str, markdown: str) -> str:
    """The text with the tables between its two marks. Raises ValueError where a mark is missing."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}")
    return text[: text.index(BEGIN) + len(BEGIN)] + f"\n{markdown}\n" + text[text.index(END) :]
