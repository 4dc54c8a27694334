/* mount_options: see the header. */
#include "fs/mount_options.h"
#include "common/cleanup.h"
#include "common/cluster_file.h"
#include "common/conf.h"
#include "common/err.h"
#include "fs/cluster_mounts.h"
#include "fs/mount_lease.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int mount_parse_size(const char *text, uint64_t *ret)
{
    return vs_conf_size(text, ret) < 0 ? -EINVAL : 0;
}

static int mount_parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    int r = mount_parse_size(text, ret);

    return r == 0 && *ret > max ? -EINVAL : r;
}

/* An absolute copy of a path, kept in o->text. The path need not exist. */
static const char *mount_absolute(struct mount_options *o, const char *path)
{
    char *text = NULL, *real;

    if (o->text_count == sizeof(o->text) / sizeof(o->text[0]))
        return NULL;
    real = realpath(path, NULL);
    if (real != NULL) {
        text = real;
    } else if (path[0] == '/') {
        text = strdup(path);
    } else {
        VS_AUTO_FREE char *cwd = getcwd(NULL, 0);

        if (cwd == NULL || asprintf(&text, "%s/%s", cwd, path) < 0)
            text = NULL;
    }
    if (text != NULL)
        o->text[o->text_count++] = text;
    return text;
}

static bool mount_opt_is(const char *opt, const char *name, const char **value)
{
    size_t n = strlen(name);

    if (strncmp(opt, name, n) != 0 || opt[n] != '=')
        return false;
    *value = opt + n + 1;
    return true;
}

static int mount_taken(struct vsfs_options *fs, const char *value)
{
    if (strcmp(value, "keep-both") == 0)
        fs->taken = NS_TAKEN_KEEP_BOTH;
    else if (strcmp(value, "replace") == 0)
        fs->taken = NS_TAKEN_REPLACE;
    else if (strcmp(value, "refuse") == 0)
        fs->taken = NS_TAKEN_REFUSE;
    else
        return -EINVAL;
    return 0;
}

/* Ours, with a value: 0, -EINVAL, or -ENOENT when it is none of ours. */
static int mount_opt_ours(struct mount_options *o, const char *opt)
{
    const char *v;
    uint64_t n = 0;
    int r;

    if (mount_opt_is(opt, "taken", &v))
        return mount_taken(&o->fs, v);
    if (mount_opt_is(opt, "alias", &v)) {
        r = mount_parse_number(v, 3600, &n);
        o->fs.alias_s = (unsigned)n;
    } else if (mount_opt_is(opt, "lease", &v)) {
        r = mount_parse_number(v, LEASE_LAPSE_S_MAX, &n);
        if (n < LEASE_LAPSE_S_MIN)
            r = -EINVAL;
        o->fs.lease_s = (unsigned)n;
    } else if (mount_opt_is(opt, "staging", &v)) {
        r = mount_parse_size(v, &o->fs.staging_bytes_max);
    } else if (mount_opt_is(opt, "cache", &v)) {
        r = mount_parse_size(v, &n);
        o->fs.cache_bytes = n;
    } else if (mount_opt_is(opt, "write-buffer", &v)) {
        r = mount_parse_size(v, &n);
        if (n < (32u << 20))
            r = -EINVAL;
        o->fs.write_bytes = n;
    } else if (mount_opt_is(opt, "data", &v)) {
        o->fs.data_dir = mount_absolute(o, v);
        r = o->fs.data_dir != NULL ? 0 : -ENOMEM;
    } else if (mount_opt_is(opt, "cluster", &v)) {
        o->fs.cluster_file = mount_absolute(o, v);
        r = o->fs.cluster_file != NULL ? 0 : -ENOMEM;
    } else {
        r = -ENOENT;
    }
    return r;
}

/* Of mount(8) and the kernel: 0 or -ENOENT. */
static int mount_opt_kernel(struct mount_options *o, const char *opt)
{
    static const char *const pass[] = { "nosuid",  "nodev",    "noexec",  "suid", "dev",  "exec",
                                        "noatime", "relatime", "dirsync", "sync", "async" };
    static const char *const ignored[] = { "rw",
                                           "auto",
                                           "noauto",
                                           "user",
                                           "nouser",
                                           "users",
                                           "owner",
                                           "group",
                                           "_netdev",
                                           "nofail",
                                           "defaults",
                                           "atime",
                                           "default_permissions" };

    for (unsigned i = 0; i < sizeof(pass) / sizeof(pass[0]); i++) {
        size_t len = strlen(o->kernel);

        if (strcmp(opt, pass[i]) != 0)
            continue;
        snprintf(o->kernel + len, sizeof(o->kernel) - len, "%s%s", len > 0 ? "," : "", opt);
        return 0;
    }
    for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        if (strcmp(opt, ignored[i]) == 0)
            return 0;
    if (strncmp(opt, "x-", 2) == 0 || strncmp(opt, "comment=", 8) == 0)
        return 0;
    if (strcmp(opt, "ro") == 0)
        o->read_only = true;
    else if (strcmp(opt, "allow_other") == 0)
        o->fs.allow_other = true;
    else
        return -ENOENT;
    return 0;
}

