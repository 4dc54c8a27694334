# Sources of fs/, sorted. Programs: PROGRAMS += name, name_SRCS = main file (not in fs_SRCS).
fs_SRCS +=
