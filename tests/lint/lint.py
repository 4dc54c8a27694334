#!/usr/bin/env python3
"""Checks the rules of the house over one source tree; prints "path:line: rule: sentence" each.

    tests/lint/lint.py [ROOT]          exit code 0 = no finding, 1 = findings

The marks of a file (public, pure) come from the tables of rooms in ARCHITECTURE.md, so that the
map people read is the map that is enforced. Which file may include a library: doors.txt.
clang-format and shellcheck are run by run.sh; selftest.sh feeds this program one bad tree per rule.
"""

import os
import re
import sys

FOLDERS = ["fs", "ingest", "meta", "node", "sched", "common"]  # each may include those after it
ROOT_MAY_HOLD = set(FOLDERS) | {
    "Makefile", "README.md", "ARCHITECTURE.md", "HACKING.md", "LICENSE", ".clang-format",
    ".gitignore", ".ci", ".git", "build", "tests", "mount-examples", "docs", "bench",
}
LINES_MAX_H, LINES_MAX_C, LINES_MAX_MAIN, LINES_MAX_FUNCTION, COLUMNS_MAX = 200, 600, 250, 70, 100

# Headers of libraries: prefix -> the name doors.txt knows the library by.
LIBRARIES = {
    "rocksdb/": "rocksdb", "curl/": "curl", "microhttpd": "microhttpd", "cJSON": "cjson",
    "cjson/": "cjson", "isa-l": "isa-l", "openssl/": "openssl", "libavformat/": "libav",
    "libavcodec/": "libav", "libavutil/": "libav", "seccomp": "seccomp", "linux/landlock": "seccomp",
    "fuse": "fuse", "gnutls/": "gnutls",
}
# What a pure file may include from the system: no sockets, files, threads, clock.
PURE_SYSTEM = {
    "assert.h", "ctype.h", "endian.h", "errno.h", "fnmatch.h", "inttypes.h", "limits.h", "math.h",
    "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
    "stdlib.h", "string.h", "strings.h", "sys/types.h", "sys/stat.h", "uthash.h",
}
PURE_CALLS = re.compile(
    r"(?<![\w.>])(f?printf|puts|putchar|perror|fopen|fread|fwrite|popen|getenv|stat|lstat|fstat|mkdir|chmod|"
    r"vs_now_ns|vs_real_ns|vs_log|vs_error|vs_warn|vs_info|vs_debug|vs_exec_\w+)\s*\(")
# Words only; what they name may not be called. isa-l and OpenSSL are arithmetic here.
PURE_MAY_INCLUDE = {"common/cleanup.h", "common/clock.h"}
PURE_LIBRARIES = {"isa-l", "openssl"}

BANNED = {
    r"strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|alloca|strtok|stpcpy":
        "has no bound or no error; use snprintf, strtol, memcpy with a length",
}
BANNED_OUTSIDE = [  # of the files named, and of tests/
    (r"rand|srand|random|srandom|rand_r|drand48|getrandom|arc4random|getentropy", {"common/rand.c"},
     "randomness comes from common/rand.h"),
    (r"time|gettimeofday|clock_gettime|ftime|clock", {"common/clock.c"},
     "time comes from common/clock.h"),
    (r"pthread_create|pthread_cond_timedwait|pthread_condattr_setclock", {"common/thread.c"},
     "threads, and waiting until a time, come from common/thread.h"),
    (r"system|popen", set(), "no shell from programs; use posix_spawn, or fork and exec"),
]

findings = []


def report(path, line, rule, sentence):
    findings.append((path, line, rule, sentence))


def blank_comments_and_strings(text, keep_strings=False):
    """The same text, same line numbers, with comments (and strings) replaced by blanks."""
    def blank(match):
        word = match.group(0)
        if word[0] in "\"'" and keep_strings:
            return word
        return re.sub(r"[^\n]", " ", word)
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text,
                  flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


# ---- the map: rooms of ARCHITECTURE.md, doors ---------------------------------------------------

