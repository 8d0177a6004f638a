/* relay/intake/guard.c - failed logins, counted for each address, IPv6 network and login: delays, bans and locks. */
#include "relay/intake/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define UNIT       1000     /* of a level: one failure */
#define KNOWN_MS   DAYS(30)
#define SPARE_LOOK 16       /* records that are looked at for one that is not in force */

/* One name of a kind. uthash keeps the order in which they were added; a use adds anew, so that the first is the longest unused. */
struct record {
	UT_hash_handle hh;
	int64_t level;     /* in 1/UNIT, at `seen` */
	mono_ms seen;
	mono_ms until;     /* 0: not in force */
	mono_ms ended;     /* of the last ban; 0: none */
	uint64_t failures;
	uint32_t times;
	char name[];
};

struct guard {
	struct record *records[GUARD_KINDS];
	struct record *known; /* "ADDRESS USER" of logins that succeeded */
	size_t entries_max, in_force[GUARD_KINDS];
	const struct conf_bruteforce *limits;
	guard_notice notice;
	void *arg;
	struct guard_figures figures;
};

/* --- names ---------------------------------------------------------------------------------------------------------------- */

#define NAME_MAX_LEN 320 /* of a login, or of an address and a login */

static void address_name(const struct ip_addr *addr, char out[NAME_MAX_LEN])
{
	struct ip_addr plain = *addr;

	ip_unmap(&plain);
	(void)ip_format(&plain, out);
}

/* The /64 that an IPv6 address lies in: one customer has at least that many addresses. False: IPv4. */
static bool network_name(const struct ip_addr *addr, char out[NAME_MAX_LEN])
{
	struct ip_addr net = *addr;

	ip_unmap(&net);
	if (net.family != AF_INET6)
		return false;
	memset(net.bytes + 8, 0, 8);
	(void)ip_format(&net, out);
	memcpy(out + strlen(out), "/64", 4);
	return true;
}

static void login_name(const char *user, char out[NAME_MAX_LEN])
{
	(void)snprintf(out, NAME_MAX_LEN, "%.255s", user);
}

static void known_name(const struct ip_addr *addr, const char *user, char out[NAME_MAX_LEN])
{
	size_t len;

	if (!network_name(addr, out))
		address_name(addr, out);
	len = strlen(out);
	(void)snprintf(out + len, NAME_MAX_LEN - len, " %.255s", user);
}

/* --- records --------------------------------------------------------------------------------------------------------------- */

static struct record *find(struct record *table, const char *name)
{
	struct record *r;

	HASH_FIND_STR(table, name, r);
	return r;
}

/* The longest unused, but for those in force as far as can be seen quickly. */
static struct record *choose_victim(struct record *table)
{
	struct record *r = table;

	for (unsigned i = 0; i < SPARE_LOOK && r; i++, r = r->hh.next)
		if (r->until == 0)
			return r;
	return table;
}

static struct record *record_use(struct guard *guard, struct record **table, size_t *in_force, const char *name)
{
	struct record *r = find(*table, name), *victim;
	size_t len = strlen(name);

	if (r) {
		HASH_DEL(*table, r);
	} else {
		if (HASH_COUNT(*table) >= guard->entries_max) {
			victim = choose_victim(*table);
			if (victim->until != 0)
				(*in_force)--;
			HASH_DEL(*table, victim);
			free(victim);
		}
		r = xcalloc(1, sizeof(*r) + len + 1);
		memcpy(r->name, name, len + 1);
	}
	HASH_ADD_STR(*table, name, r);
	return r;
}

static void clear(struct record **table)
{
	struct record *r, *next;

	HASH_ITER(hh, *table, r, next) {
		HASH_DEL(*table, r);
		free(r);
	}
}

/* --- bans ------------------------------------------------------------------------------------------------------------------ */

static void tell(const struct guard *guard, enum guard_change change, enum guard_kind kind, const struct record *r, mono_ms now)
{
	struct guard_ban ban = { .kind = kind, .name = r->name, .until = r->until, .failures = r->failures, .times = r->times };

	if (guard->notice)
		guard->notice(guard->arg, change, &ban, now);
}

