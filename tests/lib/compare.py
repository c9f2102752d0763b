"""Compares the values that a test expects with those that it finds."""
from collections import Counter


def differences(subject, expected, found):
    """Yields how two lists differ. The order does not matter, the number of times a value occurs does."""
    expected, found = Counter(expected), Counter(found)
    for word, difference in (("missing", expected - found), ("too many", found - expected)):
        if difference:
            yield f"{subject}: {difference.total()} {word}, such as {next(iter(difference))}"
