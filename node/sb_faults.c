/* Remembering I/O errors across runs.
 *
 * Happy path: the run that goes down writes the time to `faults`; the next open reads it.
 * Failure modes: a disk that does not even take that block has probably lost more, and shows it at
 * the next start; a file that does not check says nothing. */
#include "node/sb_faults.h"

#include "common/cleanup.h"
#include "common/err.h"

#include <stdio.h>
#include <string.h>

#define FAULTS_TMP_NAME SB_FAULTS_NAME ".tmp"

bool sb_fault_counts(int err)
{
    /* A directory that was removed or is not ours any more, and a process short of something, are
     * no faults of the disk. */
    return err != -ENOENT && err != -ENOMEM && err != -EMFILE && err != -ENFILE && err != -EACCES &&
           err != -EPERM && err != -VS_EDOWN;
}

/* What is remembered; empty when there is nothing, or nothing that checks. */
static int faults_read(struct vs_io *io, struct sb_fault_list *ret)
{
    uint8_t block[SB_BLOCK_BYTES];
    struct vs_file *f;
    int r;

    *ret = (struct sb_fault_list){ 0 };
    r = vs_io_open(io, SB_FAULTS_NAME, VS_IO_READ, &f);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    r = vs_file_pread_full(f, block, sizeof(block), 0);
    vs_file_close(f);
    if (r == 0)
        r = sb_fault_list_decode(block, ret);
    return r == -VS_ENEWER ? r : 0;
}

static int faults_write(struct vs_io *io, const struct sb_fault_list *list)
{
    uint8_t block[SB_BLOCK_BYTES];
    struct vs_file *f;
    int r;

    (void)vs_io_unlink(io, FAULTS_TMP_NAME);
    r = vs_io_open(io, FAULTS_TMP_NAME, VS_IO_WRITE | VS_IO_CREATE, &f);
    if (r < 0)
        return r;
    sb_fault_list_encode(list, block);
    r = vs_file_pwrite(f, block, sizeof(block), 0);
    if (r == 0)
        r = vs_file_fdatasync(f);
    vs_file_close(f);
    if (r == 0)
        r = vs_io_rename(io, FAULTS_TMP_NAME, SB_FAULTS_NAME);
    return r == 0 ? vs_io_sync_dir(io) : r;
}

int sb_faults_open(struct sb_store *s)
{
    struct sb_fault_list list;
    int r;

    r = faults_read(s->io, &list);
    if (r < 0 || !sb_fault_list_close(&list, SB_FAULTS_WINDOW_NS))
        return r;
    VS_LOCK_SCOPE(&s->lock);
    s->state = STORE_READONLY;
    snprintf(s->why, sizeof(s->why),
             "Its disk failed twice within an hour (last: %s): it reads and deletes, and takes "
             "nothing new. Drain it and replace the disk; or check it (dmesg, smartctl), remove "
             "the file '" SB_FAULTS_NAME "' in its directory and start it again.",
             vs_err_text(-(int)list.v[list.count - 1].err));
    return 0;
}

void sb_faults_note(struct sb_store *s)
{
    struct sb_fault fault = { .at_ns = (uint64_t)vs_real_ns(s->config.clock) };
    struct sb_fault_list list;

    pthread_mutex_lock(&s->lock);
    fault.err = (uint32_t)s->fault_err;
    s->fault_err = 0;
    pthread_mutex_unlock(&s->lock);
    if (fault.err == 0 || faults_read(s->io, &list) < 0)
        return;
    sb_fault_list_add(&list, &fault);
    (void)faults_write(s->io, &list);
}
