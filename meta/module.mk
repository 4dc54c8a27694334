# Sources of meta/, sorted. Programs: PROGRAMS += name, name_SRCS = main file (not in meta_SRCS).
meta_SRCS +=
meta_SRCS += meta/acceptor_codec.c
meta_SRCS += meta/acceptor_store.c
meta_SRCS += meta/journal_driver.c
meta_SRCS += meta/kv.c
meta_SRCS += meta/kv_mem.c
meta_SRCS += meta/kv_rocks.c
meta_SRCS += meta/manifest.c
meta_SRCS += meta/manifest_media.c
meta_SRCS += meta/meta_client.c
meta_SRCS += meta/meta_local.c
meta_SRCS += meta/ns_schema.c
meta_SRCS += meta/place_value.c
meta_SRCS += meta/px.c
meta_SRCS += meta/reg_batch.c
meta_SRCS += meta/synced_count.c
