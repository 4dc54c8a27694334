# The deterministic simulator of the consensus code (docs/CHUNKPAXOS.md, "How it is proven").
# Two programs: sim runs the object files of the daemons; sim-mutants has the deliberate errors built
# in (-DPX_MUTANTS), one of which is chosen when it runs.
SIM_SRCS  := $(sort $(wildcard tests/sim/*.c))
SIM_WORLD := tests/sim/sim_faults.c tests/sim/sim_net.c tests/sim/sim_store.c tests/sim/sim_world.c
# The files that hold a mutant.
SIM_CORE  := $(sort $(shell grep -l PX_MUTANT meta/*.c))

SEED   ?= 1
N      ?= 20000
SYSTEM ?=
TRACE  ?=

.PHONY: sim sim-mutants
sim: $(BUILD)/sim ## simulated schedules of registers and journal: SEED=1 N=20000 [SYSTEM=registers] [TRACE=1]
	@$(BUILD)/sim $(if $(SYSTEM),--system $(SYSTEM)) $(if $(TRACE),--trace) $(SEED) $(N)

sim-mutants: $(BUILD)/sim-mutants ## each deliberate error of the protocol must be found (MUTANTS="1 4": only these)
	@$(BUILD)/sim-mutants --mutants $(MUTANTS)

$(BUILD)/sim: $(patsubst %.c,$(BUILD)/obj/%.o,$(SIM_SRCS)) $(BUILD)/libmeta.a $(BUILD)/libcommon.a
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(BUILD)/sim-mutants: $(patsubst %.c,$(BUILD)/obj/mutants/%.o,$(SIM_SRCS) $(SIM_CORE)) $(BUILD)/libmeta.a $(BUILD)/libcommon.a
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(BUILD)/obj/mutants/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC    $< (mutants)"
	@$(CC) $(ALL_CFLAGS) -DPX_MUTANTS -MMD -MP -c -o $@ $<

# Unit tests link what they need of it.
test_sim_world_EXTRA := $(SIM_WORLD)
test_sim_history_EXTRA := $(SIM_WORLD) tests/sim/sim_history.c
test_sim_run_EXTRA   := $(filter-out tests/sim/sim_main.c,$(SIM_SRCS))
