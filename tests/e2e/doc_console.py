#!/usr/bin/env python3
"""Runs the examples of a document and compares what they print.

    doc_console.py FILE [WORD]     in the current directory, with the environment as it is

An example is a block ```console, or with a WORD ```console WORD: lines that begin with "$ " are commands, run one after the other in
one bash; the lines below a command are its output (standard output and error). A line "..." stands
for any lines. Exit code 1 at the first command that prints something else."""

import re
import subprocess
import sys


FENCE = " ".join(["```console"] + sys.argv[2:3])


def blocks(path):
    block = None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line == FENCE:
                block = []
            elif line == "```" and block is not None:
                yield block
                block = None
            elif block is not None:
                block.append((number, line))


def examples(path):
    """(line number, command, expected lines)"""
    for block in blocks(path):
        current = None
        for number, line in block:
            if line.startswith("$ "):
                if current:
                    yield current
                current = (number, line[2:], [])
            elif current:
                current[2].append(line)
        if current:
            yield current


def pattern(lines):
    parts = [r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in lines]
    return re.compile("".join(parts))


END = "--- end of command ---"
shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, bufsize=1)
count = 0
for number, command, expected in examples(sys.argv[1]):
    shell.stdin.write("%s\necho; echo '%s'\n" % (command, END))
    shell.stdin.flush()
    said = []
    for line in shell.stdout:
        line = line.rstrip("\n")
        if line == END:
            break
        said.append(line.rstrip("\r"))
    said = said[:-1]  # the echo before the end
    text = "".join(line + "\n" for line in said)
    if not pattern(expected).fullmatch(text):
        print("%s:%d: $ %s\nprinted:\n%sexpected:\n%s" % (sys.argv[1], number, command, text,
                                                        "\n".join(expected)))
        sys.exit(1)
    count += 1
print("%d examples" % count)
sys.exit(0 if count else 1)
