/* bench/warmup/world.h - what a run of the simulator consists of: sites, their mail, and one scheduler for all of them. */
#ifndef WARMUP_WORLD_H
#define WARMUP_WORLD_H

#include "sim.h"

#define START_MS   ((wall_ms)1780272000000) /* 2026-06-01, a Monday */
#define EXPIRE_MS  DAYS(5)
#define FULL_SHARE 0.95
#define JOBS       (1u << 16) /* at once; a slot brings a few for each site, and they live five days */
#define LOTS       1500       /* of a day's mail beside warm sources */
#define LEAST_DAYS 30
#define AFTER_FULL 3

enum { CLEAN, DIRTY, KINDS };

struct job {
	wall_ms arrived;
	uint64_t turn; /* when it joined the others that wait */
	uint32_t left;
	uint8_t kind, site;
	bool known; /* to the scheduler */
};

/* Mail that came back and is offered again with the next slot. */
struct again {
	double count, arrived; /* sum of arrivals */
};

/* One provider and the mail for it. */
struct site {
	const struct model *model;
	struct run_result *out;
	char domain[32];
	double k[KEYS]; /* of the run as a whole */
	struct provider_lane lanes[SOURCES_MAX];
	struct provider_lane easy; /* all warm sources: no limit */
	struct again again[KINDS];
	double owed[KINDS]; /* fractions of recipients to come */
	unsigned jobs[KINDS];       /* that wait */
	uint64_t share_turn[KINDS]; /* when the tenant was served last, or joined those who wait */
	double waiting, taken_today, target;
	unsigned last; /* day */
};

struct world {
	const struct run_plan *plan;
	struct conf *conf;
	struct sched *sched;
	struct site *sites;
	unsigned site_count;
	unsigned cold, warm;
	unsigned slots; /* in which mail comes in, an hour */
	wall_ms now;
	struct job *jobs;
	uint32_t next_job;
	uint64_t turns, seed;
};

/* Hand a waiting job to the scheduler. */
void run_announce(struct world *w, uint32_t number);

/* A stop and a start: a new scheduler that is given what the store would have kept. */
void restart_all(struct world *w);

#endif
