# Sources of ingest/, sorted. Programs: PROGRAMS += name, name_SRCS = main file (not in ingest_SRCS).
ingest_SRCS += ingest/box_scan.c
ingest_SRCS += ingest/cut_plan.c
ingest_SRCS += ingest/cutter.c
ingest_SRCS += ingest/cutter_child.c
ingest_SRCS += ingest/cutter_child_live.c
ingest_SRCS += ingest/cutter_child_probe.c
ingest_SRCS += ingest/cutter_live.c
ingest_SRCS += ingest/cutter_probe.c
ingest_SRCS += ingest/cutter_proto.c
