# The two commands: `make run` shows the whole thing on embedded origins, `make test` runs every
# test. Both install what is missing where they may, or say in one line what to install.

.PHONY: run test soak release bench fuzz fmt lint docs deny tools test-tools

run: tools
	cargo run --locked -- demo

test: tools test-tools
	cargo test --locked --workspace

# The chaos of the suite for longer: SOAK_SECONDS=600 make soak.
soak: tools
	SOAK_SECONDS=$${SOAK_SECONDS:-60} cargo test --locked --test suite chaos:: -- --nocapture

release: tools
	cargo build --locked --release

bench: tools
	cargo bench --locked -p modegate-filters

# Each target for so many seconds; only nightly builds them.
FUZZ_SECONDS ?= 60
fuzz: tools
	./.ci/fuzz $(FUZZ_SECONDS)

fmt:
	cargo fmt --all --check

lint: tools
	cargo clippy --locked --workspace --all-targets -- -D warnings

docs: tools
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

deny:
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny@0.20.2
	cargo deny --locked check bans licenses sources
	@if cargo deny --locked fetch db >/dev/null 2>&1; then \
	    cargo deny --locked check advisories; \
	else \
	    echo "the advisory database is out of reach: deny.toml's own list was checked instead"; \
	fi

tools:
	@./.ci/need cc gcc
	@./.ci/need cmake cmake

test-tools:
	@./.ci/need node nodejs
	@./.ci/need prlimit util-linux
	@./.ci/need kill procps
	@./.ci/need prometheus prometheus
	@./.ci/need promtool prometheus
