/*
 * disk.c
 *	  How much room the file systems have that this server writes to.
 *
 * What statvfs() says is what the operating system lets this user have.  A
 * quota, a volume that grows by itself, a pool behind several volumes: of
 * those it does not know.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "catalog/pg_tablespace.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "spi_util.h"

PG_FUNCTION_INFO_V1(migmgr_disks);

static void put_disk(ReturnSetInfo *rsinfo, const char *place, const char *path);

/*
 * migmgr_internal.disks(): place, device, bytes that it has and that are free,
 * or why that is not known.  A file system can be there more than once.
 */
Datum
migmgr_disks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	put_disk(rsinfo, "data directory", ".");
	put_disk(rsinfo, "WAL", "pg_wal");
	SPI_connect();
	spi_exec("SELECT t.oid::pg_catalog.text AS oid, t.spcname FROM pg_catalog.pg_tablespace AS t"
			 " WHERE pg_catalog.pg_tablespace_location(t.oid) OPERATOR(pg_catalog.<>) '' ORDER BY t.spcname",
			 SPI_OK_SELECT, 0, NULL);
	for (uint64 row = 0; row < SPI_processed; row++)
		put_disk(rsinfo, psprintf("tablespace %s", spi_text(row, "spcname")),
				 psprintf("pg_tblspc/%s", spi_text(row, "oid")));
	SPI_finish();
	return (Datum) 0;
}

/* A row about the file system that a path, below the data directory, is on. */
static void
put_disk(ReturnSetInfo *rsinfo, const char *place, const char *path)
{
	Datum		values[5] = {CStringGetTextDatum(place)};
	bool		nulls[5] = {false, true, true, true, true};
	struct stat st;
	struct statvfs fs;

	if (stat(path, &st) != 0 || statvfs(path, &fs) != 0)
	{
		values[4] = CStringGetTextDatum(strerror(errno));
		nulls[4] = false;
	}
	else
	{
		uint64		unit = fs.f_frsize > 0 ? fs.f_frsize : fs.f_bsize;

		values[1] = Int64GetDatum((int64) st.st_dev);
		values[2] = Int64GetDatum((int64) (fs.f_blocks * unit));
		values[3] = Int64GetDatum((int64) (fs.f_bavail * unit));
		nulls[1] = nulls[2] = nulls[3] = false;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}
