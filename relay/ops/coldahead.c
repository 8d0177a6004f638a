/* relay/ops/coldahead.c - warmup forecast: when each cold lane will carry its share of a daily volume, and what waits until then. A lane a slice.
 *
 * The volume of each destination comes from --daily and --mix, or from what the relay itself has sent of late. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/dispatch.h"
#include "relay/ops/coldlanes.h"
#include "relay/ops/fact.h"
#include "relay/ops/row.h"

#define DAY_MS    DAYS(1)
#define PAST_DAYS 7   /* that traffic and growth are taken from */
#define LEAST     3   /* days of the past that say something */
#define LANES_MAX 2048
#define MIX_MAX   64

struct past {
	char source[SCHED_WARM_NAME], destination[SCHED_WARM_NAME];
	uint32_t accepted[PAST_DAYS], total[PAST_DAYS]; /* by day */
	bool seen[PAST_DAYS];
};

struct ahead {
	int32_t first; /* day of the past */
	struct past *pasts;
	size_t past_count, lane;
	double daily; /* 0: the relay's own */
	struct {
		char name[64];
		double percent;
	} mix[MIX_MAX];
	size_t mix_count;
};

void coldahead_free(struct ahead **ahead)
{
	if (*ahead)
		free((*ahead)->pasts);
	free(*ahead);
	*ahead = NULL;
}

/* --- what is asked ------------------------------------------------------------------------------------------------------------- */

static bool read_daily(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	if (*end == 'k')
		*out *= 1000;
	else if (*end == 'M')
		*out *= 1e6;
	end += *end != '\0';
	return end != text && *end == '\0' && *out >= 1 && *out <= 1e9;
}

/* gmail=50,microsoft=20 */
static bool read_mix(struct ahead *a, const char *text)
{
	double sum = 0;

	for (const char *at = text; *at != '\0';) {
		size_t name = strcspn(at, "=,");
		char *end;

		if (name == 0 || name >= sizeof(a->mix[0].name) || at[name] != '=' || a->mix_count == MIX_MAX)
			return false;
		memcpy(a->mix[a->mix_count].name, at, name);
		a->mix[a->mix_count].percent = strtod(at + name + 1, &end);
		if (end == at + name + 1 || (*end != '\0' && *end != ',') || !(a->mix[a->mix_count].percent >= 0))
			return false;
		sum += a->mix[a->mix_count++].percent;
		at = *end == ',' ? end + 1 : end;
	}
	return a->mix_count > 0 && sum <= 100.001;
}

/* --- the past -------------------------------------------------------------------------------------------------------------------- */

static struct past *past_of(struct ahead *a, const char *source, const char *destination)
{
	struct past *past;

	for (size_t i = 0; i < a->past_count; i++)
		if (strcmp(a->pasts[i].source, source) == 0 && strcmp(a->pasts[i].destination, destination) == 0)
			return &a->pasts[i];
	if (a->past_count == LANES_MAX)
		return NULL;
	a->pasts = xrealloc(a->pasts, (a->past_count + 1) * sizeof(*a->pasts));
	past = &a->pasts[a->past_count++];
	*past = (struct past){ 0 };
	(void)snprintf(past->source, sizeof(past->source), "%s", source);
	(void)snprintf(past->destination, sizeof(past->destination), "%s", destination);
	return past;
}

static void add_day(void *arg, const struct sched_warm_day *day)
{
	struct ahead *a = arg;
	struct past *past = past_of(a, day->source, day->destination);
	int32_t at = day->day - a->first;

	if (!past || at < 0 || at >= PAST_DAYS)
		return;
	past->accepted[at] = day->accepted;
	past->total[at] = day->total;
	past->seen[at] = true;
}

static void stored_day(void *arg, const char *name, const void *data, size_t len)
{
	struct sched_warm_day day;

	if (coldpast_row(name, data, len, &day))
		add_day(arg, &day);
}

static bool read_past(struct warm_task *w, struct err_detail *why)
{
	struct ahead *a = w->ahead;
	char prefix[32];

	a->first = (int32_t)(row_now(w->storing.task.env) / DAY_MS) - PAST_DAYS;
	for (int32_t day = a->first; day < a->first + PAST_DAYS; day++) {
		(void)snprintf(prefix, sizeof(prefix), ALMANAC_DAY, day);
		if (queue_notes_read(w->storing.task.env->reader, prefix, stored_day, a, why) != OK)
			return false;
	}
	return true;
}

/* Growth from day to day of what was taken; 0: too few days. */
static double growth_of(const struct past *past)
{
	int first = -1, last = -1, days = 0;

	for (int i = 0; past && i < PAST_DAYS; i++) {
		if (!past->seen[i] || past->accepted[i] == 0)
			continue;
		first = first < 0 ? i : first;
		last = i;
		days++;
	}
	if (days < LEAST)
		return 0;
	return fmin(2, fmax(1.02, pow((double)past->accepted[last] / past->accepted[first], 1.0 / (last - first))));
}

