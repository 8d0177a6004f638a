/* tests/unit/sched/sched_test.h - a scheduler on a fake clock with look-ups that answer at once, for the tests of this folder. */
#ifndef SCHED_TEST_H
#define SCHED_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sched/sched.h"

#define TEST_START INT64_C(1772352000000) /* 2026-03-01T08:00:00Z */
#define LANE_NONE  UINT32_MAX

#define LISTEN \
	"hostname: relay.example.net\nlisten: [{at: \"127.0.0.1:25\", tls: none, auth: none}]\nslow_start: {idle: 0s}\n"
#define TENANTS \
	"tenants:\n" \
	"  - {name: shop, from: [10.1.0.0/16], pool: main}\n" \
	"  - {name: news, from: [10.2.0.0/16], pool: main}\n"
#define SOURCES \
	"sources:\n" \
	"  - {name: a, ip: 127.0.0.2}\n" \
	"  - {name: b, ip: 127.0.0.3}\n" \
	"  - {name: six, ip: \"::1\"}\n"
#define POOLS \
	"pools:\n" \
	"  - {name: main, sources: [a, b]}\n" \
	"  - {name: mixed, sources: [a, six]}\n"
#define BASICS LISTEN TENANTS SOURCES POOLS "retry: {first: 5m, max: 4h, expire: 5d}\n"

struct world {
	struct sched *sched;
	wall_ms now;
	uint64_t ids;
};

static inline struct conf *test_conf(const char *yaml)
{
	struct conf_faults faults = { 0 };
	struct conf *conf = conf_load_text("test.yaml", yaml, strlen(yaml), &faults);

	if (conf == NULL)
		fail_msg("configuration: %s", faults.text);
	conf_faults_free(&faults);
	return conf;
}

static inline void world_open(struct world *w, const char *yaml)
{
	struct conf *conf = test_conf(yaml);

	*w = (struct world){ .sched = sched_create(conf, 1), .now = TEST_START };
	conf_unref(&conf);
}

static inline void world_close(struct world *w)
{
	sched_verify(w->sched);
	sched_destroy(&w->sched);
}

static inline void world_reload(struct world *w, const char *yaml)
{
	struct conf *conf = test_conf(yaml);

	sched_reconfigure(w->sched, conf, w->now);
	conf_unref(&conf);
	sched_verify(w->sched);
}

/* A job as intake would make it: due now, for five days, tenant shop, pool main, one recipient. */
static inline struct sched_job world_job(struct world *w, const char *domain)
{
	return (struct sched_job){
		.id = ((uint64_t)w->now << 20) + ++w->ids,
		.rcpts = 1,
		.domain = domain,
		.tenant = "shop",
		.pool = "main",
		.due = w->now,
		.deadline = w->now + DAYS(5),
	};
}

static inline uint64_t world_add(struct world *w, const char *domain)
{
	struct sched_job job = world_job(w, domain);

	assert_true(sched_add(w->sched, &job, w->now));
	return job.id;
}

static inline void world_resolve(struct world *w, const char *domain, const char *host)
{
	uint64_t key = 5381;

	for (const char *c = host; *c != '\0'; c++)
		key = key * 33 + (unsigned char)*c;
	sched_resolved(w->sched, domain, key, &host, 1, 3, w->now + HOURS(24), w->now);
}

/* The next decision; look-ups are answered with the host mx.DOMAIN. */
static inline struct sched_decision world_next(struct world *w)
{
	struct sched_decision d;
	char host[300];

	for (;;) {
		sched_next(w->sched, w->now, &d);
		if (d.kind != SCHED_RESOLVE)
			return d;
		snprintf(host, sizeof(host), "mx.%s", d.domain);
		world_resolve(w, d.domain, host);
	}
}

static inline struct sched_decision world_start(struct world *w)
{
	struct sched_decision d = world_next(w);

	if (d.kind != SCHED_START)
		fail_msg("expected a start, got kind %d, reasons 0x%x", d.kind, d.reasons);
	return d;
}

/* The next start before `end`, for which the clock goes on; false: there is none. */
static inline bool world_start_before(struct world *w, wall_ms end, struct sched_decision *out)
{
	for (;;) {
		*out = world_next(w);
		if (out->kind == SCHED_START)
			return true;
		if (out->kind != SCHED_NOTHING || out->when >= end)
			return false;
		w->now = out->when;
	}
}

static inline struct sched_decision world_nothing(struct world *w)
{
	struct sched_decision d = world_next(w);

	if (d.kind != SCHED_NOTHING)
		fail_msg(
		    "expected nothing, got kind %d of %s from %s", d.kind, d.destination, d.source ? d.source : "-");
	return d;
}

/* Settle a job; the connection stays. Returns when it is due again. */
static inline wall_ms world_settle(struct world *w, const struct sched_decision *d, const struct sched_result *how)
{
	struct sched_result result = *how;
	wall_ms due;

	result.id = d->id;
	result.first = d->first;
	result.lane = d->lane;
	due = sched_done(w->sched, &result, w->now);
	sched_settled(w->sched, d->id, d->first, w->now);
	return due;
}

static inline wall_ms world_end(struct world *w, const struct sched_decision *d, const struct sched_result *how)
{
	wall_ms due = world_settle(w, d, how);

	sched_release_connection(w->sched, d->lane, w->now);
	return due;
}

static inline void world_deliver(struct world *w, const struct sched_decision *d)
{
	world_end(w, d, &(struct sched_result){ .attempted = true, .delivered = d->rcpts });
}

/* Every recipient stays in the queue; `scope` is blamed. */
static inline wall_ms world_fail(struct world *w, const struct sched_decision *d, enum sched_scope scope)
{
	return world_end(w, d, &(struct sched_result){ .attempted = true, .rcpts_left = d->rcpts, .scope = scope });
}

static inline unsigned world_reasons(struct world *w, uint64_t id, wall_ms *again_out)
{
	struct sched_view view;

	assert_true(sched_find(w->sched, id, 0, w->now, &view));
	if (again_out != NULL)
		*again_out = view.ask_again;
	return view.reasons;
}

#endif
