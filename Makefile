EXTENSION = migmgr
MODULE_big = migmgr
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" migmgr.control)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
SQL_PARTS = $(sort $(wildcard sql/[0-9][0-9]_*.sql))
DATA = $(wildcard sql/updates/*--*--*.sql)
DATA_built = sql/migmgr--$(EXTVERSION).sql
PG_CPPFLAGS = -DMIGMGR_VERSION='"$(EXTVERSION)"'

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

sql/migmgr--$(EXTVERSION).sql: $(SQL_PARTS)
	cat $^ > $@
