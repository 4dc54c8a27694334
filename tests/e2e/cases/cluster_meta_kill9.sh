#!/usr/bin/env bash
# kill -9 of three metadata replicas, all nodes and the mount at once, in the middle of uploads: after up,
# what cp had acknowledged is there, byte-exact.
# limit: 100
. "$(dirname "$0")/../cluster_lib.sh"

cl_kill9_cycles --metas 3
