# V-Stack: one Makefile, no recursion.
#
# Each folder has a module.mk that appends its sources to <folder>_SRCS, and programs to PROGRAMS
# (with <program>_SRCS for the file that holds main). A folder becomes build/$(VARIANT)/lib<folder>.a.
# `make help` lists the targets.

VARIANT ?= release
BUILD   ?= build/$(VARIANT)
PREFIX  ?= /usr/local
DESTDIR ?=

# Include order: a folder may use those to its right only (tests/lint/includes.sh checks it).
FOLDERS := fs ingest meta node sched common

# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar

# ---- flags -------------------------------------------------------------------------------------

VARIANTS       := release debug asan tsan
FLAGS_release  := -O2
FLAGS_debug    := -O0
FLAGS_asan     := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan     := -O1 -fsanitize=thread -fno-omit-frame-pointer
ifeq ($(filter $(VARIANT),$(VARIANTS)),)
$(error VARIANT=$(VARIANT) is not known; use one of: $(VARIANTS))
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
PACKAGES := fuse3 libcurl libmicrohttpd libcjson libisal openssl libavformat libavcodec libavutil \
            libseccomp

# Asked once, when first used: `make deps test` has installed the packages by then.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PACKAGES)))$(PKG_LIBS)

ALL_CFLAGS  = -std=gnu11 -D_GNU_SOURCE -I. -g -pthread $(WARNINGS) $(FLAGS_$(VARIANT)) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(FLAGS_$(VARIANT)) -Wl,--as-needed $(LDFLAGS)
ALL_LIBS    = $(PKG_LIBS) -lrocksdb -lm

# ---- sources -----------------------------------------------------------------------------------

PROGRAMS :=
$(foreach f,$(FOLDERS),$(eval $f_SRCS :=))