static int mount_opts(struct mount_options *o, const char *opts, char *why)
{
    VS_AUTO_FREE char *copy = strdup(opts);
    char *save = NULL;

    if (copy == NULL)
        return -ENOMEM;
    for (char *opt = strtok_r(copy, ",", &save); opt != NULL; opt = strtok_r(NULL, ",", &save)) {
        int r = mount_opt_ours(o, opt);

        if (r == -ENOENT)
            r = mount_opt_kernel(o, opt);
        if (r < 0) {
            snprintf(why, MOUNT_WHY_BYTES, "option -o %.100s: %s; see vstackfs --help", opt,
                     r == -ENOENT ? "unknown" : "its value cannot be used");
            return -EINVAL;
        }
    }
    return 0;
}

/* --name VALUE or --name=VALUE at argv[*i]: the value, or NULL. */
static const char *mount_flag_value(int argc, char **argv, int *i, const char *name)
{
    const char *v;

    if (strcmp(argv[*i], name) == 0 && *i + 1 < argc)
        return argv[++*i];
    return mount_opt_is(argv[*i], name, &v) ? v : NULL;
}

static int mount_flag(struct mount_options *o, int argc, char **argv, int *i, char *why)
{
    const char *v;
    uint64_t n = 0;
    int r = 0;

    if (strcmp(argv[*i], "-f") == 0) {
        o->fs.foreground = true;
    } else if ((v = mount_flag_value(argc, argv, i, "-o")) != NULL) {
        return mount_opts(o, v, why);
    } else if ((v = mount_flag_value(argc, argv, i, "--data")) != NULL) {
        o->fs.data_dir = mount_absolute(o, v);
    } else if ((v = mount_flag_value(argc, argv, i, "--cluster")) != NULL) {
        o->fs.cluster_file = mount_absolute(o, v);
    } else if ((v = mount_flag_value(argc, argv, i, "--disk")) != NULL) {
        if (o->fs.disk_count == STORE_SET_MAX)
            r = -EINVAL;
        else
            o->fs.disks[o->fs.disk_count++] = mount_absolute(o, v);
    } else if ((v = mount_flag_value(argc, argv, i, "--superblock-size")) != NULL) {
        r = mount_parse_size(v, &o->fs.superblock_bytes);
    } else if ((v = mount_flag_value(argc, argv, i, "--reserve")) != NULL) {
        r = mount_parse_number(v, 50, &n);
        o->fs.reserve_percent = (unsigned)n;
    } else {
        r = -EINVAL;
    }
    if (r < 0)
        snprintf(why, MOUNT_WHY_BYTES, "%.200s: not understood; see vstackfs --help", argv[*i]);
    return r;
}

bool mount_conf_allows_other(const char *path)
{
    static const char want[] = "user_allow_other";
    FILE *f = fopen(path, "re");
    char line[256];
    bool allows = false;

    while (f != NULL && !allows && fgets(line, sizeof(line), f) != NULL) {
        size_t blank = strspn(line, " \t");

        allows = strncmp(line + blank, want, sizeof(want) - 1) == 0 &&
                 strchr(" \t\r\n#", line[blank + sizeof(want) - 1]) != NULL;
    }
    if (f != NULL)
        fclose(f);
    return allows;
}

static int mount_default_data(struct mount_options *o)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char *text = NULL;
    int n;

    if (getuid() == 0)
        n = asprintf(&text, "/var/lib/vstack");
    else if (xdg != NULL && xdg[0] == '/')
        n = asprintf(&text, "%s/vstack", xdg);
    else
        n = asprintf(&text, "%s/.local/share/vstack", home != NULL ? home : "");
    if (n < 0)
        return -ENOMEM;
    o->text[o->text_count++] = text;
    o->fs.data_dir = text;
    return 0;
}

/* Does the file name metadata replicas? What is wrong with it the start will say. */
static bool mount_has_metas(const char *cluster_file)
{
    VS_AUTO_FREE struct cluster_json *file = calloc(1, sizeof(*file));
    char why[CLUSTER_WHY_BYTES];

    return file != NULL && cluster_file_load(cluster_file, file, why) == 0 && file->metas_count > 0;
}

/* With --cluster the mount's own directory is beside the file, unless --data says otherwise: the
 * file's, with the metadata in it, or one of several. */
