# Two commands: `make demo` runs the main job, `make test` installs what tests need and passes them.
# Virtual environments live in .venv (demo) and .venv-test (tests); remove them with `make clean`.

PIP := -m pip install --quiet --disable-pip-version-check

QUICK := $(addprefix tests/unit/test_,$(addsuffix .py,architecture errors arithmetic arrays budget ebops names widths \
	weights quantizers targets pruning manual zoo_page test_vectors passes)) tests/unit/hardware/synthesis

# pytest that writes down which lines run, in its workers and their forks (tests/support/fork_coverage.py).
# Coverage starts with Python, because pytest imports fpgacnn, as the package of its plugin, before anything else could begin.
# A skipped test fails the run, unless tests/support/skips.py lists its reason (FPGACNN_SKIPS).
COVERED := FPGACNN_SKIPS=listed COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml COVERAGE_FILE=$(CURDIR)/build/coverage/data .venv-test/bin/pytest -q -n 2

.PHONY: demo announced test quick nightly lint types docs compiled unit agree oracle coverage other-pythons clean
# `unit` empties the folder that `agree` and `oracle` write their coverage to.
.NOTPARALLEL:

demo: announced .venv/ready
	.venv/bin/fpgacnn demo digits
	.venv/bin/fpgacnn demo km3net
	@echo
	@echo 'What to do next:'
	@echo '  .venv/bin/fpgacnn report hls_projects/demo-digits -o report.html      look at the result'
	@echo '  .venv/bin/fpgacnn inspect your_model.h5                               see what is in your file'
	@echo '  .venv/bin/fpgacnn convert your_model.h5 --input events.npz            convert and check it'

announced:
	@echo 'This installs fpgacnn into .venv, then converts two shipped networks and checks them: a few minutes.'

test: lint types docs unit agree oracle coverage other-pythons

# For the inner loop: less than a minute on two processors.
quick: lint types
	.venv-test/bin/pytest -q -n 2 -m 'not agree and not train and not browser' $(QUICK)

# Longer searches, whose seeds change every day; FPGACNN_SEED=20261130 repeats a day. They take hours.
nightly: .venv-test/ready
	tools/nightly.sh .venv-test/bin

.venv/ready: pyproject.toml tools/bootstrap.sh
	python=$$(tools/bootstrap.sh) && "$$python" -m venv .venv
	.venv/bin/python -m pip install --disable-pip-version-check --editable '.[demo]'
	touch $@

.venv-test/ready: pyproject.toml requirements/ci.txt tools/bootstrap.sh tools/test_programs.sh tools/install_tests.sh tools/install_hgq2.sh requirements/hgq2.txt requirements/rtl.txt requirements/open.txt
	python=$$(tools/bootstrap.sh) && "$$python" -m venv .venv-test
	tools/test_programs.sh .venv-test
	tools/install_tests.sh .venv-test
	tools/install_hgq2.sh .venv-test || { echo "HGQ2 is not installed: its tests are skipped" >&2; echo HGQ2 >>.venv-test/not-installed; }
	touch $@

lint: .venv-test/ready
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .

types: .venv-test/ready
	.venv-test/bin/mypy fpgacnn

docs: .venv-test/ready
	.venv-test/bin/python tools/reference_pages.py --check
	NO_MKDOCS_2_WARNING=1 .venv-test/bin/mkdocs build --strict
	! grep -rlE '<(script|link|img)[^>]*(src|href)="?https?://' build/site --include='*.html'

# Tests start a thousand Pythons; without byte code (PYTHONDONTWRITEBYTECODE) each would compile 300 modules, which takes 0.4 s.
compiled: .venv-test/ready
	.venv-test/bin/python -m compileall -q fpgacnn

# Laws and damaged inputs repeat what other tests run, a thousand times: lines are not written down there.
unit: compiled
	rm -rf build/coverage && mkdir -p build/coverage
	$(COVERED) -m 'not agree and not train' --ignore tests/laws --ignore tests/hostile
	FPGACNN_SKIPS=listed .venv-test/bin/pytest -q -n 2 -m 'not agree and not train' tests/laws tests/hostile

agree: compiled
	$(COVERED) -m 'agree and not train'

oracle: compiled
	$(COVERED) --dist worksteal -m 'train and not hgq2'
	PYTHONPATH=$(CURDIR)/.venv-test/hgq2 $(COVERED) -m hgq2 tests/hgq

# What `make unit agree oracle` ran; fails below the share that pyproject.toml states.
coverage: .venv-test/ready
	COVERAGE_FILE=$(CURDIR)/build/coverage/data .venv-test/bin/coverage combine --quiet
	COVERAGE_FILE=$(CURDIR)/build/coverage/data .venv-test/bin/coverage report

other-pythons:
	tools/other_pythons.sh

clean:
	rm -rf .venv .venv-test .venv-py*
