/* bench/warmup/sim.h - the simulator of warm-ups: the model of a provider, one run of the real scheduler against it, and the figures. */
#ifndef WARMUP_SIM_H
#define WARMUP_SIM_H

#include "base/rand.h"
#include "conf/conf.h"
#include "sched/sched.h"

#define CHOICES_MAX 16
#define SOURCES_MAX 64
#define SITES_MAX   64
#define DAYS_MAX    1000

/* --- model.c: a file of the form of a provider model --- */

/* A number, or a choice among some, or a range. */
struct draw {
	bool uniform;
	unsigned count; /* of values */
	double values[CHOICES_MAX];
};

enum key { KEY_DEMAND, KEY_SOURCES, KEY_WARM_SOURCES, KEY_WEEKEND, KEY_TOLERANCE, KEY_GROWTH, KEY_BURST, KEY_NOISE, KEY_DEFERRAL,
	KEY_WARN, KEY_HOURLY, KEY_BLOCK_AFTER, KEY_BLOCK_DAYS, KEY_BLOCK_CUT, KEY_CROSS_CUT, KEY_DIRTY_SHARE, KEY_UNKNOWN_CLEAN,
	KEY_UNKNOWN_DIRTY, KEY_UNKNOWN_LIMIT, KEY_COMPLAINT_CLEAN, KEY_COMPLAINT_DIRTY, KEY_COMPLAINT_LIMIT, KEY_IDLE_GRACE,
	KEY_IDLE_DECAY, KEY_IDLE_RESET, KEY_LISTED, KEY_MISLEADING, KEY_SILENT,
	KEY_OFFICE, KEYS };

struct model {
	char name[64];
	unsigned seeds, days;
	struct draw keys[KEYS];
};

/* Read a model; false: told on standard error, with the line and what to do about it. */
bool model_load(const char *file, struct model *out) MUST_USE;

/* All keys once. */
void model_draw(const struct model *model, struct rand *rand, double out[KEYS]);

/* --- provider.c: one source at the provider, as it sees it --- */

struct lane_day {
	double limit, accepted, refused, offered, unknown, complained, put_off;
};

struct provider_lane {
	double k[KEYS];
	struct rand rand;
	double tolerance, mean;
	struct lane_day today;
	double hour_taken;
	int hour;
	int day, blocked_until, listed_from; /* day numbers, from 1 */
	int idle;
	unsigned crossings, blocks;
};

/* What it says of an offer, in recipients. */
struct reply_counts {
	uint32_t delivered, throttled, deferred, blocked, unknown, refused, complained;
	bool silent; /* no reply at all: connections time out */
};

/* --- texts.c: what providers say, as the relay understands it --- */

enum topic { TOPIC_LIMIT, TOPIC_WARNING, TOPIC_TROUBLE, TOPIC_BLOCK, TOPIC_LIMIT_MISLED, TOPIC_BLOCK_MISLED, TOPICS };

/* Before any run. */
void texts_load(void);
/* `count` recipients are refused in words about the topic. */
void texts_say(struct rand *rand, enum topic topic, uint32_t count, struct reply_counts *r);

void provider_init(struct provider_lane *lane, const double keys[KEYS], unsigned days, uint64_t seed);
struct reply_counts provider_offer(struct provider_lane *lane, uint32_t count, bool dirty, int hour);
/* To a warm source: whatever the volume, all is taken whose recipients exist. */
struct reply_counts provider_welcome(struct provider_lane *lane, uint32_t count, bool dirty);
void provider_day_end(struct provider_lane *lane);

/* --- run.c: one seed of one model under one plan --- */

struct run_result {
	bool reached;
	unsigned days;        /* to full volume, or simulated */
	unsigned simulated, sources; /* cold ones */
	double crossings, blocks; /* of all cold sources */
	double attempts, put_off, could, unused, delivered30, delay_ms, delivered;
	float curve[DAYS_MAX]; /* accepted by the cold sources, by day */
};

struct run_plan {
	const char *name;
	const char *text; /* the plan's keys in YAML; NULL: a shipped one */
	bool bound;       /* knows the limits */
};

/* The configuration of runs under a plan: made once, used by all of them. setting.c. */
struct conf *run_conf(const struct run_plan *plan, unsigned cold, unsigned warm, unsigned sites) MUST_USE;
void run_domain(unsigned site, char out[32]);

/* One seed of `count` models side by side under one scheduler; sources are those of the first. *conf is made when NULL. */
void run_once(const struct model *models, unsigned count, const struct run_plan *plan, unsigned seed, unsigned restart_hours,
    struct conf **conf, struct run_result *out);

/* --- report.c, plot.c, tradeoff.c --- */

struct summary {
	const struct model *model;
	const char *plan;
	struct run_result *runs;
	unsigned count;
};

void report_line(const struct summary *s);
/* All of them under one scheduler: recipients and seconds. */
void report_total(const struct summary *all, size_t count, size_t plans, double seconds);
bool plot_write(const char *file, const struct summary *all, size_t count) MUST_USE;

/* Plans from timid to reckless, and the picture of what became of them: of each model a summary for each of these plans. */
#define TRADEOFF_PLANS 7
extern const struct run_plan tradeoff_plans[TRADEOFF_PLANS];
bool tradeoff_write(const char *file, const struct summary *all, size_t count) MUST_USE;

#endif