static int mount_cluster_data(struct mount_options *o)
{
    VS_AUTO_FREE char *dir = strdup(o->fs.cluster_file);
    char name[CLUSTER_MOUNTS_NAME_BYTES] = "", *text = NULL, *slash;

    if (dir == NULL)
        return -ENOMEM;
    slash = strrchr(dir, '/');
    slash[slash == dir ? 1 : 0] = '\0';
    if (mount_has_metas(o->fs.cluster_file))
        cluster_mounts_name(o->fs.mountpoint, name);
    if (asprintf(&text, "%s%s%s", dir, name[0] != '\0' ? "/" : "", name) < 0)
        return -ENOMEM;
    o->text[o->text_count++] = text;
    o->fs.data_dir = text;
    return 0;
}

/* SOURCE of fstab: a data directory, or the file of a cluster. */
static void mount_source(struct mount_options *o, const char *source)
{
    struct stat st;

    if (stat(source, &st) == 0 && S_ISREG(st.st_mode))
        o->fs.cluster_file = mount_absolute(o, source);
    else
        o->fs.data_dir = mount_absolute(o, source);
}

static bool path_is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static int mount_options_check(struct mount_options *o, char *why)
{
    if (path_is_below(o->fs.data_dir, o->fs.mountpoint)) {
        snprintf(why, MOUNT_WHY_BYTES,
                 "the data directory %.150s lies below the mount point %.150s; choose another",
                 o->fs.data_dir, o->fs.mountpoint);
        return -EINVAL;
    }
    if (o->fs.cluster_file != NULL && o->fs.disk_count > 0) {
        snprintf(why, MOUNT_WHY_BYTES,
                 "--disk and --cluster exclude one another: a disk belongs to one storage node");
        return -EINVAL;
    }
    for (unsigned i = 0; i < o->fs.disk_count; i++) {
        if (o->fs.disks[i] == NULL || strlen(o->fs.disks[i]) > 255)
            return -EINVAL;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(o->fs.disks[i], o->fs.disks[j]) != 0)
                continue;
            snprintf(why, MOUNT_WHY_BYTES, "--disk %.200s is given twice", o->fs.disks[i]);
            return -EINVAL;
        }
    }
    if (o->fs.allow_other && getuid() != 0 && !mount_conf_allows_other(MOUNT_FUSE_CONF)) {
        snprintf(why, MOUNT_WHY_BYTES,
                 "-o allow_other needs the line user_allow_other in " MOUNT_FUSE_CONF
                 "; without that option only you see the mount");
        return -EPERM;
    }
    if (strlen(o->fs.data_dir) > 190) {
        snprintf(why, MOUNT_WHY_BYTES, "the data directory's path is too long (190 bytes)");
        return -EINVAL;
    }
    return 0;
}

int mount_options_parse(struct mount_options *o, int argc, char **argv, char why[MOUNT_WHY_BYTES])
{
    const char *places[2] = { NULL, NULL };
    unsigned place_count = 0;

    *o = (struct mount_options){ .fs = { .alias_s = 10,
                                         .reserve_percent = 5,
                                         .allow_other = getuid() == 0 ||
                                                        mount_conf_allows_other(MOUNT_FUSE_CONF),
                                         .taken = NS_TAKEN_KEEP_BOTH } };
    why[0] = '\0';
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            o->help = true;
            return 0;
        }
        if (argv[i][0] == '-') {
            int r = mount_flag(o, argc, argv, &i, why);

            if (r < 0)
                return r;
        } else if (place_count < 2) {
            places[place_count++] = argv[i];
        } else {
            snprintf(why, MOUNT_WHY_BYTES, "too many arguments; see vstackfs --help");
            return -EINVAL;
        }
    }
    if (place_count == 0) {
        snprintf(why, MOUNT_WHY_BYTES, "which folder? vstackfs MOUNTPOINT; see vstackfs --help");
        return -EINVAL;
    }
    o->fs.mountpoint = mount_absolute(o, places[place_count - 1]);
    if (place_count == 2 && o->fs.data_dir == NULL && o->fs.cluster_file == NULL)
        mount_source(o, places[0]);
    if (o->fs.mountpoint == NULL)
        return -ENOMEM;
    if (o->fs.cluster_file != NULL && o->fs.data_dir == NULL && mount_cluster_data(o) < 0)
        return -ENOMEM;
    if (o->fs.data_dir == NULL && mount_default_data(o) < 0)
        return -ENOMEM;
    return mount_options_check(o, why);
}

void mount_options_close(struct mount_options *o)
{
    for (unsigned i = 0; i < o->text_count; i++)
        free(o->text[i]);
    o->text_count = 0;
}
