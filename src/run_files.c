/*
 * run_files.c
 *	  What compare_files() has seen of a version: its checksum, and which
 *	  versions before it are still to be applied.
 *
 * The list is one ledger entry and may be long, so each session takes it apart
 * once and keeps it, with a mark at every version that is applied.  From then
 * on it reads the entries that came since.  The chain tells when that is not
 * enough: as long as the newest entry it has read is there with its hash, all
 * before it is as it was.
 *
 * Asked under the APPLY lock, like all of run_history.c.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "errors.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "run.h"
#include "spi_util.h"

typedef struct RememberedFile
{
	char	   *key;			/* by which versions sort; no two have the
								 * same */
	char	   *version;
	char	   *checksum;
	bool		applied;
} RememberedFile;

/* the files of the last listing as they stand after entry seq */
typedef struct RememberedFiles
{
	MemoryContext context;
	char	   *listing;		/* hash of the entry that has the list */
	bool		diverged;		/* it named versions that are in dispute */
	int64		seq;
	char	   *hash;
	int			nfiles;
	RememberedFile *files;		/* in the order of versions */
} RememberedFiles;

static RememberedFiles *remembered = NULL;

/* DONE_EVENTS and UNDONE_EVENTS; a baseline says something of many versions */
static const char *const done_events[] = {
	"applied", "captured", "imported", "marked applied", "renamed", "superseded", NULL
};
static const char *const undone_events[] = {"rolled back", "renamed away", NULL};
static const char *const mass_events[] = {"baseline", "marked reverted", NULL};

static void refresh_files(void);
static bool is_replaced(const RunRequest *request, const char *version);
static bool is_one_of(const char *event, const char *const *events);
static bool read_on(RememberedFiles *files, OwnTable *table);
static void load_files(const char *listing);
static RememberedFile *find_file(RememberedFiles *files, const char *version);

/* The checksum that compare_files() remembers for a version, or NULL. */
const char *
remembered_checksum(const char *version)
{
	RememberedFile *file;

	refresh_files();
	file = remembered == NULL ? NULL : find_file(remembered, version);
	return file == NULL ? NULL : pstrdup(file->checksum);
}

/*
 * The first version before the requested one that is remembered, not applied,
 * and not one that it replaces.
 */
const char *
remembered_missing(const RunRequest *request)
{
	char	   *key;

	refresh_files();
	if (remembered == NULL)
		return NULL;
	key = script_version_key(request->version);
	for (int i = 0; i < remembered->nfiles; i++)
	{
		const RememberedFile *file = &remembered->files[i];

		if (strcmp(file->key, key) >= 0)
			break;
		if (!file->applied && !is_replaced(request, file->version))
			return pstrdup(file->version);
	}
	return NULL;
}

/*
 * Raises MG225 while what compare_files() has seen contradicts what is applied:
 * a version with another text, or without a file.  What was settled since, and
 * what was applied since, does not count.
 */
void
check_divergence(const RunRequest *request)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	char	   *lines = NULL;

	refresh_files();
	if (remembered == NULL || !remembered->diverged || request->options.allow_divergence)
		return;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT migmgr_internal.dispute_lines() AS lines", SPI_OK_SELECT, 0, NULL);
	if (spi_text(0, "lines") != NULL)
		lines = MemoryContextStrdup(context, spi_text(0, "lines"));
	record_end(&scope);
	SPI_finish();
	if (lines != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DIVERGED),
				 errmsg("cannot apply \"%s\": the remembered files diverge from what is applied here", request->version),
				 errdetail("%s", lines),
				 errhint("SELECT * FROM migmgr.compare_files(listing); says how to settle each; or pass options => '{\"allow_divergence\": true}'.")));
}

/* Makes the list that of the ledger now; none when there is no listing. */
static void
refresh_files(void)
{
	OwnTable   *table = own_open(MIGMGR_SCHEMA, "ledger", AccessShareLock);
	char	   *listing = NULL;

	own_scan(table, "ledger_event", BackwardScanDirection, BTEqualStrategyNumber,
			 CStringGetTextDatum("files"));
	if (own_next(table))
		listing = own_text(table, "hash");

	if (remembered != NULL &&
		(listing == NULL || strcmp(listing, remembered->listing) != 0 ||
		 !read_on(remembered, table)))
	{
		MemoryContextDelete(remembered->context);
		remembered = NULL;
	}
	own_close(table);
	if (remembered == NULL && listing != NULL)
		load_files(listing);
}

