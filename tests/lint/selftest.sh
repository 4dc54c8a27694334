#!/usr/bin/env bash
# A check that cannot fail is a defect: one bad tree per rule of lint.py, and a good one.
# shellcheck disable=SC2016  # back quotes of Markdown, not of the shell
set -euo pipefail
lint=$(dirname "$(realpath "$0")")/lint.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
bad=0

good_tree() {
    rm -rf "$tree"
    mkdir -p "$tree/common" "$tree/node"
    cat >"$tree/ARCHITECTURE.md" <<'MD'
# Rooms
## common/
| file | marks | room |
|---|---|---|
| `word` | [P] pure | a word |
| `tool` | [P] | a tool |
| `own.h` | | private |
## node/
| file | marks | room |
|---|---|---|
| `sum` | pure | a sum |
MD
    local path
    for path in common/word common/tool node/sum; do
        local guard=VS_${path^^}_H
        guard=${guard//\//_}
        printf '/* %s. */\n#ifndef %s\n#define %s\n\n#include <stdint.h>\n\n#endif\n' \
            "$path" "$guard" "$guard" >"$tree/$path.h"
        printf '/* %s. */\n#include "%s.h"\n\nint %s(void)\n{\n    return 0;\n}\n' \
            "$path" "$path" "$(basename "$path")" >"$tree/$path.c"
    done
    printf '/* private. */\n#ifndef VS_COMMON_OWN_H\n#define VS_COMMON_OWN_H\n#endif\n' \
        >"$tree/common/own.h"
    echo 'common_SRCS += common/word.c common/tool.c' >"$tree/common/module.mk"
    echo 'node_SRCS += node/sum.c' >"$tree/node/module.mk"
}

# says RULE FILE: lint has a finding of that rule in that file, and no other.
says() {
    local rule=$1 file=$2 out
    if out=$("$lint" "$tree"); then
        echo "selftest: $rule: nothing was found in the bad tree for $file"
        bad=1
    elif ! grep -q "^$file:[0-9]*: $rule: " <<<"$out" || grep -qv "^$file:[0-9]*: $rule: " <<<"$out"; then
        echo "selftest: $rule: expected for $file, got:"
        echo "$out"
        bad=1
    fi
    good_tree
}

# append FILE TEXT...: lines at the end of a file of the tree
append() {
    local file=$1
    shift
    printf '%s\n' "$@" >>"$tree/$file"
}

# times N TEXT: the line N times
times() {
    local i
    for ((i = 0; i < $1; i++)); do
        echo "$2"
    done
}

good_tree
"$lint" "$tree" || { echo "selftest: the good tree has findings"; bad=1; }

append common/tool.c '#include "node/sum.h"'; says order common/tool.c
append common/tool.c '#include "tool.h"'; says include common/tool.c
append node/sum.c '#include "common/own.h"'
sed -i 's/`own.h` | |/`own.h` | pure |/' "$tree/ARCHITECTURE.md"; says public node/sum.c
append node/sum.c '#include "common/tool.h"'; says pure node/sum.c
append node/sum.c '#include <pthread.h>'; says pure node/sum.c
append node/sum.c 'int f(void);' 'int f(void)' '{' '    return printf("x");' '}'; says pure node/sum.c
sed -i '1s/.*/\/* A tool. Pure. *\//' "$tree/common/tool.h"; says pure common/tool.h
append common/tool.c '#include <rocksdb/c.h>'; says door common/tool.c
append common/tool.c '#include <curl/curl.h>'; says door common/tool.c
append common/tool.c 'int f(char *a)' '{' '    strcpy(a, "x");' '}'; says banned common/tool.c
append common/tool.c 'int f(void)' '{' '    return rand();' '}'; says banned common/tool.c
append common/tool.c 'int f(void)' '{' '    return time(0);' '}'; says banned common/tool.c
append common/tool.c 'int f(void *p)' '{' '    return pthread_create(p, 0, 0, 0);' '}'
says banned common/tool.c
append common/tool.c 'int f(void)' '{' '    return system("ls");' '}'; says banned common/tool.c
times 195 'int x;' >>"$tree/common/tool.h"; says length common/tool.h
times 600 'int x;' >>"$tree/common/tool.c"; says length common/tool.c
{ echo '/* main. */'; times 250 'int x;'; } >"$tree/common/tool_main.c"
sed -i 's/`tool`/`tool` `tool_main.c`/' "$tree/ARCHITECTURE.md"
append common/module.mk 'tool_SRCS = common/tool_main.c'; says length common/tool_main.c
{ printf 'int f(void)\n{\n'; times 69 '    g();'; echo '}'; } >>"$tree/common/tool.c"
says length common/tool.c
append common/tool.c "/* $(printf 'x%.0s' {1..100}) */"; says length common/tool.c
sed -i 1d "$tree/common/tool.c"; says comment common/tool.c
sed -i '/#define/d' "$tree/common/tool.h"; says guard common/tool.h
append common/tool.c "/* TO""DO later */"; says marker common/tool.c
append common/tool.c 'int x; '; says text common/tool.c
append common/module.mk ''; says text common/module.mk
printf '/* no newline */' >>"$tree/common/tool.c"; says text common/tool.c
printf '\r\n' >>"$tree/common/module.mk"; says text common/module.mk
printf '/* new */\n' >"$tree/common/new.c"
append common/module.mk 'common_SRCS += common/new.c'; says rooms common/new.c
sed -i 's/`word`/`word` `gone`/' "$tree/ARCHITECTURE.md"; says rooms ARCHITECTURE.md
sed -i 's/`word`/`word` `word.h`/' "$tree/ARCHITECTURE.md"; says rooms ARCHITECTURE.md
sed -i 's/common\/tool.c//; s/ $//' "$tree/common/module.mk"; says module common/tool.c
touch "$tree/notes.txt"; says root notes.txt

exit $bad
