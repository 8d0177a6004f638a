/* relay/intake/guard.h - failed logins, counted for each address, IPv6 network and login: delays, bans and locks. Belongs to main.
 *
 * A pure model: it is handed the time and asks no clock. A count is a level that rises by one with each failure and leaks away evenly, as
 * many in `window` as lead to a ban or lock. Memory is bounded: the longest unused go first, those banned or locked last. */
#ifndef INTAKE_GUARD_H
#define INTAKE_GUARD_H

#include "base/ip.h"
#include "conf/conf.h"

struct guard;

enum guard_kind { GUARD_ADDRESS, GUARD_NETWORK, GUARD_LOGIN, GUARD_KINDS };

/* One ban or lock. */
struct guard_ban {
	enum guard_kind kind;
	const char *name;   /* "192.0.2.1", "2001:db8::/64" or the user; borrowed for the call */
	mono_ms until;
	uint64_t failures;  /* in all, since it is remembered */
	uint32_t times;     /* that it was banned in a row: each time is longer than the one before */
};

/* What becomes of a ban or lock: failures have led to it, its time is over, the operator has ended it. */
enum guard_change { GUARD_BEGINS, GUARD_ENDS, GUARD_IS_LIFTED };
typedef void (*guard_notice)(void *arg, enum guard_change change, const struct guard_ban *ban, mono_ms now);

struct guard_figures {
	uint64_t failures, bans, locks, refused; /* since start; refused: connections */
	size_t banned, locked, entries; /* now */
};

/* Never NULL. entries_max: records of each kind. `notice` may be NULL; it must not call back. */
struct guard *guard_create(size_t entries_max, guard_notice notice, void *arg) MUST_USE;
void guard_destroy(struct guard **guard);

/* Use other limits; borrowed until the next call. What is banned stays so for its time. */
void guard_configure(struct guard *guard, const struct conf_bruteforce *limits);

/* Whether a new connection from there is to be refused; one that is gets counted. */
bool guard_refuses(struct guard *guard, const struct ip_addr *addr, mono_ms now);

/* Whether the address or its network is banned. */
bool guard_is_banned(struct guard *guard, const struct ip_addr *addr, mono_ms now);

/* Whether AUTH as `user` is refused from there: it is locked, and no login from there has succeeded within 30 days. */
bool guard_is_locked(struct guard *guard, const struct ip_addr *addr, const char *user, mono_ms now);

/* A login has failed. Returns the wait before the client hears so, in ms. */
int64_t guard_fail(struct guard *guard, const struct ip_addr *addr, const char *user, mono_ms now);

/* A login has succeeded: it may go on from there while it is locked. No count falls by it, or one good login would pay for many guesses. */
void guard_succeed(struct guard *guard, const struct ip_addr *addr, const char *user, mono_ms now);

/* End the bans and locks of that name and forget its failures. False: there are none. */
bool guard_lift(struct guard *guard, const char *name, mono_ms now);

/* Put back a ban or lock of an earlier run, still in force until `until`; nothing is told. One whose time is over only counts for the length of the
 * next one. A name too long for its kind is left out. */
void guard_restore(struct guard *guard, const struct guard_ban *ban, mono_ms now);

/* Notice what has ended by itself. */
void guard_expire(struct guard *guard, mono_ms now);

/* Every ban and lock in force; `fn` must not call back. */
void guard_walk(struct guard *guard, mono_ms now, void (*fn)(void *arg, const struct guard_ban *ban), void *arg);

/* What has been counted so far, and what is in force now. */
void guard_figures_read(const struct guard *guard, struct guard_figures *out);

#endif