static void end(struct guard *guard, enum guard_change change, enum guard_kind kind, struct record *r, mono_ms now)
{
	tell(guard, change, kind, r, now);
	r->ended = now < r->until ? now : r->until;
	r->until = 0;
	guard->in_force[kind]--;
}

/* Whether it is in force; one whose time is over ends here. */
static bool in_force(struct guard *guard, enum guard_kind kind, const char *name, mono_ms now)
{
	struct record *r = find(guard->records[kind], name);

	if (!r || r->until == 0)
		return false;
	if (now < r->until)
		return true;
	end(guard, GUARD_ENDS, kind, r, now);
	return false;
}

static int64_t doubled(int64_t first, uint32_t times, int64_t most)
{
	while (times-- > 0 && first < most)
		first *= 2;
	return first < most ? first : most;
}

static void begin(struct guard *guard, enum guard_kind kind, struct record *r, mono_ms now)
{
	const struct conf_bruteforce *limits = guard->limits;

	if (r->until != 0)
		return;
	/* Good conduct for as long as the longest ban makes it a new story. */
	if (r->ended != 0 && now - r->ended > limits->ban_max_ms)
		r->times = 0;
	r->until = now + (kind == GUARD_LOGIN ? limits->lock_ms : doubled(limits->ban_ms, r->times, limits->ban_max_ms));
	r->times++;
	r->level = 0;
	guard->in_force[kind]++;
	if (kind == GUARD_LOGIN)
		guard->figures.locks++;
	else
		guard->figures.bans++;
	tell(guard, GUARD_BEGINS, kind, r, now);
}

/* --- counting ---------------------------------------------------------------------------------------------------------------- */

static uint32_t threshold(const struct guard *guard, enum guard_kind kind)
{
	const uint32_t by_kind[GUARD_KINDS] = {
		[GUARD_ADDRESS] = guard->limits->failures, [GUARD_NETWORK] = guard->limits->network, [GUARD_LOGIN] = guard->limits->login,
	};

	return by_kind[kind];
}

/* One more failure. Returns the level. */
static int64_t count(struct guard *guard, enum guard_kind kind, const char *name, bool exempt, mono_ms now)
{
	struct record *r = record_use(guard, &guard->records[kind], &guard->in_force[kind], name);
	int64_t most = (int64_t)threshold(guard, kind) * UNIT, age = now - r->seen, level;

	if (r->until != 0 && now >= r->until)
		end(guard, GUARD_ENDS, kind, r, now);
	/* age below window: the product stays small. */
	if (r->seen == 0 || age >= guard->limits->window_ms)
		r->level = 0;
	else if (age > 0)
		r->level -= most * age / guard->limits->window_ms;
	r->level = (r->level > 0 ? r->level : 0) + UNIT;
	r->seen = now;
	r->failures++;
	level = r->level;
	if (level > most - UNIT / 2 && !exempt)
		begin(guard, kind, r, now);
	return level;
}

static bool is_exempt(const struct guard *guard, const struct ip_addr *addr)
{
	for (size_t i = 0; i < guard->limits->exempt_count; i++)
		if (ip_net_contains(&guard->limits->exempt[i], addr))
			return true;
	return false;
}

int64_t guard_fail(struct guard *guard, const struct ip_addr *addr, const char *user, mono_ms now)
{
	const struct conf_bruteforce *limits = guard->limits;
	bool exempt = is_exempt(guard, addr);
	char name[NAME_MAX_LEN];
	int64_t level, of_network;

	guard->figures.failures++;
	login_name(user, name);
	(void)count(guard, GUARD_LOGIN, name, false, now);
	address_name(addr, name);
	level = count(guard, GUARD_ADDRESS, name, exempt, now);
	if (network_name(addr, name)) {
		of_network = count(guard, GUARD_NETWORK, name, exempt, now);
		level = level > of_network ? level : of_network;
	}
	return doubled(limits->delay_ms, (uint32_t)((level - 1) / UNIT), limits->delay_max_ms);
}

void guard_succeed(struct guard *guard, const struct ip_addr *addr, const char *user, mono_ms now)
{
	char name[NAME_MAX_LEN];
	size_t none = 0;

	known_name(addr, user, name);
	record_use(guard, &guard->known, &none, name)->seen = now;
}

