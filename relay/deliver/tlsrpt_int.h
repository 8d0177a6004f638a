/* relay/deliver/tlsrpt_int.h - what the files of TLS reports share; included by tlsrpt*.c alone. */
#ifndef DELIVER_TLSRPT_INT_H
#define DELIVER_TLSRPT_INT_H

#include "base/rand.h"
#include "base/table.h"
#include "relay/deliver/tlsrpt.h"
#include "relay/notify/tls_rua.h"

enum day_state {
	DAY_ASKING,   /* whether the domain wants reports */
	DAY_WANTED,
	DAY_SENDING,
};

/* The figures of one domain and day, or of a part of it that is to be sent by itself. */
struct tls_day {
	char *key;            /* "START/DOMAIN", START in seconds: name of the note behind its prefix */
	struct tlsrpt *tlsrpt;
	struct tls_figures *figures;
	enum day_state state;
	bool dirty;           /* the store does not have it yet */
	wall_ms send_at;      /* 0: the day is not over */
	struct dns_query *query;
	struct tls_rua *rua;  /* once it has been sent or tried */
	unsigned tries;       /* of this run */
	unsigned open;        /* places that are being told */
	bool failed;          /* one of them could not be told */
	struct tls_place {
		struct tls_day *day;
		struct fetch *fetch; /* under way */
	} places[TLS_RUA_MAX];
	UT_hash_handle hh;
};

struct tlsrpt {
	struct tlsrpt_env env;
	struct conf *conf;
	struct resolver *resolver;
	struct rand rand;
	struct timer tick, flush;
	bool flush_due;
	struct tls_day *days; /* by key */
	wall_ms unwanted_day; /* of `unwanted`: its start */
	struct tls_unwanted *unwanted;
};

struct tlsrpt_mail {
	struct tls_day *day;
	size_t place;
	struct tls_mail *mail;
};

/* tlsrpt.c */
void tls_day_write(struct tls_day *day); /* into the store */
void tls_day_drop(struct tls_day *day); /* from memory and store */
void tls_day_ask(struct tls_day *day, dns_fn fn);

/* tlsrpt_unwanted.c: domains that want no reports on the day that starts then; those of another day are forgotten */
bool tls_unwanted_has(struct tlsrpt *tlsrpt, const char *domain, wall_ms day);
void tls_unwanted_add(struct tlsrpt *tlsrpt, const char *domain, wall_ms day);
void tls_unwanted_clear(struct tlsrpt *tlsrpt);

/* tlsrpt_send.c */
void tls_day_send(struct tls_day *day);
void tls_day_cancel(struct tls_day *day); /* what is under way but for mail */
void tls_day_on_send_txt(void *arg, const struct dns_answer *answer);

#endif
