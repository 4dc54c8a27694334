# Sources of fs/, sorted. Programs: PROGRAMS += name, name_SRCS = main file (not in fs_SRCS).
fs_SRCS += fs/chunk_fetch.c
fs_SRCS += fs/chunk_mem.c
fs_SRCS += fs/chunk_reader.c
fs_SRCS += fs/content.c
fs_SRCS += fs/content_wait.c
fs_SRCS += fs/control.c
fs_SRCS += fs/extent_set.c
fs_SRCS += fs/file_xattrs.c
fs_SRCS += fs/inode_table.c
fs_SRCS += fs/notify.c
fs_SRCS += fs/place_cache.c
fs_SRCS += fs/provisional.c
fs_SRCS += fs/read_op.c
fs_SRCS += fs/vsfs.c
