/* relay/ops/metrics.c - the figures of /metrics, in Prometheus' text format. */
#include "relay/ops/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/version.h"
#include "relay/intake/usage.h"

#define OTHER "other"

struct place {
	char *name; /* "" is the total */
	UT_hash_handle hh;
	struct sched_counts waiting;
	struct queue_counts counts;
};

struct places {
	struct place *table;
	struct place total, other;
	wall_ms now;
};

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static struct place *place_of(struct places *places, const char *name)
{
	struct place *place;

	if (name[0] == '\0')
		return &places->total;
	HASH_FIND_STR(places->table, name, place);
	if (place != NULL)
		return place;
	place = xcalloc(1, sizeof(*place));
	place->name = xstrdup(name);
	HASH_ADD_KEYPTR(hh, places->table, place->name, strlen(place->name), place);
	return place;
}

static void add_waiting(struct sched_counts *sum, const struct sched_counts *add)
{
	sum->waiting += add->waiting;
	sum->deferred += add->deferred;
	sum->active += add->active;
	sum->held += add->held;
	sum->blocked += add->blocked;
	sum->connections += add->connections;
	if (add->oldest != 0 && (sum->oldest == 0 || add->oldest < sum->oldest))
		sum->oldest = add->oldest;
}

static void on_scheduled(void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons, wall_ms ask_again)
{
	add_waiting(&place_of(arg, destination)->waiting, counts);
}

static void on_counted(void *arg, const char *destination, const struct queue_counts *counts)
{
	place_of(arg, destination)->counts = *counts;
}

static uint64_t weight(const struct place *place)
{
	return place->waiting.waiting + place->waiting.deferred + place->waiting.active + place->waiting.held + place->waiting.blocked + place->counts.delivered +
	    place->counts.bounced;
}

static int by_weight(struct place *a, struct place *b)
{
	uint64_t x = weight(a), y = weight(b);

	return x != y ? (x < y ? 1 : -1) : strcmp(a->name, b->name);
}

static void forget(struct places *places, struct place *place)
{
	HASH_DEL(places->table, place);
	free(place->name);
	free(place);
}

