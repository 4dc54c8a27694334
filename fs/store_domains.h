/* store_domains: how many failure domains the stores of a mount are in: what new files can be. */
#ifndef VS_FS_STORE_DOMAINS_H
#define VS_FS_STORE_DOMAINS_H

#include "common/ec.h"
#include "node/store_set.h"

struct store_domains {
    unsigned usable; /* with a store that takes data now */
    unsigned known;
};

struct store_domains store_domains(struct store_set *set);

/* What fails together with entry i, as a number. */
static inline uint64_t store_domain(const struct store_set_entry *e, unsigned i)
{
    uint64_t domain = atomic_load(&e->domain);

    return domain != 0 ? domain : i + 1;
}

/* The form that new files get: kind VS_RED_NONE: none, uploads fail. */
struct vs_redundancy store_domains_form(const struct store_domains *d);

#endif
