"""Runs the examples of README.md as they are written."""
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
ADDRESS = "http://127.0.0.1:8080"


def run_python_example(imported, server, token):
    """Runs the Python example that imports this module, with the address of a server; returns its output."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    example, = [block for block in blocks if f"from {imported} import" in block]
    assert ADDRESS in example
    command = [sys.executable, "-c", example.replace(ADDRESS, server)]
    return subprocess.run(command, env={"TOKEN": token}, check=True, capture_output=True, text=True, timeout=60).stdout