/* So many labels and no more: whoever sends to ten thousand domains must not fill the memory of who watches. */
static void sum_up_others(struct places *places)
{
	struct place *place, *next;
	unsigned n = 0;

	HASH_SORT(places->table, by_weight);
	HASH_ITER(hh, places->table, place, next) {
		if (n++ < METRICS_DESTINATIONS)
			continue;
		add_waiting(&places->other.waiting, &place->waiting);
		places->other.counts.delivered += place->counts.delivered;
		places->other.counts.bounced += place->counts.bounced;
		forget(places, place);
	}
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

struct writer {
	struct buf *out;
	enum err err; /* the first one */
};

static void head(struct writer *w, const char *name, const char *type, const char *help)
{
	if (w->err == OK)
		w->err = buf_printf(w->out, "# HELP warmrelay_%s %s\n# TYPE warmrelay_%s %s\n", name, help, name, type);
}

static void value(struct writer *w, const char *name, uint64_t number)
{
	if (w->err == OK)
		w->err = buf_printf(w->out, "warmrelay_%s %" PRIu64 "\n", name, number);
}

static void label(struct writer *w, const char *text)
{
	for (; *text != '\0' && w->err == OK; text++) {
		if (*text == '\\' || *text == '"')
			w->err = buf_add(w->out, "\\", 1);
		if (w->err == OK)
			w->err = buf_add(w->out, *text == '\n' ? " " : text, 1);
	}
}

static void single(struct writer *w, const char *name, const char *type, const char *help, uint64_t number)
{
	head(w, name, type, help);
	value(w, name, number);
}

static void with_destination(struct writer *w, const char *name, const char *destination, const char *state, uint64_t number)
{
	if (w->err == OK)
		w->err = buf_printf(w->out, "warmrelay_%s{destination=\"", name);
	label(w, destination);
	if (w->err != OK)
		return;
	w->err = state != NULL ? buf_printf(w->out, "\",state=\"%s\"} %" PRIu64 "\n", state, number) :
	    buf_printf(w->out, "\"} %" PRIu64 "\n", number);
}

static void with_label(struct writer *w, const char *name, const char *key, const char *text, uint64_t number)
{
	if (w->err == OK)
		w->err = buf_printf(w->out, "warmrelay_%s{%s=\"", name, key);
	label(w, text);
	if (w->err == OK)
		w->err = buf_printf(w->out, "\"} %" PRIu64 "\n", number);
}

static const struct {
	const char *name;
	size_t offset;
} states[] = {
	{ "waiting", offsetof(struct sched_counts, waiting) },
	{ "deferred", offsetof(struct sched_counts, deferred) },
	{ "active", offsetof(struct sched_counts, active) },
	{ "held", offsetof(struct sched_counts, held) },
	{ "blocked", offsetof(struct sched_counts, blocked) },
};

static uint64_t in_state(const struct sched_counts *counts, size_t i)
{
	return *(const uint64_t *)(const void *)((const char *)counts + states[i].offset);
}

static void write_recipients(struct writer *w, const struct places *places)
{
	const struct queue_counts *counts = &places->total.counts;
	wall_ms oldest = places->total.waiting.oldest;

	single(w, "accepted_recipients_total", "counter", "Recipients taken into the queue.", counts->accepted);
	single(w, "delivered_recipients_total", "counter", "Recipients that the receiving server has taken.", counts->delivered);
	single(w, "bounced_recipients_total", "counter", "Recipients given back to their sender.", counts->bounced);
	single(w, "dropped_recipients_total", "counter", "Recipients removed by the operator.", counts->dropped);
	single(w, "in_doubt_recipients_total", "counter", "Recipients that may have their message already: a crash or a lost connection hid the answer to it.", counts->in_doubt);
	head(w, "queue_recipients", "gauge", "Recipients in the queue.");
	for (size_t i = 0; i < ARRAY_LEN(states) && w->err == OK; i++)
		w->err = buf_printf(w->out, "warmrelay_queue_recipients{state=\"%s\"} %" PRIu64 "\n", states[i].name, in_state(&places->total.waiting, i));
	single(w, "queue_oldest_seconds", "gauge", "Age of the oldest message that waits.",
	    oldest != 0 && oldest < places->now ? (uint64_t)(places->now - oldest) / 1000 : 0);
}

/* Parts that add up: what was authenticated is counted as such alone. */
static void write_hops(struct writer *w, const struct hops_counts *hops)
{
	head(w, "last_hop_recipients_total", "counter", "Recipients delivered, by what protected the last hop: none, or TLS and how the server was authenticated.");
	with_label(w, "last_hop_recipients_total", "tls", "none", hops->plaintext);
	with_label(w, "last_hop_recipients_total", "tls", "unverified", hops->tls - hops->dane - hops->verified);
	with_label(w, "last_hop_recipients_total", "tls", "verified", hops->verified);
	with_label(w, "last_hop_recipients_total", "tls", "dane", hops->dane);
}

static void write_intake(struct writer *w, const struct metrics_intake *intake)
{
	single(w, "intake_connections", "gauge", "Clients connected.", intake->connections);
	single(w, "intake_sessions_total", "counter", "Clients that have connected.", intake->sessions);
	single(w, "intake_refused_sessions_total", "counter", "Clients turned away at once.", intake->refused_sessions);
	single(w, "intake_messages_total", "counter", "Messages accepted.", intake->messages);
	single(w, "intake_refused_recipients_total", "counter", "Recipients refused.", intake->refused_rcpts);
	single(w, "intake_suppressed_recipients_total", "counter", "Recipients accepted and dropped, as their address is suppressed.",
	    intake->suppressed_rcpts);
	single(w, "auth_failures_total", "counter", "Failed logins.", intake->auth_failures);
}

static void write_guard(struct writer *w, const struct guard *guard)
{
	struct guard_figures figures;

	if (guard == NULL)
		return;
	guard_figures_read(guard, &figures);
	single(w, "bans_total", "counter", "Bans of addresses and networks after failed logins.", figures.bans);
	single(w, "login_locks_total", "counter", "Logins locked because somebody guessed at them.", figures.locks);
	single(w, "banned_connections_total", "counter", "Connections refused because of a ban.", figures.refused);
	single(w, "banned", "gauge", "Addresses and networks that are banned.", figures.banned);
	single(w, "logins_locked", "gauge", "Logins that are locked.", figures.locked);
}

#define TENANTS_SHOWN 500 /* of the configuration, in its order */

enum use { USE_CONNECTIONS, USE_HOUR, USE_DAY, USES };

static void write_tenants(struct writer *w, const struct conf *conf, wall_ms now)
{
	static const char *const names[USES][2] = {
		[USE_CONNECTIONS] = { "tenant_connections", "Connections of a tenant." },
		[USE_HOUR] = { "tenant_hour_recipients", "Recipients that a tenant has handed in within the last hour." },
		[USE_DAY] = { "tenant_day_recipients", "The same within the last day." },
	};

	for (enum use use = 0; use < USES; use++) {
		head(w, names[use][0], "gauge", names[use][1]);
		for (size_t i = 0; i < conf->tenant_count && i < TENANTS_SHOWN; i++) {
			uint32_t connections;
			uint64_t hour, day;

			usage_read(&conf->tenants[i], now, &connections, &hour, &day);
			with_label(w, names[use][0], "tenant", conf->tenants[i].name, use == USE_CONNECTIONS ? connections : use == USE_HOUR ? hour : day);
		}
	}
}

static void write_store(struct writer *w, const struct ops_env *env)
{
	struct queue_figures figures;

	queue_figures(env->queue, &figures);
	single(w, "store_commits_total", "counter", "Transactions of the store, each with a sync.", figures.commits);
	single(w, "store_rows_total", "counter", "Rows written.", figures.rows);
	single(w, "store_body_bytes_total", "counter", "Bytes of bodies written.", figures.chunk_bytes);
	single(w, "store_used_bytes", "gauge", "Room in use.", figures.used_bytes);
	single(w, "dead_letters", "gauge", "Recipients that bounced or expired and are kept.", figures.dead_letters);
	single(w, "dead_letter_bytes", "gauge", "What they keep in the store.", figures.dead_bytes);
	single(w, "store_quota_bytes", "gauge", "limits.disk, 0: none.", figures.quota_bytes);
	single(w, "store_free_bytes", "gauge", "Free on the file system.", figures.free_bytes);
	single(w, "store_pending_requests", "gauge", "Requests that wait for the next transaction.", figures.pending);
	single(w, "sched_jobs", "gauge", "Entries of the scheduler.", sched_job_count(env->sched));
	single(w, "sched_bytes", "gauge", "Memory of those entries.", sched_memory(env->sched));
	single(w, "sched_complete", "gauge", "1 once all entries were read back from the store after the start.", dispatch_complete(env->dispatch));
}

static void write_info(struct writer *w, const struct ops_env *env)
{
	head(w, "info", "gauge", "Version of the program.");
	if (w->err == OK)
		w->err = buf_printf(w->out, "warmrelay_info{version=\"%s\"} 1\n", WARMRELAY_VERSION);
	single(w, "start_time_seconds", "gauge", "When the daemon was started.", (uint64_t)env->started / 1000);
}

typedef void (*place_fn)(struct writer *w, const struct place *place, const char *name);

static void place_states(struct writer *w, const struct place *place, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		with_destination(w, "destination_recipients", name, states[i].name, in_state(&place->waiting, i));
}

static void place_connections(struct writer *w, const struct place *place, const char *name)
{
	with_destination(w, "destination_connections", name, NULL, place->waiting.connections);
}

static void place_delivered(struct writer *w, const struct place *place, const char *name)
{
	with_destination(w, "destination_delivered_total", name, NULL, place->counts.delivered);
}

static void place_bounced(struct writer *w, const struct place *place, const char *name)
{
	with_destination(w, "destination_bounced_total", name, NULL, place->counts.bounced);
}

static void each_place(struct writer *w, const struct places *places, place_fn fn)
{
	for (const struct place *place = places->table; place != NULL; place = place->hh.next)
		fn(w, place, place->name);
	fn(w, &places->other, OTHER);
}

static void write_places(struct writer *w, const struct places *places)
{
	single(w, "delivery_connections", "gauge", "Connections to receiving servers.", places->total.waiting.connections);
	head(w, "destination_recipients", "gauge", "Recipients in the queue, by destination.");
	each_place(w, places, place_states);
	head(w, "destination_connections", "gauge", "Connections, by destination.");
	each_place(w, places, place_connections);
	head(w, "destination_delivered_total", "counter", "Recipients delivered, by destination.");
	each_place(w, places, place_delivered);
	head(w, "destination_bounced_total", "counter", "Recipients bounced, by destination.");
	each_place(w, places, place_bounced);
}

/* --- lanes ---------------------------------------------------------------------------------------------------------------- */

#define LANES_SHOWN 100 /* that are not open; whoever has thousands in trouble looks at the sums */

struct lanes {
	struct writer *w;
	unsigned shown;
};

static void write_lane(void *arg, const struct sched_lane_view *view)
{
	struct lanes *lanes = arg;
	struct writer *w = lanes->w;

	if (view->state == LANE_OPEN || lanes->shown == LANES_SHOWN || w->err != OK)
		return;
	lanes->shown++;
	w->err = buf_printf(w->out, "warmrelay_lane_state{source=\"");
	label(w, view->source);
	if (w->err == OK)
		w->err = buf_printf(w->out, "\",destination=\"");
	label(w, view->destination);
	if (w->err == OK)
		w->err = buf_printf(w->out, "\",state=\"%s\"} 1\n", sched_lane_state_name(view->state));
}

static void write_lanes(struct writer *w, const struct ops_env *env, wall_ms now)
{
	const uint32_t *counts = sched_lane_states(env->sched);
	struct lanes lanes = { .w = w };

	head(w, "lanes", "gauge", "Lanes, a source towards a destination each, by state.");
	for (enum sched_lane_state state = LANE_OPEN; state < LANE_STATES && w->err == OK; state++)
		w->err = buf_printf(w->out, "warmrelay_lanes{state=\"%s\"} %" PRIu32 "\n", sched_lane_state_name(state), counts[state]);
	head(w, "lane_state", "gauge", "Lanes that are slow, probing or closed; a hundred at most.");
	sched_lanes_read(env->sched, now, write_lane, &lanes);
	if (env->dispatch)
		single(w, "hosts_down", "gauge", "Addresses of receiving servers that are known as down.",
		    hostmap_count_down(dispatch_hosts(env->dispatch)));
}

enum err metrics_write(const struct ops_env *env, const struct metrics_intake *intake, struct buf *out)
{
	struct places places = { .now = dispatch_now(env->dispatch) };
	struct writer w = { .out = out };
	struct place *place, *next;
	struct err_detail why;

	sched_counts_read(env->sched, places.now, on_scheduled, &places);
	w.err = queue_counts_read(env->reader, on_counted, &places, &why);
	sum_up_others(&places);
	write_info(&w, env);
	write_recipients(&w, &places);
	write_hops(&w, dispatch_hops(env->dispatch));
	write_intake(&w, intake);
	write_guard(&w, env->guard);
	write_tenants(&w, env->conf(env->arg), places.now);
	write_store(&w, env);
	write_places(&w, &places);
	write_lanes(&w, env, places.now);
	single(&w, "dnssec_trouble", "gauge", "1 while DNSSEC is wanted and not in force (dns.validate).", dispatch_dnssec_trouble(env->dispatch) != NULL);
	HASH_ITER(hh, places.table, place, next)
		forget(&places, place);
	return w.err;
}
