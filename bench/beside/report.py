"""The figures of `--rivals` as a table, as JSON and as a chart.

`python3 bench/beside/report.py FOLDER` writes the figures of runs that were saved into FOLDER, which is below docs/,
into docs/PERFORMANCE.md, in place of the earlier ones.
"""
import json
import os
import re
import sys
from pathlib import Path
from statistics import median

from contenders import SCENARIOS

FIGURES = ("per_second", "p50_ms", "p99_ms", "p999_ms", "cpu_us", "memory_mib")
DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs/PERFORMANCE.md"
MARKED = re.compile("(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)
HEADS = ("requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs", "MiB")


def summary(rounds):
    """The medians of the rounds of one contender, and the first failure."""
    figures = {"by_round": [round(one.get("per_second") or 0, 1) for one in rounds]}
    for name in FIGURES:
        values = [one[name] for one in rounds if one.get(name) is not None]
        figures[name] = round(median(values), 3) if values else None
    if any(one.get("p999_ms") is None for one in rounds):  # a round had too few answers
        figures["p999_ms"] = None
    figures["failures"] = next((one["failures"] for one in rounds if one["failures"]), None)
    return figures


def shown(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def row(name, figures):
    failed = f" ({figures['failures']})".replace("|", "/") if figures["failures"] else ""
    return "| " + " | ".join([name + failed, *(shown(figures[figure]) for figure in FIGURES)]) + " |"


def markdown(result):
    """The machine, the versions and all figures."""
    lines = [
        "# Figures of `bench/run --rivals`",
        "",
        f"{computer(result)}, {result['date']}. Medians of the rounds. `search` is measured with 6 "
        "connections.",
        "CPU is the time of the server and its database per request. MiB is the memory of the server's processes "
        "under that load, without the database.",
        "",
        "| server | version |",
        "|---|---|",
        *(f"| {name} | {version} |" for name, version in result["versions"].items()),
    ]
    for measured in result["measured"]:
        lines += ["", f"## {title(measured)}"]
        for scenario in SCENARIOS:
            if servers := measured["scenarios"].get(scenario):
                lines += ["", f"| {scenario} | " + " | ".join(HEADS) + " |", "|---|" + "---:|" * len(HEADS)]
                lines += [row(name, figures) for name, figures in servers.items()]
    return "\n".join(lines) + "\n"


def title(measured):
    rounds = "1 round" if measured["rounds"] == 1 else f"{measured['rounds']} rounds"
    rounds += f" of {measured['seconds']} s"
    return f"{measured['connections']} connections, {measured['members']:,} members, {rounds}"


BAR, GAP, LEFT, WIDTH = 12, 3, 190, 520
COLOURS = {"Tenantry": "#1f6feb", "bare": "#8b949e", "pgbench": "#8b949e"}


def chart(result):
    """Requests per second of the first measurement as bars, one group for each scenario, as SVG."""
    measured = result["measured"][0]
    body, y = [], 46
    for scenario, servers in measured["scenarios"].items():
        most = max(figures["per_second"] or 0 for figures in servers.values()) or 1
        body.append(f'<text x="8" y="{y + 10}" font-weight="bold">{scenario}</text>')
        y += BAR + 2 * GAP
        for name, figures in servers.items():
            length = max(1, WIDTH * (figures["per_second"] or 0) / most)
            colour = next((colour for start, colour in COLOURS.items() if name.startswith(start)), "#d29922")
            body += [
                f'<text x="{LEFT - 6}" y="{y + 10}" text-anchor="end">{name}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
                f'<text x="{LEFT + length + 5:.1f}" y="{y + 10}">{shown(figures["per_second"])}</text>',
            ]
            y += BAR + GAP
        y += 3 * GAP
    width = LEFT + WIDTH + 80
    size = f'width="{width}" height="{y}" font-family="sans-serif" font-size="11"'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="{width}" height="{y}" fill="white"/>',
        f'<text x="8" y="20" font-size="14">Requests per second, {title(measured)}</text>',
        '<text x="8" y="35">The bars of a scenario are relative to its fastest server.</text>',
        *body,
        "</svg>",
    ]) + "\n"


def better(result):
    """A line for each scenario in which a rival answers more requests per second than one of Tenantry's engines."""
    lines = []
    for measured in result["measured"]:
        for scenario, servers in measured["scenarios"].items():
            speeds = {name: figures["per_second"] or 0 for name, figures in servers.items()}
            ours = {name: speed for name, speed in speeds.items() if name.startswith("Tenantry")}
            lines += [
                f"- {scenario}, {title(measured)}: {rival} {shown(speed)}, {name} {shown(own)} a second"
                for rival, speed in speeds.items() if not rival.startswith(tuple(COLOURS))
                for name, own in ours.items() if speed > own
            ]
    return lines or ["- In no scenario of this run."]


def overview(result):
    """Requests per second of everybody in all scenarios of the first measurement."""
    scenarios = result["measured"][0]["scenarios"]
    names = list(result["versions"])
    lines = ["| requests per second | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for scenario, servers in scenarios.items():
        speeds = [shown(servers[name]["per_second"]) if name in servers else "-" for name in names]
        lines.append("| " + " | ".join([scenario, *speeds]) + " |")
    return lines


def targets(name, saved):
    lines = [f"`bench/run --{name}`, {computer(saved)}:", "", "| | measured | at most | |", "|---|---:|---:|---|"]
    for what, one in saved["targets"].items():
        limit = f"{one['target']:g} {one['unit']}".strip()
        met = "met" if one["met"] else "**missed**"
        lines.append(f"| {what} | {shown(one['measured'])} | {limit} | {met} |")
    return lines


def computer(saved):
    machine = saved["machine"]
    size = f"{machine['processors']} processors, {machine['memory_gib']} GiB"
    return f"{machine['processor']}, {size}, {machine['system']}"


def section(folder):
    """The part of docs/PERFORMANCE.md that the saved runs make."""
    at, lines = os.path.relpath(folder, DOCUMENT.parent), []
    if (saved := folder / "beside.json").exists():
        result = json.loads(saved.read_text())
        lines += [
            f"`bench/run --rivals`, {computer(result)}, {result['date']}; {title(result['measured'][0])}. "
            f"[All figures]({at}/beside.md), [as JSON]({at}/beside.json).", "",
            *overview(result), "", f"![Requests per second as bars]({at}/beside.svg)", "",
            "A rival is faster:", "", *better(result), "",
        ]
    for name in ("steady", "neighbours", "small"):
        if (saved := folder / f"{name}.json").exists():
            lines += [*targets(name, json.loads(saved.read_text())), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    text = section(Path(sys.argv[1]).resolve())
    document, found = MARKED.subn(lambda match: f"{match[1]}{text}{match[2]}", DOCUMENT.read_text())
    if not text or not found:
        sys.exit("there is no saved run in that folder, or docs/PERFORMANCE.md has no place for it")
    DOCUMENT.write_text(document)
