# Two commands: `make demo` runs the main job, `make test` installs what tests need and passes them.
# Virtual environments live in .venv (demo) and .venv-test (tests); remove them with `make clean`.

PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint types unit agree oracle other-pythons clean

demo: .venv/ready
	.venv/bin/fpgacnn demo digits
	.venv/bin/fpgacnn demo km3net

test: lint types unit agree oracle other-pythons

.venv/ready: pyproject.toml tools/bootstrap.sh
	python=$$(tools/bootstrap.sh) && "$$python" -m venv .venv
	.venv/bin/python $(PIP) --editable '.[demo]'
	touch $@

.venv-test/ready: pyproject.toml requirements/ci.txt tools/bootstrap.sh tools/test_programs.sh tools/install_tests.sh
	python=$$(tools/bootstrap.sh) && "$$python" -m venv .venv-test
	tools/test_programs.sh
	tools/install_tests.sh .venv-test
	touch $@

lint: .venv-test/ready
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .

types: .venv-test/ready
	.venv-test/bin/mypy fpgacnn

unit: .venv-test/ready
	.venv-test/bin/pytest -q -n 2 -m 'not agree and not train' --cov --cov-report=term:skip-covered

agree: .venv-test/ready
	.venv-test/bin/pytest -q -n 2 -m 'agree and not train'

oracle: .venv-test/ready
	.venv-test/bin/pytest -q -m train

other-pythons:
	tools/other_pythons.sh

clean:
	rm -rf .venv .venv-test .venv-py*
