# The two commands: `make run` shows the whole thing on embedded origins, `make test` runs every
# test. Both install what is missing where they may, or say in one line what to install.

.PHONY: run test soak release bench bench-quick bench-filters rig fuzz fmt lint docs deny tools \
    test-tools rig-tools

run: tools
	cargo run --locked -- demo

test: tools test-tools
	cargo test --locked --workspace

# The chaos of the suite for longer: SOAK_SECONDS=600 make soak.
soak: tools
	SOAK_SECONDS=$${SOAK_SECONDS:-60} cargo test --locked --test suite chaos:: -- --nocapture

release: tools
	cargo build --locked --release

# modegate beside other proxies, some half an hour on an idle machine of two cores or more; the
# figures go to target/bench, and into a document that has a place for them:
# make bench INTO=docs/performance.md
bench: release rig
	target/release/modegate-rig run $(if $(INTO),--into $(INTO))

# The same for every day, with what the filters take beside it: under two minutes once it is built.
bench-quick: release rig
	target/release/modegate-rig run --no-held --rounds 3 --millis 600 \
	    --proxies modegate-off,modegate-strip,hyper,nginx --loads 0.4KB,32KB,512KB,0.4KB-without
	cargo bench --locked -p modegate-filters --bench scan -- --quick '^(chat/32KB/.*/modegate|decision/.*)$$'

# The filters alone, every case.
bench-filters: tools
	cargo bench --locked -p modegate-filters

rig: tools rig-tools
	cargo build --locked --release -p modegate-rig

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

rig-tools:
	@./.ci/need taskset util-linux
	@./.ci/need /usr/sbin/nginx nginx
	@./.ci/need /usr/lib/nginx/modules/ngx_http_lua_module.so libnginx-mod-http-lua
	@./.ci/need /usr/lib/x86_64-linux-gnu/lua/5.3/cjson.so lua-cjson
	@./.ci/need /usr/sbin/haproxy haproxy
	@./.ci/need npm npm
	@test -d benches/rig/rivals/node/node_modules/http-proxy || \
	    npm install --prefix benches/rig/rivals/node --no-audit --no-fund

test-tools:
	@./.ci/need node nodejs
	@./.ci/need prlimit util-linux
	@./.ci/need kill procps
	@./.ci/need prometheus prometheus
	@./.ci/need promtool prometheus
