# Two commands: `make demo` runs the main job, `make test` installs what tests need and passes them.
# Virtual environments live in .venv (demo) and .venv-test (tests); remove them with `make clean`.

PIP := -m pip install --quiet --disable-pip-version-check

QUICK := $(addprefix tests/unit/test_,$(addsuffix .py,architecture errors arithmetic arrays budget ebops names widths \
	weights quantizers targets pruning manual zoo_page stimulus passes)) tests/unit/hardware/synthesis

.PHONY: demo test quick nightly lint types docs unit agree oracle other-pythons clean

demo: .venv/ready
	.venv/bin/fpgacnn demo digits
	.venv/bin/fpgacnn demo km3net

test: lint types docs unit agree oracle other-pythons

# For the inner loop: less than a minute on two processors.
quick: lint types
	.venv-test/bin/pytest -q -n 2 -m 'not agree and not train and not browser' $(QUICK)

# Longer searches, whose seeds change every day; FPGACNN_SEED=20261130 repeats a day. About an hour and a half on two processors.
nightly: .venv-test/ready
	tools/nightly.sh .venv-test/bin

.venv/ready: pyproject.toml tools/bootstrap.sh
	python=$$(tools/bootstrap.sh) && "$$python" -m venv .venv
	.venv/bin/python $(PIP) --editable '.[demo]'
	touch $@

.venv-test/ready: pyproject.toml requirements/ci.txt tools/bootstrap.sh tools/test_programs.sh tools/install_tests.sh tools/install_hgq2.sh requirements/hgq2.txt
	python=$$(tools/bootstrap.sh) && "$$python" -m venv .venv-test
	tools/test_programs.sh
	tools/install_tests.sh .venv-test
	tools/install_hgq2.sh .venv-test || echo "HGQ2 is not installed: its tests are skipped" >&2
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

unit: .venv-test/ready
	.venv-test/bin/pytest -q -n 2 -m 'not agree and not train' --cov --cov-report=term:skip-covered

agree: .venv-test/ready
	.venv-test/bin/pytest -q -n 2 -m 'agree and not train'

oracle: .venv-test/ready
	.venv-test/bin/pytest -q -m 'train and not hgq2'
	PYTHONPATH=$(CURDIR)/.venv-test/hgq2 .venv-test/bin/pytest -q -n 2 -m hgq2 tests/hgq

other-pythons:
	tools/other_pythons.sh

clean:
	rm -rf .venv .venv-test .venv-py*
