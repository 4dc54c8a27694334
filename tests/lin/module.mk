# The checker of histories: were the answers that clients got possible? tests/lin/lin_history.h says
# how a history is written down.
LIN_SRCS := $(filter-out %_main.c,$(sort $(wildcard tests/lin/*.c)))

.PHONY: lin
lin: $(BUILD)/lin ## the checker of histories, to be run after chaos: build/release/lin FILE...

$(BUILD)/lin: $(patsubst %.c,$(BUILD)/obj/%.o,$(LIN_SRCS) tests/lin/lin_main.c) $(BUILD)/libcommon.a
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

# With the program beside it, so that it is built wherever the tests are.
$(BUILD)/tests/unit/test_lin_check: | $(BUILD)/lin
$(BUILD)/tests/unit/test_lin_check: $(patsubst %.c,$(BUILD)/obj/%.o,$(LIN_SRCS))
# They come behind the archives, and want JSON once more.
$(BUILD)/tests/unit/test_lin_check: private ALL_LIBS = $(BUILD)/libcommon.a $(PKG_LIBS) -lrocksdb -lm
