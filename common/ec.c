/* Reed-Solomon encode and rebuild through isa-l. The door to isa-l/erasure_code.h.
 *
 * Happy path: make the coefficients (at most 4 rows of 8), expand them to the tables isa-l
 * multiplies with, run over the bytes. Tables are made for every call: 32 bytes per coefficient,
 * well under a microsecond, and so there is neither shared state nor a first call that differs.
 * Failure modes: only bad numbers, refused before anything is written. */
#include "common/ec.h"

#include "common/assert.h"
#include "common/err.h"

#include <isa-l/erasure_code.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EC_TABLE_BYTES 32 /* per coefficient, isa-l's ec_init_tables() */

/* isa-l counts bytes in int. */
#define EC_PIECE_BYTES_MAX ((size_t)1 << 30)

int vs_redundancy_check(const struct vs_redundancy *red)
{
    if (red->m > VS_EC_M_MAX)
        return -EINVAL;
    switch (red->kind) {
    case VS_RED_RS:
        return red->k >= 2 && red->k <= VS_EC_K_MAX && red->m >= 1 ? 0 : -EINVAL;
    case VS_RED_REPLICATE:
        return red->k == 1 ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

int vs_redundancy_from_text(const char *text, struct vs_redundancy *ret)
{
    for (unsigned kind = VS_RED_RS; kind <= VS_RED_REPLICATE; kind++) {
        for (unsigned k = 1; k <= VS_EC_K_MAX; k++) {
            for (unsigned m = 0; m <= VS_EC_M_MAX; m++) {
                struct vs_redundancy red = { (uint8_t)kind, (uint8_t)k, (uint8_t)m };
                char word[24];

                if (vs_redundancy_check(&red) < 0)
                    continue;
                vs_redundancy_to_text(&red, word);
                if (strcmp(word, text) != 0)
                    continue;
                *ret = red;
                return 0;
            }
        }
    }
    return -EINVAL;
}

void vs_redundancy_to_text(const struct vs_redundancy *red, char text[24])
{
    if (red->kind == VS_RED_RS)
        snprintf(text, 24, "rs:%u+%u", (unsigned)red->k, (unsigned)red->m);
    else if (red->kind == VS_RED_REPLICATE)
        snprintf(text, 24, "replicate:%u", (unsigned)red->k + red->m);
    else
        snprintf(text, 24, "none");
}

static bool ec_numbers_ok(unsigned k, unsigned m)
{
    return k >= 1 && k <= VS_EC_K_MAX && m <= VS_EC_M_MAX;
}

/* The (k+m) x k matrix: the identity, then m Cauchy rows. Any k of its rows are independent. With
 * k = 1 a Cauchy row is a number other than one, but a replica is a copy: all ones. */
static void ec_matrix(unsigned k, unsigned m, uint8_t matrix[VS_EC_N_MAX * VS_EC_K_MAX])
{
    if (k == 1)
        memset(matrix, 1, k + m);
    else
        gf_gen_cauchy1_matrix(matrix, (int)(k + m), (int)k);
}

/* dst[rows] = coefficients (rows x k) times src[k]. */
static void ec_multiply(unsigned k, unsigned rows, uint8_t *coefficients, size_t len,
                        const uint8_t *const src[], uint8_t *const dst[])
{
    uint8_t tables[EC_TABLE_BYTES * VS_EC_K_MAX * VS_EC_M_MAX] __attribute__((aligned(64)));
    uint8_t *in[VS_EC_K_MAX], *out[VS_EC_M_MAX];

    VS_ASSERT(k <= VS_EC_K_MAX && rows <= VS_EC_M_MAX);
    ec_init_tables((int)k, (int)rows, coefficients, tables);

    for (size_t at = 0; at < len; at += EC_PIECE_BYTES_MAX) {
        size_t piece = len - at < EC_PIECE_BYTES_MAX ? len - at : EC_PIECE_BYTES_MAX;

        for (unsigned i = 0; i < k; i++)
            in[i] = (uint8_t *)(uintptr_t)(src[i] + at); /* isa-l forgot the const */
        for (unsigned i = 0; i < rows; i++)
            out[i] = dst[i] + at;
        ec_encode_data((int)piece, (int)k, (int)rows, tables, in, out);
    }
}

void vs_ec_encode(unsigned k, unsigned m, size_t len, const uint8_t *const data[],
                  uint8_t *const parity[])
{
    uint8_t matrix[VS_EC_N_MAX * VS_EC_K_MAX];

    VS_ASSERT(ec_numbers_ok(k, m));
    if (m == 0 || len == 0)
        return;
    ec_matrix(k, m, matrix);
    ec_multiply(k, m, matrix + k * k, len, data, parity);
}

static bool ec_have_ok(unsigned k, unsigned m, const uint8_t have[], unsigned want)
{
    uint32_t seen = 0;

    if (want >= k + m)
        return false;
    seen |= UINT32_C(1) << want;
    for (unsigned i = 0; i < k; i++) {
        if (have[i] >= k + m || (seen & UINT32_C(1) << have[i]) != 0)
            return false;
        seen |= UINT32_C(1) << have[i];
    }
    return true;
}

/* The row r with  fragment[want] = sum over i of r[i] * fragment[have[i]].
 *
 * The fragments we have are B * data, B being their rows of the matrix; so data = B^-1 * have, and
 * the wanted fragment is its own row of the matrix times that. */
static void ec_rebuild_row(unsigned k, const uint8_t *matrix, const uint8_t have[], unsigned want,
                           uint8_t row[VS_EC_K_MAX])
{
    uint8_t rows[VS_EC_K_MAX * VS_EC_K_MAX], inverse[VS_EC_K_MAX * VS_EC_K_MAX];

    for (unsigned i = 0; i < k; i++)
        memcpy(rows + i * k, matrix + have[i] * k, k);
    VS_ASSERT(gf_invert_matrix(rows, inverse, (int)k) == 0); /* Cauchy: always */

    for (unsigned col = 0; col < k; col++) {
        row[col] = 0;
        for (unsigned i = 0; i < k; i++)
            row[col] ^= gf_mul(matrix[want * k + i], inverse[i * k + col]);
    }
}

int vs_ec_rebuild(unsigned k, unsigned m, const uint8_t have[], const uint8_t *const src[],
                  unsigned want, uint8_t *dst, size_t len)
{
    uint8_t matrix[VS_EC_N_MAX * VS_EC_K_MAX], row[VS_EC_K_MAX];

    if (!ec_numbers_ok(k, m) || !ec_have_ok(k, m, have, want))
        return -EINVAL;
    ec_matrix(k, m, matrix);
    ec_rebuild_row(k, matrix, have, want, row);
    ec_multiply(k, 1, row, len, src, &dst);
    return 0;
}
