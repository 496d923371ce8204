.POSIX:
.PHONY: help run test browser lint bench backup restore

# Python 3.11 or later. A path may hold spaces, so every path here is relative.
PYTHON = $$(command -v python3.11 || command -v python3)
STAMP = .venv/installed
MANAGE = .venv/bin/python manage.py
# As many at once as there are processors, each with a database of its own. The tests of a file stay together, since they
# share what takes long to make, and the files in their order, in which the longest tests are not all at the end.
AT_ONCE = -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
# What lint looks at is what production would run; nothing connects to this address.
AS_IN_PRODUCTION = DATABASE_URL=postgres://app@localhost/loyalty DATABASE_OWNER_URL=postgres://owner@localhost/loyalty \
	SECRET_KEY=only-for-the-checks-of-make-lint-0123456789-abcdefghij ALLOWED_HOSTS=loyalty.example HTTPS=true

help:
	@echo "make run       serve on 127.0.0.1:\$${PORT:-8000}, with a Postgres of its own unless DATABASE_URL is set"
	@echo "make test      run the tests"
	@echo "make browser   install the browser, and axe-core from npm, that some of them want, on Debian and Ubuntu as root"
	@echo "make lint      check format, types, layers, migrations, settings and the API's description"
	@echo "make bench     measure the service against Postgres itself"
	@echo "make backup    write the embedded database to \$${DATA_DIR:-.data}/backups"
	@echo "make restore   read it back: make restore FILE=.data/backups/….dump"

run: $(STAMP)
	@exec $(MANAGE) run

test: $(STAMP)
	.venv/bin/pytest $(AT_ONCE) $(ARGS)

# Without them the tests in a browser are skipped.
browser:
	@for needed in chromium npm; do \
		command -v $$needed >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $$needed; } || exit; \
	done
	@cd tests/browser && { [ node_modules/.package-lock.json -nt package-lock.json ] || \
		npm ci --loglevel=error --no-audit --no-fund; }

lint: $(STAMP)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	$(AS_IN_PRODUCTION) .venv/bin/mypy
	.ci/clients
	.venv/bin/lint-imports --no-logo
	$(MANAGE) makemigrations --check --dry-run
	$(AS_IN_PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING
	$(AS_IN_PRODUCTION) $(MANAGE) spectacular --validate --fail-on-warn --file /dev/null
	.ci/audit

bench: $(STAMP)
	.venv/bin/python -m benchmarks $(ARGS)

backup: $(STAMP)
	@$(MANAGE) backup

restore: $(STAMP)
	@$(MANAGE) restore "$(FILE)"

# The stamp is written last: an installation that was interrupted is made again.
$(STAMP): requirements.txt
	@echo "Installing what it needs into .venv: once, about half a minute …"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $(STAMP)
