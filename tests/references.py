#!/usr/bin/env python3
"""Checks that references in code and documents resolve. Exit status 1 with a list of those that do not.

Checked in every text file under version control:
- paths such as docs/API.md or crates/http/src: the file or directory exists (`*` matches as in a shell)
- sections such as docs/contracts/ahasend.md, 1.8 and 1.9: the file has a heading for each number
- exchanges such as tests/golden/recording.jsonl, exchange 78: the recording has that exchange
- Markdown links to files and to headings

Also checked: the table under Logs in docs/OPERATIONS.md has every message that the program logs. docs/GLOSSARY.md names every public type of the crates. The lint unreachable_pub makes sure that `pub`
means exported.
"""
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = {".rs", ".md", ".py", ".sh", ".toml", ".sql", ".go", ".mjs", ".yml", ".yaml"}
# Recorded data and lists of dependencies are no text about this repository.
SKIPPED = {"Cargo.lock", "package-lock.json", "references.py"}
PLACEHOLDERS = {"NOUN", "DIALECT", "NAME", "CRATE"}

PATH = re.compile(r"(?<![\w/.$@-])(?:docs|crates|tests|bench)/[\w.*/-]*[\w*]")
# A list of numbers can continue on the next line of a comment.
GAP = r"(?:\s|\n[ \t]*(?://[/!]?|#)[ \t]?)+"
NUMBER = r"\d+(?:\.\d+)?"
ITEM = rf"(?:{NUMBER}|appendix{GAP}[A-Z])"
LIST = rf"{ITEM}(?:(?:,{GAP}and{GAP}|,{GAP}|{GAP}and{GAP}|{GAP}to{GAP}){ITEM}(?![\w/]))*"
CITATION = re.compile(rf"(docs/contracts/[\w/-]+\.md),{GAP}({LIST})")
LINKED_CITATION = re.compile(rf"\]\(([\w./-]+\.md)\),{GAP}({LIST})")
EXCHANGE = re.compile(rf"tests/golden/recording\.jsonl,{GAP}exchanges?{GAP}({LIST})")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
PUBLIC_TYPE = re.compile(r"^ *pub (?:struct|enum|trait|type) (\w+)", re.MULTILINE)
UNIT_TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod tests \{.*", re.MULTILINE | re.DOTALL)
LOG_CALL = re.compile(r"\btracing::(?:error|warn|info|debug|trace)!\s*\(")
TEXT_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def tracked():
    """Text files under version control that exist in the work tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        is_text = path.suffix in TEXT or path.name == "ci"
        if is_text and path.name not in SKIPPED and path.is_file():
            yield path


@cache
def headings(path):
    return HEADING.findall(path.read_text("utf-8"))


@cache
def sections(path):
    """Section numbers and appendices of a file: {"1", "1.8", "appendix B"}."""
    found = set()
    for heading in headings(path):
        if match := re.match(rf"({NUMBER})[. ]", heading):
            found.add(match[1])
        if match := re.match(r"Appendix ([A-Z])\b", heading):
            found.add(f"appendix {match[1]}")
    return found


@cache
def anchors(path):
    """Anchors as Markdown renderers derive them from headings."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(path))
    return {text.replace(" ", "-") for text in kept}


@cache
def exchanges():
    lines = (ROOT / "tests/golden/recording.jsonl").read_text("utf-8").splitlines()
    return {str(json.loads(line)["n"]) for line in lines}


@cache
def exists(reference):
    if "*" in reference:
        return any(ROOT.glob(reference))
    return (ROOT / reference).exists() or is_ignored(reference)


def is_ignored(reference):
    """Whether git ignores the path, because a tool makes it."""
    return subprocess.run(["git", "check-ignore", "-q", reference], cwd=ROOT, check=False).returncode == 0


def is_pattern(reference):
    """Whether a part of the path stands for any name, as NOUN in crates/core/src/NOUN.rs."""
    return any(Path(part).stem in PLACEHOLDERS for part in Path(reference).parts)


def missing_sections(target, numbers):
    for number in re.findall(ITEM, numbers):
        number = re.sub(r"\W*\n\W*|\s+", " ", number) if number[0] == "a" else number
        if number not in sections(target):
            yield f"{target.relative_to(ROOT)} has no section {number}"


def dangling(path, text):
    """Pairs of offset and fault."""
    for match in PATH.finditer(text):
        if not is_pattern(match[0]) and not exists(match[0]):
            yield match.start(), f"{match[0]} does not exist"
    for match in CITATION.finditer(text):
        target = ROOT / match[1]
        if target.is_file():
            yield from ((match.start(), fault) for fault in missing_sections(target, match[2]))
    for match in EXCHANGE.finditer(text):
        for number in re.findall(NUMBER, match[1]):
            if number not in exchanges():
                yield match.start(), f"the recording has no exchange {number}"
    if path.suffix == ".md":
        yield from dangling_links(path, text)


def dangling_links(path, text):
    for match in LINK.finditer(CODE.sub(lambda code: " " * len(code[0]), text)):
        target = (path.parent / match[1]).resolve() if match[1] else path
        if not target.exists():
            yield match.start(), f"link to {match[1]}, which does not exist"
        elif match[2] and target.suffix == ".md" and match[2] not in anchors(target):
            yield match.start(), f"link to #{match[2]}, which {target.name} does not have"
    for match in LINKED_CITATION.finditer(text):
        target = (path.parent / match[1]).resolve()
        if target.is_file() and target.is_relative_to(ROOT / "docs/contracts"):
            yield from ((match.start(), fault) for fault in missing_sections(target, match[2]))


def unnamed_types(path, text, glossary):
    """Pairs of offset and fault: public types of a library crate that the glossary does not name."""
    parts = path.relative_to(ROOT).parts
    if path.suffix == ".rs" and parts[0] == "crates" and parts[1] != "testkit" and parts[2] == "src":
        for match in PUBLIC_TYPE.finditer(UNIT_TESTS.sub("", text)):
            if match[1] not in glossary:
                yield match.start(1), f"{match[1]} is public and not in docs/GLOSSARY.md"


def end_of_call(text, start):
    """Offset of the parenthesis that closes the one before `start`. Parentheses inside texts do not count."""
    depth, literals = 1, {match.start(): match.end() for match in TEXT_LITERAL.finditer(text, start)}
    offset = start
    while depth:
        if offset in literals:
            offset = literals[offset]
            continue
        depth += (text[offset] in "([{") - (text[offset] in ")]}")
        offset += 1
    return offset - 1


def unlisted_messages(path, text, listed):
    """Pairs of offset and fault: messages of the program's log that the table for operators does not have."""
    parts = path.relative_to(ROOT).parts
    is_program = path.suffix == ".rs" and parts[0] == "crates" and parts[1] != "testkit" and parts[2] == "src"
    if not is_program or path.name == "tests.rs":
        return
    text = UNIT_TESTS.sub("", text)
    for match in LOG_CALL.finditer(text):
        texts = TEXT_LITERAL.findall(text, match.end(), end_of_call(text, match.end()))
        message = re.sub(r"\\\n\s*", "", texts[-1]) if texts else "a message that is no text"
        if f"`{message}`" not in listed:
            yield match.start(), f"docs/OPERATIONS.md does not list the log message `{message}`"


def log_table():
    return (ROOT / "docs/OPERATIONS.md").read_text("utf-8").split("\n## Logs\n")[1].split("\n## ")[0]


def main():
    faults = []
    listed = log_table()
    glossary = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]*`", (ROOT / "docs/GLOSSARY.md").read_text("utf-8")))))
    for path in tracked():
        text = path.read_text("utf-8")
        for offset, fault in [*dangling(path, text), *unnamed_types(path, text, glossary),
                              *unlisted_messages(path, text, listed)]:
            line = text.count("\n", 0, offset) + 1
            faults.append(f"{path.relative_to(ROOT)}:{line}: {fault}")
    for fault in dict.fromkeys(faults):
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