/* Recipients a day at a destination of late, by the lane that saw most; 0: nothing is known. */
static double traffic_of(const struct ahead *a, const char *destination)
{
	double most = 0;

	for (size_t i = 0; i < a->past_count; i++) {
		const struct past *past = &a->pasts[i];
		double sum = 0;
		unsigned days = 0;

		for (unsigned day = 0; day < PAST_DAYS; day++) {
			sum += past->total[day];
			days += past->seen[day];
		}
		if (days > 0 && strcmp(past->destination, destination) == 0)
			most = fmax(most, sum / days);
	}
	return most;
}

static double own_traffic(const struct ahead *a)
{
	double sum = 0;

	for (size_t i = 0; i < a->past_count; i++) {
		bool first = true;

		for (size_t n = 0; n < i && first; n++)
			first = strcmp(a->pasts[n].destination, a->pasts[i].destination) != 0;
		sum += first ? traffic_of(a, a->pasts[i].destination) : 0;
	}
	return sum;
}

static double wanted_at(const struct ahead *a, const char *destination)
{
	double own = own_traffic(a);

	for (size_t i = 0; i < a->mix_count; i++)
		if (strcmp(a->mix[i].name, destination) == 0)
			return (a->daily > 0 ? a->daily : own) * a->mix[i].percent / 100;
	if (a->mix_count > 0)
		return 0;
	return own > 0 && a->daily > 0 ? a->daily * traffic_of(a, destination) / own : traffic_of(a, destination);
}

/* --- the answer --------------------------------------------------------------------------------------------------------------------- */

static json_t *volumes(const struct sched_warm_path *path)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < path->days; i++)
		json_array_append_new(list, json_integer(path->volume[i]));
	return list;
}

static void put_lane(struct warm_task *w, const char *source, const char *destination, double growth, const struct sched_warm_outlook *o)
{
	json_t *row = json_object();

	fact_text(row, "source", source);
	fact_text(row, "destination", destination);
	fact_number(row, "share", (uint64_t)(o->share + 0.5));
	fact_bool(row, "warm", o->is_warm);
	fact_bool(row, "warm_beside", o->warm_beside);
	if (growth > 0)
		fact_json(row, "growth", json_real(round(growth * 1000) / 1000));
	fact_time(row, "full_early", o->early.full_at);
	fact_time(row, "full_late", o->late.full_at);
	fact_number(row, "over_early", (uint64_t)o->early.waits);
	fact_number(row, "over_late", (uint64_t)o->late.waits);
	fact_json(row, "volumes_early", volumes(&o->early));
	fact_json(row, "volumes_late", volumes(&o->late));
	task_emit(&w->storing.task, row);
}

static enum task_state begin(struct warm_task *w)
{
	struct task *task = &w->storing.task;
	const char *daily = task_text(task, "daily"), *mix = task_text(task, "mix");
	struct err_detail why;

	w->ahead = xcalloc(1, sizeof(*w->ahead));
	if (daily && !read_daily(daily, &w->ahead->daily))
		return task_end(task, OPS_USAGE, "warmup forecast: --daily \"%s\" is no number of recipients, such as 20k or 500k", daily);
	if (mix && !read_mix(w->ahead, mix))
		return task_end(task, OPS_USAGE, "warmup forecast: --mix \"%s\": expected DESTINATION=PERCENT,... of 100 at most", mix);
	if (!read_past(w, &why))
		return task_end(task, OPS_REFUSED, "the history cannot be read: %s", why.text);
	if ((!mix || !daily) && own_traffic(w->ahead) <= 0)
		return task_end(task, OPS_REFUSED, "no finished day tells how much goes where: give --daily and --mix, such as --daily 500k --mix gmail=50,yahoo=10");
	return TASK_MORE;
}

enum task_state coldahead_step(struct warm_task *w)
{
	struct task *task = &w->storing.task;
	char source[SCHED_WARM_NAME], destination[SCHED_WARM_NAME];
	struct sched_warm_outlook outlook;
	double daily, growth;

	if (!w->ahead)
		return begin(w);
	if (!sched_warm_lane(task->env->sched, w->ahead->lane, source, destination))
		return task_end(task, OPS_DONE, "%s", "");
	daily = wanted_at(w->ahead, destination);
	growth = growth_of(past_of(w->ahead, source, destination));
	if (daily >= 1) {
		sched_warm_look_ahead(task->env->sched, w->ahead->lane, daily, growth, row_now(task->env), &outlook);
		put_lane(w, source, destination, growth, &outlook);
	}
	w->ahead->lane++;
	return TASK_MORE;
}
