# The protocol as models, searched exhaustively by spin (docs/CHUNKPAXOS.md, "How it is proven").
FULL ?=

.PHONY: models
models: deps ## spin: each model without an error, each mutant caught (FULL=1: larger bounds; T=journal: one)
	@FULL=$(FULL) tests/models/run.sh $(BUILD)/models $(T)
