"""The figures of `--rivals` as a table, as JSON and as a chart."""
from statistics import median

from contenders import SCENARIOS

FIGURES = ("per_second", "p50_ms", "p99_ms", "p999_ms", "cpu_us", "memory_mib")
HEADS = ("requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs", "MiB")


def summary(rounds):
    """The medians of the rounds of one contender, and the first failure."""
    figures = {"by_round": [round(one["per_second"], 1) for one in rounds]}
    for name in FIGURES:
        values = [one[name] for one in rounds if one.get(name) is not None]
        figures[name] = round(median(values), 3) if values else None
    figures["failures"] = next((one["failures"] for one in rounds if one["failures"]), None)
    return figures


def shown(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def row(name, figures):
    failed = f" (failed: {figures['failures']})" if figures["failures"] else ""
    return "| " + " | ".join([name + failed, *(shown(figures[figure]) for figure in FIGURES)]) + " |"


def markdown(result):
    """The machine, the versions and all figures."""
    machine = result["machine"]
    lines = [
        "# Figures of `bench/run --rivals`",
        "",
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_gib']} GiB, "
        f"{machine['system']}, {result['date']}. Medians of the rounds.",
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
    rounds = f"{measured['rounds']} rounds of {measured['seconds']} s"
    return f"{measured['connections']} connections, {measured['members']:,} members, {rounds}"


BAR, GAP, LEFT, WIDTH = 12, 3, 190, 520
COLOURS = {"Tenantry": "#1f6feb", "bare": "#8b949e", "pgbench": "#8b949e"}


def chart(result):
    """Requests per second of the first measurement as bars, one group for each scenario, as SVG."""
    measured = result["measured"][0]
    body, y = [], 46
    for scenario, servers in measured["scenarios"].items():
        most = max(figures["per_second"] for figures in servers.values())
        body.append(f'<text x="8" y="{y + 10}" font-weight="bold">{scenario}</text>')
        y += BAR + 2 * GAP
        for name, figures in servers.items():
            length = max(1, WIDTH * figures["per_second"] / most)
            colour = next((colour for start, colour in COLOURS.items() if name.startswith(start)), "#d29922")
            body += [
                f'<text x="{LEFT - 6}" y="{y + 10}" text-anchor="end">{name}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
                f'<text x="{LEFT + length + 5:.1f}" y="{y + 10}">{figures["per_second"]:,.0f}</text>',
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
