# Sources of node/, sorted. Programs: PROGRAMS += name, name_SRCS = main file (not in node_SRCS).
node_SRCS +=
