/* relay/relayq/transfer.h - suppressed addresses out to a file and in from one. */
#ifndef RELAYQ_TRANSFER_H
#define RELAYQ_TRANSFER_H

#include <stdio.h>

#include "relay/relayq/verb.h"

/* Is it `suppress export` or `suppress import`? */
bool transfer_is_meant(const struct verb_call *call);

/*
 * Carry it out. Export writes CSV with a line of titles, or with --json the objects of `suppress list`. Import reads CSV with such a line, one
 * address a line, or such objects, and hands them to the daemon in slices; what cannot be read is told with its line, and the rest goes on.
 *
 * OPS_REFUSED: some lines could not be read or were refused; OPS_USAGE: no configuration, or the file cannot be opened.
 */
enum ops_exit transfer_run(const struct verb_call *call, FILE *out, FILE *err);

/* One line of an import as an object with address, tenant, reason, and since and until in ms where they are given. NULL: an empty line, with
 * `why` NULL, or none that can be read, with what was expected in `why`. Pure. */
json_t *transfer_read_line(const char *line, size_t len, const char **why) MUST_USE;

#endif
