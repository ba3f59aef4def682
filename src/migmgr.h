/*
 * migmgr.h
 *	  Names that every room shares.
 */
#ifndef MIGMGR_H
#define MIGMGR_H

#define MIGMGR_EXTENSION	"migmgr"
#define MIGMGR_SCHEMA		"migmgr"
#define MIGMGR_INTERNAL		"migmgr_internal"
#define MIGMGR_ARCHIVE		"migmgr_archive_"	/* and a number */

#endif							/* MIGMGR_H */
