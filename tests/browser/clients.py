"""The published Python client as a program of its own: its packages are not those of the browser suite."""
import os
import subprocess

from harness import TESTS

PYTHON = TESTS / ".cache/venv/bin/python"
COUNT_CUSTOMERS = """
import os
from polar_sdk import Polar
with Polar(access_token=os.environ["TOKEN"], server_url=os.environ["SERVER"]) as polar:
    print(polar.customers.list().result.pagination.total_count)
"""


def run_sdk(server, token):
    """Counts the customers that a token sees. Returns the finished program."""
    environment = {"PATH": os.environ["PATH"], "TOKEN": token, "SERVER": server.base}
    return subprocess.run([PYTHON, "-c", COUNT_CUSTOMERS], env=environment, check=False, capture_output=True, text=True,
                          timeout=60)


def customers_by_sdk(server, token):
    """Returns how many customers a token sees."""
    ended = run_sdk(server, token)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)