.DEFAULT_GOAL := all
include $(sort $(wildcard $(addsuffix /module.mk,$(FOLDERS)) bench/module.mk mount-examples/module.mk tests/*/module.mk))

SUPPORT_SRCS  := $(sort $(wildcard tests/support/*.c))
UNIT_TESTS    := $(sort $(wildcard tests/unit/test_*.c))
CONTRACTS     := $(sort $(wildcard tests/contract/test_*.c))
FUZZ_TARGETS  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCHES       := $(sort $(wildcard bench/*_bench.c))

# $(call owner,tests/unit/test_codec.c): the folder that holds codec.c or codec.h; leftmost if none.
owner = $(firstword $(foreach f,$(FOLDERS),$(if $(wildcard $f/$(call stem,$1).[ch]),$f)) $(firstword $(FOLDERS)))
# $(call from,meta): meta and the folders to its right.
from = $(if $(filter $1,$(firstword $2)),$2,$(call from,$1,$(wordlist 2,$(words $2),$2)))
# $(call archives,meta): the archives a file of that folder may need, in link order.
archives = $(foreach f,$(call from,$1,$(FOLDERS)),$(if $(strip $($f_SRCS)),$(BUILD)/lib$f.a))
objects  = $(patsubst %.c,$(BUILD)/obj/%.o,$1)

# $(call subject,tests/unit/test_cutter.c): the objects of cutter.c and cutter_*.c, linked before
# tests/support, so that a twin which lives there never takes the place of what is tested.
stem    = $(patsubst test_%.c,%,$(notdir $1))
subject = $(filter $(BUILD)/obj/$(call owner,$1)/$(call stem,$1).o $(BUILD)/obj/$(call owner,$1)/$(call stem,$1)_%.o,$(call objects,$($(call owner,$1)_SRCS)))

# FOLDER=node: only the tests of that folder's files. T=test_codec: only that program.
FOLDER ?=
T ?=
chosen = $(foreach t,$1,$(if $(and $(or $(if $(FOLDER),,y),$(filter $(call owner,$t),$(FOLDER))),$(or $(if $(T),,y),$(filter $(basename $(notdir $t)),$(T)))),$t))
test_program = $(patsubst %.c,$(BUILD)/%,$1)

UNIT_PROGRAMS     := $(call test_program,$(call chosen,$(UNIT_TESTS)))
CONTRACT_PROGRAMS := $(call test_program,$(call chosen,$(CONTRACTS)))
# Each fuzz target's corpus as a plain test.
REPLAY_PROGRAMS   := $(call test_program,$(call chosen,$(FUZZ_TARGETS)))

# ---- rules -------------------------------------------------------------------------------------

.PHONY: all deps demo demo-stop test test-unit test-e2e test-long fuzz bench unit lint format install help clean
.DELETE_ON_ERROR:

# These goals install what is missing before anything is compiled; the others only say so.
INSTALLING := deps test demo lint
DEPS_FIRST := $(if $(filter $(INSTALLING),$(MAKECMDGOALS)),deps)

all: $(addprefix $(BUILD)/,$(PROGRAMS)) $(call archives,$(firstword $(FOLDERS))) ## build the programs (VARIANT=release|debug|asan|tsan)

# Objects are built again when the command line changes, not whenever a makefile does.
$(BUILD)/flags: FORCE | $(DEPS_FIRST)
	@mkdir -p $(@D)
	@pkg-config --exists $(PACKAGES) || { echo "Libraries are missing. Install them with: make deps" >&2; exit 1; }
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' >$@
FORCE:

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define archive_rule
$(BUILD)/lib$1.a: $(call objects,$($1_SRCS)) $1/module.mk
	@echo "  AR    $$@"
	@rm -f $$@ && $(AR) rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach f,$(FOLDERS),$(if $(strip $($f_SRCS)),$(eval $(call archive_rule,$f))))

$(BUILD)/libsupport.a: $(call objects,$(SUPPORT_SRCS))
	@echo "  AR    $@"
	@rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

define program_rule
$(BUILD)/$1: $(call objects,$($1_SRCS)) $(call archives,$(firstword $(subst /, ,$(firstword $($1_SRCS)))))
	@echo "  LD    $$@"
	@$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(ALL_LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$p)))

# <program>_EXTRA: sources of tests/ that it needs besides (a module.mk of tests/ sets it).
define test_rule
$(call test_program,$1): $(call objects,$1 $($(basename $(notdir $1))_EXTRA)) $(call subject,$1) $(if $(SUPPORT_SRCS),$(BUILD)/libsupport.a) $(call archives,$(call owner,$1))
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	@$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(ALL_LIBS) -lcmocka
endef
$(foreach t,$(UNIT_TESTS) $(CONTRACTS),$(eval $(call test_rule,$t)))

# They start real daemons.
$(call test_program,$(CONTRACTS)): | $(BUILD)/vstack-node $(BUILD)/vstack-meta

define replay_rule
$(call test_program,$1): $(call objects,$1 tests/fuzz/replay.c) $(if $(SUPPORT_SRCS),$(BUILD)/libsupport.a) $(call archives,$(firstword $(FOLDERS)))
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	@$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(ALL_LIBS) -lcmocka
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call replay_rule,$t)))

define bench_rule
$(BUILD)/$(1:.c=): $(call objects,$1 $($(notdir $(1:.c=))_SRCS)) $(BUILD)/libsupport.a $(call archives,$(firstword $(FOLDERS))) | $(BUILD)/vstack-node $(BUILD)/vstack-meta $(BUILD)/vstackfs
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	@$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(ALL_LIBS)
endef
$(foreach b,$(BENCHES),$(eval $(call bench_rule,$b)))

# libFuzzer comes with clang: everything once more, with its eyes in it.
FUZZ_CC     ?= clang-14
FUZZ_BUILD  := $(BUILD)/fuzz
FUZZ_CFLAGS  = -std=gnu11 -D_GNU_SOURCE -I. -g -O1 -pthread -fno-omit-frame-pointer -fno-sanitize-recover=all $(PKG_CFLAGS)
FUZZ_SRCS   := $(foreach f,$(FOLDERS),$($f_SRCS)) $(SUPPORT_SRCS)
FUZZ_BINS   := $(patsubst tests/fuzz/%.c,$(FUZZ_BUILD)/%,$(call chosen,$(FUZZ_TARGETS)))
# Seconds for each target.
FUZZ_S ?= 60

$(FUZZ_BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CLANG $<"
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

$(FUZZ_BUILD)/libfuzzed.a: $(patsubst %.c,$(FUZZ_BUILD)/obj/%.o,$(FUZZ_SRCS))
	@rm -f $@ && $(AR) rcsD $@ $^

.SECONDARY: $(patsubst %.c,$(FUZZ_BUILD)/obj/%.o,$(FUZZ_TARGETS))
$(FUZZ_BUILD)/fuzz_%: $(FUZZ_BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_BUILD)/libfuzzed.a
	@echo "  LD    $@"
	@$(FUZZ_CC) -pthread -fsanitize=fuzzer,address,undefined -o $@ $^ $(ALL_LIBS) -lcmocka

deps: ## install the missing Debian packages (says which; needs root or sudo then)
	@tests/tools/deps.sh $(if $(filter-out demo,$(MAKECMDGOALS)),,build demo)

# ---- tests -------------------------------------------------------------------------------------

# Mounts under a sanitizer are slow: their limits stretch.
LIMIT_FACTOR ?= $(if $(filter asan tsan,$(VARIANT)),4,1)
RUN_TESTS     = LIMIT_FACTOR=$(LIMIT_FACTOR) VARIANT=$(VARIANT) tests/run.sh $(BUILD)
CASES        := $(sort $(wildcard tests/e2e/cases/*.sh))
# CASE=kill9: only the cases with that word in their name.
CASE ?=
chosen_cases  = $(foreach c,$(CASES),$(if $(or $(if $(CASE),,y),$(findstring $(CASE),$(notdir $c))),$c))
BUILT_PROGRAMS = $(addprefix $(BUILD)/,$(PROGRAMS))

test: $(BUILT_PROGRAMS) $(UNIT_PROGRAMS) $(CONTRACT_PROGRAMS) $(REPLAY_PROGRAMS) ## everything: deps, build, all tests (UNIT_ONLY=1: no mounts)
	@$(RUN_TESTS) $(UNIT_PROGRAMS) $(CONTRACT_PROGRAMS) $(REPLAY_PROGRAMS) $(if $(UNIT_ONLY),,$(chosen_cases))

test-unit: $(UNIT_PROGRAMS) $(CONTRACT_PROGRAMS) $(REPLAY_PROGRAMS) ## unit and contract tests (FOLDER=node: of that folder's files)
	@$(RUN_TESTS) $^

test-e2e: $(BUILT_PROGRAMS) ## the cases on a real mount (CASE=word: those with it in their name)
	@$(RUN_TESTS) $(chosen_cases)

# The same cases, longer: figures that take hours are reached here, not in CI.
LONG_PROGRAMS := $(addprefix $(BUILD)/tests/unit/,test_sb_recover test_sb_scrub test_sb_maint)
test-long: $(BUILT_PROGRAMS) $(LONG_PROGRAMS) ## hours: power cuts and faults over 10^4 operations, 1000 kill -9 cycles, 200 seeds of random writes, 16 GiB through the inbox, 100 faults on three metadata replicas, their deliberate errors, 20,000 operations on two mounts
	@VS_SWEEP=$${VS_SWEEP:-50} KILL_CYCLES=$${KILL_CYCLES:-1000} SEEDS="$${SEEDS:-$$(seq -s ' ' 200)}" BIG_MIB=$${BIG_MIB:-16384} \
	    FAULTS=$${FAULTS:-100} KILLS=$${KILLS:-25} FREEZES=$${FREEZES:-25} GAP_MS=$${GAP_MS:-1000} OPERATIONS=$${OPERATIONS:-20000} LIMIT_FACTOR=100 \
	    tests/run.sh $(BUILD) $(LONG_PROGRAMS) $(foreach c,kill9 backward_writes big_file meta_chaos cluster_two_mounts_random,tests/e2e/cases/$c.sh)
	@tests/chaos/mutants.sh $(BUILD) $(CHAOS_MUTANTS)

fuzz: $(FUZZ_BINS) ## libFuzzer on every parser, FUZZ_S=60 seconds each (T=fuzz_codec: only that one); needs clang-14
	@set -e; for t in $^; do name=$$(basename $$t); mkdir -p $(FUZZ_BUILD)/corpus/$$name; echo "== $$name"; \
	    ASAN_OPTIONS=quarantine_size_mb=8 $$t -max_total_time=$(FUZZ_S) -rss_limit_mb=3000 -timeout=30 -print_final_stats=1 -artifact_prefix=$(FUZZ_BUILD)/$$name- \
	        $(FUZZ_BUILD)/corpus/$$name $$(ls -d tests/fuzz/corpus/$$name 2>/dev/null); done

unit: $(UNIT_PROGRAMS) $(CONTRACT_PROGRAMS) $(REPLAY_PROGRAMS) ## run test programs with their own output: make unit T=test_codec
	$(if $(and $(T)$(FOLDER),$(if $^,,y)),$(error no test program matches T=$(T) FOLDER=$(FOLDER)))
	@set -e; for t in $^; do echo "== $$t"; $$t; done

# T=store_bench: only that one. BENCH_DIR: the disk that is measured (default /tmp).
BENCH_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(foreach b,$(BENCHES),$(if $(or $(if $(T),,y),$(filter $(basename $(notdir $b)),$(T))),$b)))
bench: $(BENCH_PROGRAMS) ## measurements as lines "name value unit" (T=store_bench: only that one)
	@set -e; for b in $^; do echo "== $$(basename $$b)"; $$b; done

lint: | $(DEPS_FIRST) ## the rules of the house: includes, purity, doors, lengths, format, scripts
	@tests/lint/run.sh

format: ## clang-format every source file
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

# ---- the rest ----------------------------------------------------------------------------------

demo: $(BUILT_PROGRAMS) ## mount, store a sample film, play it; leaves it mounted (DEMO_DIR=folder)
	@VSTACKFS=$(abspath $(BUILD))/vstackfs mount-examples/demo.sh start

demo-stop: ## unmount the demo
	@VSTACKFS=$(abspath $(BUILD))/vstackfs mount-examples/demo.sh stop

install: all ## programs to $(DESTDIR)$(PREFIX)/bin
	@for p in $(PROGRAMS); do install -D -m 755 $(BUILD)/$$p $(DESTDIR)$(PREFIX)/bin/$$p; done

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d' -path '*/obj/*')
