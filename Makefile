# AIPress. `make` alone lists what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Under sudo HOME is root's; the toolchain is often its caller's.
rust_home := $(firstword $(foreach home,$(HOME) $(if $(SUDO_USER),$(shell getent passwd $(SUDO_USER) | cut -d: -f6)),$(if $(wildcard $(home)/.cargo/bin/cargo),$(home))))
ifneq ($(rust_home),)
export PATH := $(PATH):$(rust_home)/.cargo/bin
export RUSTUP_HOME ?= $(rust_home)/.rustup
endif

target := $(or $(CARGO_TARGET_DIR),target)
aipress := $(target)/release/aipress

.PHONY: help up down status clean-data test test-api test-chaos test-php test-quotas lint fmt generate bench bench-report

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## Install what is missing, build, start in the background (flags: make up UP="--listen …")
	@scripts/install
	@scripts/build release
	@$(aipress) up --detach $(UP)

down: $(aipress) ## Stop the platform; its data stays
	@$(aipress) down

status: $(aipress) ## Show what is running
	@$(aipress) status

clean-data: $(aipress) ## Remove all data of the stopped platform (asks first)
	@$(aipress) clean-data

test: ## Run every test: unit, integration, end to end against real WordPress
	@scripts/test

test-api: ## Test the API against its own description, with Schemathesis
	@scripts/test api

test-chaos: ## Let a random platform suffer, and look what is left (flags: SECONDS=600 SEED=…)
	@AIPRESS_CHAOS_SECONDS=$(or $(SECONDS),180) $(if $(SEED),AIPRESS_CHAOS_SEED=$(SEED)) scripts/test chaos

test-php: ## Run the tests of what runs inside WordPress
	@scripts/test php

test-quotas: ## Test project quotas in a machine of software that has them
	@scripts/quotas

lint: ## Check format, lints, documentation, dependencies, house rules, generated files
	@scripts/lint

fmt: ## Format the code
	@cargo fmt --all

generate: ## Write the files that are made from code
	@cargo run --quiet --package xtask -- generate

bench: ## Measure beside named peers; results go to bench/results
	@scripts/install test
	@scripts/build release
	@bench/run

bench-report: ## Make an HTML page with charts of the results
	@bench/run report

bench-%: ## Measure one thing, such as bench-idle
	@scripts/install test
	@scripts/build release
	@bench/run $*

# Only when there is no binary at all: stopping must not wait for a build.
$(aipress):
	@scripts/build release
