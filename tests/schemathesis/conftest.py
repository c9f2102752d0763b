"""Prints the number of answers by status at the end, and with -v by operation too."""
from collections import Counter

answers = Counter()  # by (operation id, status)


def pytest_terminal_summary(terminalreporter):
    statuses = Counter()
    for (_, status), count in answers.items():
        statuses[status] += count
    total = ", ".join(f"{count} with {status}" for status, count in sorted(statuses.items()))
    terminalreporter.write_line(f"{len({name for name, _ in answers})} operations, "
                                f"{statuses.total()} requests answered: {total}")
    if terminalreporter.verbosity > 0:
        for (name, status), count in sorted(answers.items()):
            terminalreporter.write_line(f"  {name} {status}: {count}")
