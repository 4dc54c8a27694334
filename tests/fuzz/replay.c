/* The corpus of a fuzz target as a plain test: every file of tests/fuzz/corpus/TARGET goes through
 * the target once, and its end is the beginning of the next. Linked with each fuzz_*.c; TARGET is
 * the name of the program. Run from the root of the tree; output is TAP.
 *
 * Happy path: the target returns. Failure modes: what it does not like aborts the program, and the
 * tests announced and not heard of have failed. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX   10000
#define BYTES_MAX   (16u << 20)
#define CORPUS_PATH "tests/fuzz/corpus"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int no_dots(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* 0 when the file was read and the target came back. */
static int replay(const char *path)
{
    uint8_t *bytes = malloc(BYTES_MAX), *exact = NULL;
    FILE *f = fopen(path, "rb");
    size_t size;
    int r = 1;

    if (bytes != NULL && f != NULL) {
        size = fread(bytes, 1, BYTES_MAX, f);
        exact = malloc(size > 0 ? size : 1); /* so that a byte too far is seen by a sanitizer */
        if (exact != NULL && !ferror(f)) {
            memcpy(exact, bytes, size);
            r = LLVMFuzzerTestOneInput(exact, size);
        }
    }
    if (f != NULL)
        fclose(f);
    free(exact);
    free(bytes);
    return r;
}

int main(int argc, char **argv)
{
    const char *target = strrchr(argv[0], '/');
    char dir[PATH_MAX], path[PATH_MAX];
    struct dirent **names = NULL;
    int count, red = 0;

    (void)argc;
    target = target != NULL ? target + 1 : argv[0];
    snprintf(dir, sizeof(dir), CORPUS_PATH "/%s", target);
    count = scandir(dir, &names, no_dots, alphasort);
    printf("1..%d\n", count > 0 ? count + 1 : 1);
    for (int i = 0; i < count; i++) {
        int n = snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        int r = n > 0 && (size_t)n < sizeof(path) && i < FILES_MAX ? replay(path) : 1;

        printf("%sok %d - %s\n", r == 0 ? "" : "not ", i + 1, names[i]->d_name);
        fflush(stdout);
        red |= r != 0;
        free(names[i]);
    }
    free(names);
    if (count <= 0) {
        printf("not ok 1 - %s holds nothing to replay\n", dir);
        return 1;
    }
    red |= LLVMFuzzerTestOneInput((const uint8_t *)"", 0) != 0; /* an empty input is one, too */
    printf("%sok %d - (empty)\n", red ? "not " : "", count + 1);
    return red;
}
