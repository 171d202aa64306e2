"""Figures with their goals: a table on stdout, JSON in the build folder, a section of README.md."""
import json
import os
import statistics

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Report:
    """What one benchmark found. A figure without a goal is told for context."""

    def __init__(self, name, machine, cores, quick):
        self.data = {
            "benchmark": name,
            "machine": machine,
            "cores": cores,
            "quick": quick,
            "figures": [],
            "notes": [],
        }

    def add(self, figure, value, unit="", at_least=None, at_most=None):
        """`value` is a number, or the samples of the rounds (their median counts)."""
        samples = list(value) if isinstance(value, (list, tuple)) else [value]
        middle = statistics.median(samples)
        entry = {"figure": figure, "value": middle, "unit": unit}
        if len(samples) > 1:
            entry["low"], entry["high"] = min(samples), max(samples)
        if at_least is not None:
            entry.update(goal=f"≥ {at_least:g}", reached=middle >= at_least)
        if at_most is not None:
            entry.update(goal=f"≤ {at_most:g}", reached=middle <= at_most)
        self.data["figures"].append(entry)
        print("  " + " | ".join(row(entry)), flush=True)
        return middle

    def note(self, text):
        self.data["notes"].append(text)
        print(f"  note: {text}", flush=True)

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"{self.data['benchmark']}.{self.data['cores']}core.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(self.data, out, indent=1, ensure_ascii=False)
        return path


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def shown(entry):
    """Median, unit and range."""
    spread = f" ({number(entry['low'])}–{number(entry['high'])})" if "low" in entry else ""
    unit = f" {entry['unit']}" if entry["unit"] else ""
    return f"{number(entry['value'])}{unit}{spread}"


def verdict(entry):
    return "" if "goal" not in entry else "reached" if entry["reached"] else "short"


def row(entry):
    return [entry["figure"], shown(entry), entry.get("goal", ""), verdict(entry)]


def markdown(name, runs):
    """One benchmark's section: a column for each number of cores, figures with a goal first."""
    machine = runs[0]["machine"]
    heads = [f"{run['cores']} core{'s' if run['cores'] > 1 else ''}" for run in runs]
    lines = [
        f"### {name}",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux "
        f"{machine['kernel']}; load before the runs "
        + ", ".join(f"{run['machine']['load_before']:g}" for run in runs)
        + ".",
        "",
        "| figure | goal | " + " | ".join(heads) + " |",
        "| --- " * (len(runs) + 2) + "|",
    ]
    tables = [{entry["figure"]: entry for entry in run["figures"]} for run in runs]
    figures = list(dict.fromkeys(figure for table in tables for figure in table))
    for figure in sorted(
        figures, key=lambda name: not any("goal" in t.get(name, {}) for t in tables)
    ):
        found = [table.get(figure) for table in tables]
        goal = next((entry["goal"] for entry in found if entry and "goal" in entry), "")
        cells = [cell(entry) for entry in found]
        lines.append(f"| {figure} | {goal} | " + " | ".join(cells) + " |")
    notes = dict.fromkeys(
        f"- {head}: {note}" for head, run in zip(heads, runs) for note in run["notes"]
    )
    return "\n".join(lines + ["", *notes] + ([""] if notes else []))


def cell(entry):
    if entry is None:
        return "–"
    return shown(entry) + ("" if "goal" not in entry else f", **{verdict(entry)}**")


def update_readme(readme, folder, order):
    """Rewrites the sections between the marks whose JSON of full runs is there (quick ones don't
    count); the others stay as they are. How many were rewritten."""
    with open(readme, encoding="utf-8") as text:
        before, _, rest = text.read().partition(BEGIN)
    kept, _, after = rest.partition(END)
    sections = {part.partition("\n")[0]: part for part in kept.strip().split("### ")[1:]}
    written = 0
    for name in order:
        runs = []
        for cores in (2, 1):
            path = os.path.join(folder, f"{name}.{cores}core.json")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as text:
                    runs.append(json.load(text))
        runs = [run for run in runs if not run["quick"]]
        if runs:
            sections[name] = markdown(name, runs).removeprefix("### ")
            written += 1
    shown_ones = ["### " + sections[name].strip() + "\n" for name in order if name in sections]
    with open(readme, "w", encoding="utf-8") as out:
        out.write(before + BEGIN + "\n\n" + "\n".join(shown_ones) + "\n" + END + after)
    return written
