/* conf: values from command lines and configuration, with their ranges and units; one parser of
 * each for the whole program.
 *
 *   size      bytes, or with K, M, G, T (1024): "64M"
 *   number    decimal
 *
 * A program describes its flags by a table; conf_flags() fills in the values and makes the sentence
 * when one is wrong. Both "--flag VALUE" and "--flag=VALUE" are taken.
 *
 * Pure. Threads: any. */
#ifndef VS_COMMON_CONF_H
#define VS_COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_WHY_BYTES 256
#define CONF_FLAGS_MAX 32

/* Bytes or with K, M, G, T. -EINVAL; -ERANGE beyond 2^63. */
int vs_conf_size(const char *text, uint64_t *ret);
/* Digits only, min .. max. -EINVAL, -ERANGE. */
int vs_conf_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

enum conf_kind {
    CONF_TEXT,   /* const char **: borrowed from argv */
    CONF_UUID,   /* the same, of 32 hex digits, not all 0 */
    CONF_SIZE,   /* uint64_t *, min .. max bytes */
    CONF_NUMBER, /* uint64_t *, min .. max */
    CONF_SWITCH, /* bool *, no value */
};

struct conf_flag {
    const char *name; /* with its dashes */
    enum conf_kind kind;
    void *value;
    uint64_t min, max;
    const char *unit; /* for the sentence: "percent", "bytes"; or NULL */
    bool required;
};

/* Fill in the values of argv[0 .. argc) (without the program's name). Every flag at most once,
 * nothing but flags. -EINVAL: `why` is a sentence that names the flag. */
int vs_conf_flags(const struct conf_flag *flags, unsigned count, int argc, char **argv,
                  char why[CONF_WHY_BYTES]);

#endif
