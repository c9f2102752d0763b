"""The example of README.md."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
from readme import run_python_example  # noqa: E402


def test_the_example_of_the_readme(server, organization):
    token = server.cli.create_token(organization["id"])["token"]
    assert run_python_example("polar.v2026_10", server.base, token) == f"{organization['slug']}\n"
