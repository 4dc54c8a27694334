/* vstackfs salvage --from DIR [--from DIR ...] --into DIR: metadata from the records of the stores
 * alone (meta/salvage.h). Exit code 0: all is back. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include "meta/salvage.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct salvage_args {
    const char *from[STORE_SET_MAX];
    unsigned from_count;
    const char *into, *id;
    bool dry_run, json;
    struct vs_json *told; /* with --json */
};

static bool flag_value(int argc, char **argv, int *i, const char *flag, const char **ret)
{
    size_t len = strlen(flag);

    if (strcmp(argv[*i], flag) == 0 && *i + 1 < argc)
        *ret = argv[++*i];
    else if (strncmp(argv[*i], flag, len) == 0 && argv[*i][len] == '=')
        *ret = argv[*i] + len + 1;
    else
        return false;
    return true;
}

static bool salvage_parse(struct salvage_args *a, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *from = NULL;

        if (flag_value(argc, argv, &i, "--from", &from) ||
            (a->from_count > 0 && argv[i][0] != '-')) {
            if (a->from_count == STORE_SET_MAX)
                return cli_fail("more than %u directories", STORE_SET_MAX), false;
            a->from[a->from_count++] = from != NULL ? from : argv[i];
        } else if (flag_value(argc, argv, &i, "--into", &a->into) ||
                   flag_value(argc, argv, &i, "--id", &a->id)) {
            continue;
        } else if (strcmp(argv[i], "--dry-run") == 0) {
            a->dry_run = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            a->json = true;
        } else {
            cli_fail("%s: unknown, or its value is missing; see vstackfs salvage --help", argv[i]);
            return false;
        }
    }
    if (a->id != NULL && cli_replica(a->id) == 0)
        return false;
    if (a->from_count == 0 || a->into == NULL) {
        cli_fail("salvage --from DIR ... --into DIR: give the directories of the stores, and one "
                 "for the metadata (DATA/meta of the mount)");
        return false;
    }
    return true;
}

static void salvage_said(void *arg, enum salvage_word word, const char *text)
{
    static const char *const words[] = {
        [SALVAGE_INFO] = "", [SALVAGE_CHANGED] = "changed: ", [SALVAGE_LOST] = "LOST: "
    };
    struct salvage_args *a = arg;

    if (!a->json) {
        printf("  %s", words[word]);
        cli_put(text);
        putchar('\n');
        fflush(stdout);
    } else if (word != SALVAGE_INFO) {
        struct vs_json *j = vs_json_object();

        vs_json_set_text(j, "word", word == SALVAGE_LOST ? "lost" : "changed");
        vs_json_set_text(j, "text", text);
        vs_json_add(a->told, j);
    }
}

static void salvage_print_json(struct salvage_args *a, const struct salvage_result *r)
{
    struct vs_json *j = vs_json_object();
    VS_AUTO_FREE char *text = NULL;

    vs_json_set_bool(j, "all_back", r->lost == 0);
    vs_json_set_bool(j, "dry_run", a->dry_run);
    vs_json_set_text(j, "into", a->into);
    vs_json_set_u64(j, "stores", r->stores);
    vs_json_set_u64(j, "fragments", r->fragments);
    vs_json_set_u64(j, "damaged_records", r->damaged);
    vs_json_set_bool(j, "copy", r->has_copy);
    vs_json_set_u64(j, "copy_made_s", (uint64_t)(r->copy_ns / 1000000000));
    vs_json_set_u64(j, "as_of_s", (uint64_t)(r->as_of_ns / 1000000000));
    vs_json_set_u64(j, "tail_records", r->tail_records);
    vs_json_set_u64(j, "files_with_chunks", r->files);
    vs_json_set_u64(j, "small_files", r->small_files);
    vs_json_set_u64(j, "directories", r->directories);
    vs_json_set_u64(j, "chunks", r->chunks);
    vs_json_set_u64(j, "chunks_degraded", r->chunks_degraded);
    vs_json_set_u64(j, "newer_than_copy", r->newer);
    vs_json_set_u64(j, "removed_after_copy", r->deleted);
    vs_json_set_u64(j, "lost", r->lost);
    vs_json_set(j, "told", a->told);
    a->told = NULL;
    text = vs_json_print(j, true);
    if (text != NULL)
        puts(text);
    vs_json_free(j);
}

static void salvage_print(const struct salvage_args *a, const struct salvage_result *r)
{
    time_t made = (time_t)(r->as_of_ns / 1000000000);
    char when[64] = "";
    struct tm tm;

    if (r->has_copy && gmtime_r(&made, &tm) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("%llu files with chunks (%llu of them newer than the copy), %llu small files, %llu "
           "folders",
           (unsigned long long)r->files, (unsigned long long)r->newer,
           (unsigned long long)r->small_files, (unsigned long long)r->directories);
    if (r->has_copy)
        printf("; names, small files and folders as of %s", when);
    printf("\n%llu chunks, %llu of them with fewer fragments than they should have\n",
           (unsigned long long)r->chunks, (unsigned long long)r->chunks_degraded);
    if (a->dry_run)
        printf("nothing was made (--dry-run)\n");
    else
        printf("%s is ready: mount it as before; nothing is removed from the stores until you say "
               "vstackfs gc --yes\n",
               a->into);
}

/* The exit code. */
static int salvage_told(struct salvage_args *a, const struct salvage_result *r)
{
    if (a->json)
        salvage_print_json(a, r);
    else
        salvage_print(a, r);
    if (r->lost == 0)
        return 0;
    return a->json ? 1 : cli_fail("%llu losses: see above", (unsigned long long)r->lost);
}

int cli_salvage(int argc, char **argv)
{
    struct salvage_args a = { .into = NULL };
    struct salvage_config config = { .say = salvage_said, .arg = &a };
    struct salvage_result result;
    char why[SALVAGE_WHY_BYTES];
    int locks[STORE_SET_MAX], lock_count = 0, r = 0;

    if (!salvage_parse(&a, argc, argv))
        return 1;
    for (unsigned i = 0; r == 0 && i < a.from_count; i++) {
        locks[lock_count] = cli_lock_data(a.from[i]);
        if (locks[lock_count] == CLI_LOCK_TAKEN)
            r = 1;
        lock_count += locks[lock_count] >= 0;
    }
    if (r == 0) {
        a.told = vs_json_array();
        config.dirs = a.from;
        config.dir_count = a.from_count;
        config.into = a.into;
        config.id = a.id != NULL ? cli_replica(a.id) : 0;
        config.dry_run = a.dry_run;
        r = salvage_run(&config, &result, why) < 0 ? cli_fail("%s", why)
                                                   : salvage_told(&a, &result);
        vs_json_free(a.told);
    }
    while (lock_count > 0)
        close(locks[--lock_count]);
    return r;
}
