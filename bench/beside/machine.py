"""The machine, and what processes use of it, from /proc."""
import os
import platform
import re
import subprocess
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def first_line(*command):
    """The first line that a command prints, such as its version."""
    output = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return (output.stdout + output.stderr).strip().split("\n")[0]


def description():
    """Processor, memory and system."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "processor": processor[1] if processor else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 1024 / 1024),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def stat(pid):
    """The fields of /proc/PID/stat after the name, or None when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def tree(root):
    """A process and its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(roots):
    """The processor time of process trees so far, with that of descendants that have ended."""
    ticks = 0
    for root in roots:
        for pid in tree(root):
            if fields := stat(pid):
                ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def memory_mib(root):
    """The memory of a process tree in MiB; a page that processes share counts once."""
    kib = 0
    for pid in tree(root):
        try:
            kib += int(re.search(r"^Pss:\s*(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[1])
        except (OSError, TypeError):
            continue  # it has ended
    return kib / 1024


def resident_mib(pid):
    """The resident memory of one process in MiB."""
    return int(re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024
