# Everything a person or CI does with this checkout. `make help` lists it.
# Each target installs what it needs, says so, and does nothing the second time.

SHELL := /bin/bash
.DEFAULT_GOAL := help
SETUP := deploy/setup
BIN := .venv/bin

.PHONY: docs lessons image-table help venv setup-run setup-test run clean-demo test test-fast test-rules lint format soak bench images hub-image lock

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run:  ## start the hub at http://127.0.0.1:8000, with sample data (PORT=, SOPHON_*= change it)
	@$(SETUP)/run.sh

clean-demo:  ## remove what `make run` made: containers, volumes, networks, data directory
	@$(SETUP)/clean-demo.sh

images:  ## build the lab images
	@$(SETUP)/venv.sh
	@$(SETUP)/images.sh

hub-image:  ## build the images of the Hub itself, and of what deploy/compose.yaml runs beside it
	@$(SETUP)/venv.sh
	@$(SETUP)/images.sh hub database web

lessons: venv  ## run the lessons of the course and write what the portal shows of them
	@$(SETUP)/images.sh course
	@$(SETUP)/browser.sh
	@$(BIN)/python -m tests.images.gallery

venv:  ## make .venv with everything that tests and lint need
	@$(SETUP)/venv.sh test lint postgres process

setup-test: venv
	@$(SETUP)/proxy.sh
	@$(SETUP)/postgres.sh
	@$(SETUP)/apache.sh
	@$(SETUP)/systemd.sh
	@$(SETUP)/logrotate.sh

test: setup-test  ## run all tests: needs a Docker engine and Chromium, installs them when missing
	@$(SETUP)/images.sh
	@$(SETUP)/compose.sh
	@$(SETUP)/browser.sh
	@$(MAKE) --no-print-directory test-fast PYTEST_ARGS=
	@$(BIN)/python -m pytest -v -m "docker or browser or hub" $(PYTEST_ARGS)

test-fast: test-rules  ## run the tests that need neither engine nor browser nor hub
	@$(BIN)/python -m pytest -n auto -m "not docker and not browser and not hub" $(PYTEST_ARGS)

test-rules: setup-test  ## run the tests of policy and actions: they reach every branch
	@$(BIN)/coverage run --branch --source=sophon_hub/policy,sophon_hub/actions \
	  -m pytest -q -m "not postgres" tests/policy tests/actions
	@$(BIN)/coverage report --fail-under=100 --skip-covered --show-missing

lint: venv  ## check format, types, layers and templates
	@$(SETUP)/lint.sh

format: venv  ## format Python
	@$(SETUP)/format.sh

docs: venv  ## write the pages of docs/reference from the code
	@$(BIN)/python -m sophon_hub.reference

soak: setup-test  ## edit at random for an hour while labs are stopped and killed at random (SOPHON_SOAK_SECONDS=, SOPHON_SOAK_SEED=)
	@$(SETUP)/images.sh
	@SOPHON_SOAK_SECONDS=$${SOPHON_SOAK_SECONDS:-3600} $(BIN)/python -m pytest -v tests/hub/test_soak.py $(PYTEST_ARGS)

bench: setup-test  ## measure and print JSON
	@$(SETUP)/images.sh
	@$(SETUP)/browser.sh
	@$(BIN)/python -m tests.bench

image-table: venv  ## measure size and start time of all images and write docs/reference/images.md
	@$(SETUP)/images.sh
	@$(BIN)/python -m tests.bench.bench_image --table

lock:  ## resolve requirements.lock anew
	@$(SETUP)/lock.sh
