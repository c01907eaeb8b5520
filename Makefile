# Every command of this project. `make` alone lists them. Each sets up what it needs; see tools/environment for Python.

BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_HOME := $(CURDIR)/.ansible
export MOLECULE_GLOB := molecule/*/molecule.yml
# A rehearsal must never meet a real account, whatever the shell holds.
# Further options of the rehearsal's plays: make rehearsal WITH="-e @inventories/parts/all_on.yml"
WITH :=
REHEARSE := env -u AWS_PROFILE -u AWS_DEFAULT_PROFILE -u AWS_SESSION_TOKEN -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_CONFIG_FILE
PLAY := $(REHEARSE) ansible-playbook -i inventories/rehearsal

.DEFAULT_GOAL := help
.PHONY: help environment dev rehearsal rehearsal-down report test test-all lint unit lab nfs-test sanity importer roles-test molecule edge-test rehearsal-test journeys bench bench-node audit docs build clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

environment:
	@tools/environment rehearsal

dev:
	@tools/environment dev

rehearsal: environment ## build the whole stack on this machine and open WordPress (needs root)
	@$(PLAY) playbooks/rehearsal.yml $(WITH)
	@$(PLAY) site.yml $(WITH)
	@$(PLAY) playbooks/rehearsal_report.yml $(WITH)

rehearsal-down: environment ## remove everything that `make rehearsal` made
	@$(PLAY) playbooks/rehearsal_down.yml

report: environment ## show the running rehearsal again: URL, login, nodes
	@$(PLAY) playbooks/rehearsal_report.yml

test: ## everything CI runs, in this order
	@tools/test lint unit lab sanity importer edge-test rehearsal-test+roles-test+molecule

test-all: ## the same with what takes too long for every change: a run killed at ten points instead of three, more of Molecule
	@WORDPRESS_HA_TEST_ALL=1 MOLECULE_ALL=1 $(MAKE) test

lint: dev ## ansible-lint (production), yamllint, ruff, mypy, shellcheck when there is one
	@tools/test lint

unit: dev ## unit, property and template tests
	@tools/test unit

lab: dev ## the slow file system and the slow network that benchmarks use
	@tools/test lab

nfs-test: dev ## a real NFS 4.1 mount: what a warm page asks of it, in calls (root, Debian, 2 to 5 minutes)
	@tools/test nfs-test

sanity: dev ## ansible-test sanity, all tests, without ignore entries
	@tools/test sanity

importer: dev ## build the artifact and let galaxy-importer judge it
	@tools/test importer

roles-test: dev ## the AWS roles and plays against the emulated control plane
	@tools/test roles-test

molecule: dev ## the node roles on systemd containers
	@tools/test molecule

edge-test: dev ## the rehearsal's edge alone: every rule of CloudFront that it enforces, against stub origins
	@tools/test edge-test

rehearsal-test: dev ## the rehearsal end to end: build, break, scale, roll out, remove
	@tools/test rehearsal-test

journeys: dev ## the site in a real browser through the edge; uses a running rehearsal, else builds one
	@tools/test journeys

bench: dev ## ratios: our edge modules against community.aws, a week of visitors through both behavior sets
	@tools/test bench

bench-node: dev ## a node of ours against stock Debian, CPU time per request; writes docs/benchmarks (needs root)
	@tools/test bench-node

audit: dev ## a public scanner looks at the whole tier on the emulated control plane (2 GB, Python below 3.13)
	@tools/environment audit
	@tools/test audit

docs: dev ## regenerate docs/reference
	@python tools/docs.py

build: dev ## build the collection artifact
	@ansible-galaxy collection build --force --output-path .

clean: ## forget the Python environment and caches (not a running rehearsal)
	rm -rf .venv .venv-audit .ansible .mypy_cache .ruff_cache .hypothesis