class Rooms:
    """Marks by file. A row of a table under a heading "## folder/": | `file` `file` | marks | room |.
    A name without extension stands for its .h and .c."""

    def __init__(self, root):
        self.marks = {}  # "common/err" or "meta/kv.h" -> set of marks
        path = os.path.join(root, "ARCHITECTURE.md")
        folder = None
        if not os.path.exists(path):
            report("ARCHITECTURE.md", 1, "rooms", "is missing; the table of rooms is there")
            return
        with open(path, encoding="utf-8") as f:
            for line in f:
                heading = re.match(r"#+ +`?([a-z]+)/`?", line)
                if line.startswith("#"):
                    folder = heading.group(1) if heading else None
                cells = [c.strip() for c in line.strip().strip("|").split("|")]
                if folder not in FOLDERS or not line.startswith("| `") or len(cells) < 3:
                    continue
                for name in re.findall(r"`([^`]+)`", cells[0]):
                    if f"{folder}/{name}" in self.marks:
                        report("ARCHITECTURE.md", 1, "rooms", f"names {folder}/{name} twice")
                    self.marks[folder + "/" + name] = set(cells[1].replace(",", " ").split())

    def of(self, path):
        """Marks of a file, or None when it has no room."""
        if path in self.marks:
            return self.marks[path]
        return self.marks.get(re.sub(r"\.[ch]$", "", path))

    def check_stale(self, files):
        for name in self.marks:
            if name.endswith((".c", ".h")) and name[:-2] in self.marks:
                report("ARCHITECTURE.md", 1, "rooms", f"names {name} twice")
            if name not in files and name + ".c" not in files and name + ".h" not in files:
                report("ARCHITECTURE.md", 1, "rooms", f"names {name}, which does not exist")


def load_doors():
    doors = {}
    with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "doors.txt")) as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                doors.setdefault(words[0], set()).update(words[1:])
    return doors


# ---- C sources -----------------------------------------------------------------------------------

def library_of(header):
    for prefix, name in LIBRARIES.items():
        if header.startswith(prefix):
            return name
    return None


def check_own_include(path, line, header, rooms, files):
    folder, target = path.split("/")[0], header.split("/")[0]
    if header not in files:
        report(path, line, "include", f'"{header}" does not exist from the root of the tree')
        return
    if folder in ("tests", "bench"):
        return
    if target == "tests":
        report(path, line, "include", f"{folder}/ may not include from tests/")
        return
    if folder in FOLDERS and target in FOLDERS and folder != target:
        if FOLDERS.index(target) < FOLDERS.index(folder):
            report(path, line, "order", f"{folder}/ may not include {target}/; the order is "
                   + " -> ".join(FOLDERS))
        elif "[P]" not in (rooms.of(header) or ()):
            report(path, line, "public", f"{header} is not marked [P] in ARCHITECTURE.md; only "
                   f"{target}/ and tests/ may include it")


def check_includes(path, text, rooms, doors, files):
    pure = "pure" in (rooms.of(path) or ())
    code = blank_comments_and_strings(text, keep_strings=True)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', code, re.M):
        line, own, header = line_of(code, match.start()), match.group(1) == '"', match.group(2)
        if own:
            check_own_include(path, line, header, rooms, files)
            if pure and header not in PURE_MAY_INCLUDE and "pure" not in (rooms.of(header) or ()):
                report(path, line, "pure", f"is pure, and {header} is not marked so")
            continue
        library = library_of(header)
        if library and path not in doors.get(library, ()) and not path.startswith("tests/"):
            report(path, line, "door", f"<{header}> is included only by "
                   + (" ".join(sorted(doors.get(library, ()))) or "nobody"))
        if pure and header not in PURE_SYSTEM and library not in PURE_LIBRARIES:
            report(path, line, "pure", f"is pure, and may not include <{header}>")


def check_calls(path, code, pure):
    in_tests = path.startswith("tests/")
    rules = list(BANNED.items())
    if not in_tests:
        rules += [(names, sentence) for names, where, sentence in BANNED_OUTSIDE
                  if path not in where]
    for names, sentence in rules:
        for match in re.finditer(r"(?<![\w.>])(" + names + r")\s*\(", code):
            report(path, line_of(code, match.start()), "banned", f"{match.group(1)}(): {sentence}")
    if pure:
        for match in PURE_CALLS.finditer(code):
            report(path, line_of(code, match.start()), "pure",
                   f"is pure, and may not call {match.group(1)}()")


