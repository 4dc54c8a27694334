/* Error texts, and the way from our codes to what a kernel may be told.
 *
 * Happy path: a table for the own codes, the C library's table for errno values.
 * Failure modes: an unknown code gets a text of its own and becomes -EIO, never success. */
#include "common/err.h"

#include <stddef.h>
#include <string.h>

/* The kernel takes errno values below this from a FUSE reply (fs/fuse/dev.c, fuse_dev_do_write). */
#define KERNEL_ERRNO_END 512

struct own_code {
    const char *text;
    int kernel; /* what the kernel is told */
};

static const struct own_code own_codes[VS_ERR_LAST - VS_ERR_FIRST] = {
    [VS_ECORRUPT - VS_ERR_FIRST] = { "Bytes do not match their checksum", -EIO },
    [VS_ENEWER - VS_ERR_FIRST] = { "Written by a newer version of this program", -EIO },
    [VS_EDOWN - VS_ERR_FIRST] = { "It is down, or cannot be reached", -EHOSTDOWN },
    [VS_EEXISTS_OTHER - VS_ERR_FIRST] = { "Exists already with other content", -EIO },
    [VS_ELOST - VS_ERR_FIRST] = { "Too few fragments are left to rebuild the bytes", -EIO },
    [VS_EFORGOT - VS_ERR_FIRST] = { "The disk has lost state it had acknowledged", -EIO },
};

static const struct own_code *own_code_find(int err)
{
    if (err > -VS_ERR_FIRST || err <= -VS_ERR_LAST)
        return NULL;
    return &own_codes[-err - VS_ERR_FIRST];
}

const char *vs_err_text(int err)
{
    const struct own_code *own = own_code_find(err);
    const char *text;

    if (own != NULL)
        return own->text;
    if (err >= 0)
        return "Success";
    if (err <= -VS_ERR_FIRST)
        return "Unknown error";
    text = strerrordesc_np(-err);
    return text != NULL ? text : "Unknown error";
}

int vs_err_to_errno(int err)
{
    const struct own_code *own = own_code_find(err);

    if (own != NULL)
        return own->kernel;
    return err <= -KERNEL_ERRNO_END ? -EIO : err;
}
