node_SRCS += node/chunk_store.c
node_SRCS += node/frag.c
node_SRCS += node/store_mem.c
node_SRCS += node/sb_format.c
node_SRCS += node/sb_format_ckpt.c
node_SRCS += node/sb_format_seal.c
node_SRCS += node/sb_index.c
