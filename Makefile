# `make run` and `make test` need Rust, Python and nothing else that they do not install themselves.

.DEFAULT_GOAL := help
.PHONY: help run test test-browser test-charts test-s3 test-chaos check ci setup cluster-up cluster-down test-cluster test-operator test-faults

MANIFESTS ?= manifests/samples

help: ## Shows this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 \t/p' $(MAKEFILE_LIST) | expand -t 24

run: setup ## Runs everything in one process on the sample manifests (MANIFESTS=folder for others)
	@cargo build --package konstruct-konstruct
	@scripts/built konstruct dev $(MANIFESTS)

test: setup ## Runs every test that needs no cluster, against a PostgreSQL and a Redis of its own
	@cargo build --quiet --all-targets
	@scripts/built with-services cargo test
	@scripts/built chaos

test-chaos: setup ## 10,000 messages through the real executables while everything is killed (CHAOS=--seed… for others)
	@cargo build --quiet --all-targets
	@scripts/built chaos --messages 10000 --conversations 500 --kills 500 --rate 25 $(CHAOS)

test-browser: setup ## Tests the chat widget in a real browser; needs Chromium and Node
	@cargo build --quiet --all-targets
	@scripts/built with-services cargo test --package konstruct-gateway --test it browser -- --ignored

test-charts: ## Tests the Helm charts, without a cluster; builds Helm and other tools into ~/.cache the first time
	@cargo build --quiet --all-targets
	charts/test

test-s3: ## Tests the place for files against a MinIO of its own; builds it into ~/.cache the first time
	@cargo build --quiet --all-targets
	crates/media/tests/minio.sh cargo test --workspace --test it minio -- --ignored

check: ## Checks formatting, lints and the rules of the repository
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo build --quiet --all-targets
	scripts/built konstruct-xtask check

ci: ## Runs what a change has to pass
	.ci/run

setup: ## Installs what is missing (Debian packages, a PostgreSQL in .cache)
	@scripts/setup

test-operator: ## Tests the operator against a real API server, which is started for it and removed
	@cargo build --quiet --all-targets
	kind-tests/cluster/down
	KUBECONFIG=$$(kind-tests/cluster/up --control-plane-only | tail -n 1) scripts/built with-services \
	  cargo test --workspace --test it -- --ignored deletion:: drift:: references:: tenants::
	kind-tests/cluster/down

test-faults: ## Kills the operator before, during and after each of its writes (--errors: makes its requests fail)
	kind-tests/run --faults $(FAULTS)

cluster-up: ## Starts a real Kubernetes on this machine: kind where Docker runs, own processes elsewhere
	kind-tests/cluster/up

cluster-down: ## Stops it and removes what it left
	kind-tests/cluster/down

test-cluster: ## Runs the end-to-end tests on the cluster of KUBECONFIG, else on the one of cluster-up
	kind-tests/run
