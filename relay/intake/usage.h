/* relay/intake/usage.h - what each tenant uses: connections now, recipients in the last hour and day.
 *
 * Main makes and attaches the objects; sessions on all workers count in them without a lock. They outlive configurations, by name. */
#ifndef INTAKE_USAGE_H
#define INTAKE_USAGE_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/intake/quota.h"

struct usage;

/* --- main ---------------------------------------------------------------------------------------------------------------- */

/* All tenants that ever were in this run. */
struct usages;

struct usages *usages_create(void) MUST_USE; /* never NULL */

/* Quotas as they were stored. A record that does not decode is begun anew, with a warning. Before anything is attached. */
MUST_USE enum err usages_load(struct usages *usages, struct queue_reader *reader, struct err_detail *why);

/* Give each tenant of a snapshot its object, before the snapshot is shared. */
void usages_attach(struct usages *usages, struct conf *conf);

/* After the queue has been closed and all sessions have ended. Sets the pointer to NULL. */
void usages_destroy(struct usages **usages);

/* --- any thread ---------------------------------------------------------------------------------------------------------- */

/* One connection more; false: there are `limit` already (0: any number), and it was not counted. NULL is taken and counts nothing. */
bool usage_connect(struct usage *usage, uint32_t limit) MUST_USE;
/* The same for a session whose rights changed while it went on: always counted. */
void usage_join(struct usage *usage);
void usage_leave(struct usage *usage);

/* One recipient more of the tenant, see quota_take. `expire_ms`: no delivery is put off longer. Nobody counts where there is no quota. */
MUST_USE enum err usage_take(const struct conf_tenant *tenant, wall_ms now, int64_t expire_ms, wall_ms *when_out);
void usage_give(const struct conf_tenant *tenant, wall_ms when);

/* What is written along with the tenant's mail; NULL: nothing. */
struct queue_memo *usage_memo(const struct conf_tenant *tenant);

/* For show: connections and recipients. */
void usage_read(const struct conf_tenant *tenant, wall_ms now, uint32_t *connections_out, uint64_t *hour_out, uint64_t *day_out);

#endif