def check_lengths(path, text, code):
    lines = text.count("\n")
    limit = LINES_MAX_H if path.endswith(".h") else LINES_MAX_C
    if path.endswith("_main.c"):
        limit = LINES_MAX_MAIN
    if lines > limit:
        report(path, lines, "length", f"has {lines} lines; {limit} are allowed. Split by concept")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > COLUMNS_MAX:
            report(path, number, "length", f"has {len(line)} columns; {COLUMNS_MAX} are allowed")
    start = None
    for number, line in enumerate(code.split("\n"), 1):
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start:
            if number - start + 1 > LINES_MAX_FUNCTION:
                report(path, start, "length", f"this function has {number - start + 1} lines; "
                       f"{LINES_MAX_FUNCTION} are allowed")
            start = None


def check_shape(path, text, rooms):
    if not text.startswith("/*"):
        report(path, 1, "comment", "begins without a comment that says what the file is for")
    if path.endswith(".h"):
        guard = "VS_" + re.sub(r"[^A-Z0-9]", "_", path.upper())
        guards = {guard}
        if path.startswith("tests/support/"):
            guards.add(guard.replace("TESTS_SUPPORT_", "TESTS_"))
        if not any(f"#ifndef {g}\n#define {g}\n" in text for g in guards):
            report(path, 1, "guard", f"needs the include guard {guard}")
        first = re.match(r"/\*.*?\*/", text, re.S)
        claims = first and re.search(r"(^|[ *])Pure[.;]", first.group(0))
        if claims and path.split("/")[0] in FOLDERS and "pure" not in (rooms.of(path) or ()):
            report(path, 1, "pure", "says it is pure; mark it so in ARCHITECTURE.md")
    for match in re.finditer(r"\b(TODO|FIXME|XXX|HACK)\b", text):
        report(path, line_of(text, match.start()), "marker",
               f"{match.group(1)}: the only marker is NEEDSWORK, with a reason")


def check_c(path, text, rooms, doors, files):
    code = blank_comments_and_strings(text)
    pure = "pure" in (rooms.of(path) or ())
    if path.split("/")[0] in FOLDERS and rooms.of(path) is None:
        report(path, 1, "rooms", "has no room in the tables of ARCHITECTURE.md")
    check_includes(path, text, rooms, doors, files)
    check_calls(path, code, pure)
    check_lengths(path, text, code)
    check_shape(path, text, rooms)


# ---- every file ----------------------------------------------------------------------------------

def check_text(path, text):
    if "\r" in text:
        report(path, 1, "text", "has carriage returns")
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            report(path, number, "text", "ends with white space")
    if text and not text.endswith("\n"):
        report(path, text.count("\n") + 1, "text", "the last line has no newline")
    if text.endswith("\n\n"):
        report(path, text.count("\n"), "text", "ends with empty lines")


def check_listed(root, files):
    """A source that no module.mk names is not built, and nobody would notice."""
    for folder in FOLDERS:
        module = f"{folder}/module.mk"
        listed = ""
        if module in files:
            with open(os.path.join(root, module), encoding="utf-8") as f:
                listed = f.read()
        for path in files:
            if path.startswith(folder + "/") and path.endswith(".c"):
                if not re.search(r"(^|\s)" + re.escape(path) + r"(\s|$)", listed):
                    report(path, 1, "module", f"is not listed in {module}, so it is not built")


def files_below(root):
    found = set()
    for folder, names, leaves in os.walk(root):
        inside = os.path.relpath(folder, root)
        if inside == ".":
            names[:] = [n for n in names if n not in (".git", "build")]
            inside = ""
        names[:] = [n for n in names if n != "__pycache__"]
        found.update(os.path.join(inside, leaf) for leaf in leaves)
    return found


def main():
    root = os.path.realpath(sys.argv[1] if len(sys.argv) > 1 else ".")
    for name in sorted(os.listdir(root)):
        if name not in ROOT_MAY_HOLD:
            report(name, 1, "root", "does not belong in the root folder")
    files = files_below(root)
    rooms, doors = Rooms(root), load_doors()
    rooms.check_stale(files)
    check_listed(root, files)
    for path in sorted(files):
        with open(os.path.join(root, path), "rb") as f:
            data = f.read()
        if b"\0" in data or "/corpus/" in path or path == ".git":
            continue
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            report(path, 1, "text", "is not UTF-8")
            continue
        check_text(path, text)
        if path.endswith((".c", ".h")):
            check_c(path, text, rooms, doors, files)
    for path, line, rule, sentence in sorted(findings):
        print(f"{path}:{line}: {rule}: {sentence}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
