# Sources of ingest/, sorted. Programs: PROGRAMS += name, name_SRCS = main file (not in ingest_SRCS).
ingest_SRCS += ingest/cut_plan.c