/* --- questions --------------------------------------------------------------------------------------------------------------- */

bool guard_is_banned(struct guard *guard, const struct ip_addr *addr, mono_ms now)
{
	char name[NAME_MAX_LEN];

	if (guard->in_force[GUARD_ADDRESS] + guard->in_force[GUARD_NETWORK] == 0)
		return false;
	address_name(addr, name);
	if (in_force(guard, GUARD_ADDRESS, name, now))
		return true;
	return network_name(addr, name) && in_force(guard, GUARD_NETWORK, name, now);
}

bool guard_refuses(struct guard *guard, const struct ip_addr *addr, mono_ms now)
{
	bool banned = guard_is_banned(guard, addr, now);

	guard->figures.refused += banned;
	return banned;
}

bool guard_is_locked(struct guard *guard, const struct ip_addr *addr, const char *user, mono_ms now)
{
	char name[NAME_MAX_LEN];
	const struct record *known;

	login_name(user, name);
	if (!in_force(guard, GUARD_LOGIN, name, now))
		return false;
	known_name(addr, user, name);
	known = find(guard->known, name);
	return !known || now - known->seen > KNOWN_MS;
}

bool guard_lift(struct guard *guard, const char *name, mono_ms now)
{
	bool found = false;

	for (enum guard_kind kind = 0; kind < GUARD_KINDS; kind++) {
		struct record *r = find(guard->records[kind], name);

		if (!r || !in_force(guard, kind, name, now))
			continue;
		end(guard, GUARD_IS_LIFTED, kind, r, now);
		HASH_DEL(guard->records[kind], r);
		free(r);
		found = true;
	}
	return found;
}

void guard_walk(struct guard *guard, mono_ms now, void (*fn)(void *arg, const struct guard_ban *ban), void *arg)
{
	for (enum guard_kind kind = 0; kind < GUARD_KINDS; kind++) {
		for (struct record *r = guard->in_force[kind] > 0 ? guard->records[kind] : NULL; r; r = r->hh.next) {
			struct guard_ban ban = { .kind = kind, .name = r->name, .until = r->until, .failures = r->failures, .times = r->times };

			if (in_force(guard, kind, r->name, now) && fn)
				fn(arg, &ban);
		}
	}
}

void guard_restore(struct guard *guard, const struct guard_ban *ban, mono_ms now)
{
	struct record *r;

	if (strlen(ban->name) >= NAME_MAX_LEN)
		return;
	r = record_use(guard, &guard->records[ban->kind], &guard->in_force[ban->kind], ban->name);
	if (r->until != 0)
		return;
	r->seen = now;
	r->failures = ban->failures;
	r->times = ban->times;
	r->until = ban->until > now ? ban->until : 0;
	r->ended = ban->until > now ? 0 : ban->until;
	guard->in_force[ban->kind] += ban->until > now;
}

void guard_expire(struct guard *guard, mono_ms now)
{
	guard_walk(guard, now, NULL, NULL);
}

void guard_figures_read(const struct guard *guard, struct guard_figures *out)
{
	*out = guard->figures;
	out->banned = guard->in_force[GUARD_ADDRESS] + guard->in_force[GUARD_NETWORK];
	out->locked = guard->in_force[GUARD_LOGIN];
	out->entries = HASH_COUNT(guard->known);
	for (enum guard_kind kind = 0; kind < GUARD_KINDS; kind++)
		out->entries += HASH_COUNT(guard->records[kind]);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

struct guard *guard_create(size_t entries_max, guard_notice notice, void *arg)
{
	struct guard *guard = xcalloc(1, sizeof(*guard));

	guard->entries_max = entries_max;
	guard->notice = notice;
	guard->arg = arg;
	return guard;
}

void guard_destroy(struct guard **guard)
{
	struct guard *g = *guard;

	*guard = NULL;
	if (!g)
		return;
	for (enum guard_kind kind = 0; kind < GUARD_KINDS; kind++)
		clear(&g->records[kind]);
	clear(&g->known);
	free(g);
}

void guard_configure(struct guard *guard, const struct conf_bruteforce *limits)
{
	guard->limits = limits;
}
