# Real replicas of the metadata under kill, freeze and cut (tests/chaos/chaos.h).
CHAOS_SRCS := $(sort $(wildcard tests/chaos/chaos_*.c)) $(filter-out %_main.c,$(sort $(wildcard tests/lin/*.c)))

FAULTS  ?= 8
KILLS   ?= 3
FREEZES ?= 3
SECONDS ?= 60
METAS   ?= 3

.PHONY: chaos
chaos: $(BUILD)/chaos $(BUILD)/vstack-meta ## real metadata replicas under faults, histories checked: SEED=1 METAS=3 FAULTS=8 KILLS=3 FREEZES=3 SECONDS=60
	@$(BUILD)/chaos --metas $(METAS) --seed $(SEED) --faults $(FAULTS) --kills $(KILLS) --freezes $(FREEZES) --seconds $(SECONDS)

$(BUILD)/chaos: $(patsubst %.c,$(BUILD)/obj/%.o,$(CHAOS_SRCS)) $(BUILD)/libsupport.a $(BUILD)/libmeta.a $(BUILD)/libnode.a $(BUILD)/libsched.a $(BUILD)/libcommon.a
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

# The daemon with the deliberate errors in it; never installed.
MUTANT_SRCS   := tests/chaos/mutant_choice.c meta/meta_main.c meta/ns_apply.c $(sort $(shell grep -l PX_MUTANT meta/*.c))
CHAOS_MUTANTS ?= 13 14 17

.PHONY: chaos-mutants
chaos-mutants: $(BUILD)/chaos $(BUILD)/vstack-meta-mutants ## replicas with a deliberate error must be found out (CHAOS_MUTANTS="14 17": these)
	@tests/chaos/mutants.sh $(BUILD) $(CHAOS_MUTANTS)

$(BUILD)/vstack-meta-mutants: $(patsubst %.c,$(BUILD)/obj/mutants/%.o,$(MUTANT_SRCS)) $(BUILD)/libmeta.a $(BUILD)/libnode.a $(BUILD)/libsched.a $(BUILD)/libcommon.a
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

# The case meta_chaos runs it.
test test-e2e test-long: $(BUILD)/chaos
test-long: $(BUILD)/vstack-meta-mutants
