EXTENSION = migmgr
MODULE_big = migmgr
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" migmgr.control)

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
PG_CPPFLAGS = -DMIGMGR_VERSION='"$(EXTVERSION)"'

# The install script is the numbered parts in order; updates are by hand.
SQL_PARTS = $(sort $(wildcard sql/[0-9][0-9]_*.sql))
DATA = $(wildcard sql/updates/*--*--*.sql)
DATA_built = sql/migmgr--$(EXTVERSION).sql
SCRIPTS = bin/migmgr-apply
DOCS = $(wildcard doc/monitoring/*)

# One test: make installcheck REGRESS=NAME ISOLATION=iso_NAME
# Both kinds share expected/ at the top, so both have their output beside it.
REGRESS = --schedule=test/schedule
REGRESS_OPTS = --inputdir=test
ISOLATION = --schedule=test/isolation_schedule
ISOLATION_OPTS = --inputdir=test --outputdir=.
EXTRA_CLEAN = results regression.diffs regression.out log tmp_check

PG_CONFIG ?= pg_config

# These bring their own server and install what the machine lacks, so they
# must work where there is no PGXS yet.
TOOL_TARGETS = test test-matrix demo demo-runbooks bench peers lint

ifneq ($(filter-out $(TOOL_TARGETS),$(or $(MAKECMDGOALS),all)),)
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) knows no PGXS: install postgresql-server-dev-NN, or say make PG_CONFIG=/path/to/pg_config)
endif
include $(PGXS)
ifeq ($(shell test $(MAJORVERSION) -ge 15 && echo yes),)
$(error migmgr needs PostgreSQL 15 or newer, and $(PG_CONFIG) is $(VERSION))
endif
endif

$(OBJS): $(wildcard src/*.h) migmgr.control

sql/migmgr--$(EXTVERSION).sql: $(SQL_PARTS)
	cat $^ > $@

# A PG_CONFIG that somebody named goes along; the default is looked up there.
TOOL_ENV = $(if $(filter-out file,$(origin PG_CONFIG)),PG_CONFIG='$(PG_CONFIG)') KEEP='$(KEEP)' ONLY='$(ONLY)'

test:
	@$(TOOL_ENV) test/tools/sandbox test/tools/run-tests

test-matrix:
	@ONLY='$(ONLY)' test/tools/matrix

demo:
	@$(TOOL_ENV) test/tools/sandbox test/demo/demo

demo-runbooks:
	@$(TOOL_ENV) test/tools/sandbox test/demo/runbooks

bench:
	@test/peers/provision $(ONLY)
	@$(TOOL_ENV) test/tools/sandbox test/bench/run $(ONLY)

# By themselves: they download what they need before they go into the sandbox.
peers:
	@$(TOOL_ENV) CORPUS='$(CORPUS)' test/peers/run $(ONLY)

lint:
	@test/tools/lint

# From the objects come the names of types, which the layout depends on.
indent: all
	test/tools/indent --typedefs
	test/tools/indent

.PHONY: $(TOOL_TARGETS) indent
