# Sources of sched/, sorted. Programs: PROGRAMS += name, name_SRCS = main file (not in sched_SRCS).
sched_SRCS += sched/chunk_cache.c
