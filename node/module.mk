node_SRCS += node/chunk_store.c
node_SRCS += node/frag.c
node_SRCS += node/store_mem.c
