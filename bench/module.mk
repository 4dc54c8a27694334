# What a benchmark is made of beside its own file.
node_bench_SRCS := bench/bare_http.c bench/bench.c bench/idle_conns.c bench/node_load.c
meta_bench_SRCS := bench/bench.c bench/meta_load.c
metas_bench_SRCS := bench/bench.c bench/bench_metas.c bench/meta_load.c tests/chaos/chaos_cluster.c tests/chaos/chaos_client.c tests/chaos/chaos_check.c
mount_bench_SRCS := bench/bench.c bench/bench_metas.c bench/meta_load.c bench/mount_shape.c
meta_replica_bench_SRCS := bench/bench.c bench/meta_load.c