static bool
is_replaced(const RunRequest *request, const char *version)
{
	ListCell   *lc;

	foreach(lc, request->replaces)
	{
		if (strcmp(lfirst(lc), version) == 0)
			return true;
	}
	return false;
}

static bool
is_one_of(const char *event, const char *const *events)
{
	for (; *events != NULL; events++)
	{
		if (strcmp(event, *events) == 0)
			return true;
	}
	return false;
}

/* Reads the entries since the last time; false when the chain is another. */
static bool
read_on(RememberedFiles *files, OwnTable *table)
{
	own_scan(table, "ledger_pkey", ForwardScanDirection, BTGreaterEqualStrategyNumber,
			 Int64GetDatum(files->seq));
	if (!own_next(table) || own_int64(table, "seq") != files->seq ||
		strcmp(own_text(table, "hash"), files->hash) != 0)
		return false;

	while (own_next(table))
	{
		char	   *event = own_text(table, "event");
		char	   *version = own_text(table, "version");
		RememberedFile *file = version == NULL ? NULL : find_file(files, version);

		if (version != NULL && is_one_of(event, mass_events))
			return false;
		if (file != NULL && is_one_of(event, done_events))
			file->applied = true;
		if (file != NULL && is_one_of(event, undone_events))
			file->applied = false;
		files->seq = own_int64(table, "seq");
		strlcpy(files->hash, own_text(table, "hash"), strlen(files->hash) + 1);
	}
	return true;
}

/* Takes the listing with this hash apart. */
static void
load_files(const char *listing)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "migmgr remembered files",
												  ALLOCSET_DEFAULT_SIZES);
	RememberedFiles *files = MemoryContextAllocZero(context, sizeof(RememberedFiles));
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	files->context = context;
	files->listing = MemoryContextStrdup(context, listing);
	spi_exec("SELECT l.seq, l.hash, EXISTS (SELECT FROM migmgr_internal.disputed_versions()) AS diverged"
			 " FROM migmgr.ledger AS l ORDER BY l.seq DESC LIMIT 1",
			 SPI_OK_SELECT, 0, NULL);
	files->diverged = spi_bool(0, "diverged", false);
	files->seq = spi_int64(0, "seq", 0);
	files->hash = MemoryContextStrdup(context, spi_text(0, "hash"));

	spi_exec("SELECT DISTINCT ON (k.key) k.key, f.version, f.checksum,"
			 " COALESCE((SELECT l.event IN (" DONE_EVENTS ") FROM migmgr.ledger AS l WHERE l.version = f.version"
			 "   AND l.event IN (" DONE_EVENTS ", " UNDONE_EVENTS ") ORDER BY l.seq DESC LIMIT 1), false)"
			 " OR EXISTS (SELECT FROM migmgr.ledger AS b WHERE b.event = 'baseline'"
			 "   AND migmgr_internal.version_key(b.version) COLLATE pg_catalog.\"C\" >= k.key"
			 "   AND NOT EXISTS (SELECT FROM migmgr.ledger AS r WHERE r.version = b.version AND r.seq > b.seq"
			 "     AND r.event IN (" DONE_EVENTS ", " UNDONE_EVENTS "))) AS applied"
			 " FROM migmgr_internal.remembered_files() AS f"
			 " CROSS JOIN LATERAL (SELECT migmgr_internal.version_key(f.version) COLLATE pg_catalog.\"C\" AS key) AS k"
			 " WHERE f.version IS NOT NULL AND f.checksum IS NOT NULL ORDER BY k.key",
			 SPI_OK_SELECT, 0, NULL);
	files->nfiles = (int) SPI_processed;
	files->files = MemoryContextAllocHuge(context, Max(files->nfiles, 1) * sizeof(RememberedFile));
	for (int i = 0; i < files->nfiles; i++)
	{
		RememberedFile *file = &files->files[i];

		file->key = MemoryContextStrdup(context, spi_text(i, "key"));
		file->version = MemoryContextStrdup(context, spi_text(i, "version"));
		file->checksum = MemoryContextStrdup(context, spi_text(i, "checksum"));
		file->applied = spi_bool(i, "applied", false);
	}

	record_end(&scope);
	SPI_finish();

	MemoryContextSetParent(context, TopMemoryContext);
	remembered = files;
}

/* The file of a version, or NULL. */
static RememberedFile *
find_file(RememberedFiles *files, const char *version)
{
	char	   *key = script_version_key(version);
	int			low = 0,
				high = files->nfiles;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		int			order = strcmp(files->files[middle].key, key);

		if (order == 0)
			return &files->files[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
