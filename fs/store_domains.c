/* store_domains: see the header. */
#include "fs/store_domains.h"
#include "common/assert.h"
#include "meta/placement.h"

struct store_domains store_domains(struct store_set *set)
{
    struct placement_map map;

    placement_clear(&map);
    for (unsigned i = 0; i < set->count; i++) {
        const struct store_set_entry *e = &set->entries[i];
        struct store_health h;

        store_set_health(set, i, &h);
        VS_ASSERT(placement_add(&map, i + 1, store_domain(e, i), 1,
                                h.state == STORE_UP &&
                                    atomic_load(&e->takes) != STORE_TAKES_NOTHING) == 0);
    }
    return (struct store_domains){ map.domains_usable, map.domains_known };
}

struct vs_redundancy store_domains_form(const struct store_domains *d)
{
    const struct vs_redundancy asked = { VS_RED_RS, 3, 2 };

    return placement_form(&asked, d->usable, d->known);
}
