/* text_file: a small file of text, read as a whole and replaced as a whole.
 *
 * Happy path: written beside it (NAME.new), synced, renamed over it, the directory synced: whoever
 * reads sees the former text or the new one. Failure: the former text stays.
 *
 * Threads: any; who saves the same file at the same time holds a lock of his own. */
#ifndef VS_COMMON_TEXT_FILE_H
#define VS_COMMON_TEXT_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* *ret_text: on the heap (caller frees), *ret_len bytes and a NUL behind them. -ENOENT; -EMSGSIZE:
 * longer than bytes_max; -ENOMEM; I/O errors. */
int text_file_load(const char *path, size_t bytes_max, char **ret_text, size_t *ret_len);

/* Durable when it returns 0. mode: of a new file. */
int text_file_save(const char *path, const char *text, mode_t mode);

#endif
