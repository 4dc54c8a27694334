/* Assertions that stay on in every build: what they check cannot happen, and going on would cost
 * somebody's film. What came off a wire or a disk can always happen and is never asserted. */
#ifndef VS_COMMON_ASSERT_H
#define VS_COMMON_ASSERT_H

_Noreturn void vs_assert_fail(const char *expr, const char *file, int line, const char *func);

#define VS_ASSERT(expr)                                                                            \
    do {                                                                                           \
        if (!(expr))                                                                               \
            vs_assert_fail(#expr, __FILE__, __LINE__, __func__);                                   \
    } while (0)

#endif
