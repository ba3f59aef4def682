/*
 * script_text.h
 *	  What the parts of the script room share about text.
 */
#ifndef MIGMGR_SCRIPT_TEXT_H
#define MIGMGR_SCRIPT_TEXT_H

extern char *script_clean(const char *sql, bool newline_dropped);
extern int	script_line(const char *sql, int from, int to);
extern char *script_excerpt(const char *sql, int offset, int end);

#endif							/* MIGMGR_SCRIPT_TEXT_H */
