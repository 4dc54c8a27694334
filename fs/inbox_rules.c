/* inbox_rules: temporary names, and when a file is settled. */
#include "fs/inbox_rules.h"
#include <sys/stat.h>

const char *const inbox_temporary_patterns[] = {
    ".*.??????",        /* rsync, mkstemp beside the target */
    ".~*",              /* LibreOffice, owncloud locks */
    ".goutputstream-*", /* GLib: file managers of GNOME */
    ".fuse_hidden*",    /* libfuse's path API, when another mount is the source */
    "*.part",           /* Firefox, KDE, yt-dlp */
    "*.partial",        /* Internet Explorer, various */
    "*.partial~",       /* Sonarr, Radarr while they copy */
    "*.crdownload",     /* Chromium */
    "*.tmp",
    "*~",    /* editors' backups */
    "*.!qB", /* qBittorrent */
};
const unsigned inbox_temporary_pattern_count =
    sizeof(inbox_temporary_patterns) / sizeof(inbox_temporary_patterns[0]);

/* Greedy with one step back: the last '*' takes one byte more. */
bool inbox_glob(const char *pattern, const char *name, size_t len)
{
    const char *star = NULL;
    size_t at = 0, star_at = 0;

    while (at < len) {
        if (*pattern == '*') {
            star = pattern++;
            star_at = at;
        } else if (*pattern != '\0' && (*pattern == '?' || *pattern == name[at])) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool inbox_is_temporary(const char *name, size_t len)
{
    for (unsigned n = 0; n < inbox_temporary_pattern_count; n++) {
        if (inbox_glob(inbox_temporary_patterns[n], name, len))
            return true;
    }
    return false;
}

enum inbox_verdict inbox_decide(const struct inbox_facts *f)
{
    bool said = f->named && (f->from == NULL || inbox_is_temporary(f->from, f->from_len));

    if (f->writers || inbox_is_temporary(f->name, f->len) || S_ISDIR(f->attr->mode))
        return INBOX_LEAVE;
    if (!S_ISREG(f->attr->mode))
        return INBOX_PUBLISH; /* a link or a device is complete when it is made */
    if ((f->attr->flags & NS_F_FLUSHED) == 0 && !said)
        return INBOX_LEAVE; /* interrupted: somebody may finish it */
    return f->attr->size == 0 ? INBOX_WAIT : INBOX_PUBLISH;
}
