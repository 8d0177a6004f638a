/* sched/state.c - the state of a lane: what its pauses, its pace and its record add up to, and who hears of each change. */
#include "sched/parts.h"

#include <stdio.h>

#define STRAINED_LEAST_MS MINUTES(10) /* a lane stays slow so long at least */
#define REFUSED_MS        MINUTES(30) /* how long it is closed when most is refused */

const char *sched_lane_state_name(enum sched_lane_state state)
{
	static const char *const names[LANE_STATES] = {
		[LANE_OPEN] = "open", [LANE_SLOW] = "slow", [LANE_PROBING] = "probing", [LANE_CLOSED] = "closed"
	};

	return names[state];
}

void sched_listen(struct sched *sched, sched_lane_fn fn, void *arg)
{
	sched->on_lane = fn;
	sched->on_lane_arg = arg;
}

enum sched_lane_state state_of(const struct lane *lane, wall_ms now)
{
	if (lane->paused_until > now)
		return LANE_CLOSED;
	if (lane->silent || lane->blocks > 0 || lane->refused)
		return LANE_PROBING;
	return lane->strained || lane->pace.threshold != 0 ? LANE_SLOW : LANE_OPEN;
}

static bool is_about_us(const struct lane *lane)
{
	return lane->silent || lane->refused || lane->blocks > 0 || (lane->shut_by & (WHY_LANE_BLOCKED | WHY_LANE_HEALTH)) != 0;
}

/* Why it is what it is. */
static void describe(const struct lane *lane, enum sched_lane_state state, wall_ms now, char out[SCHED_LANE_WORDS])
{
	char words[HEALTH_WORDS];

	switch (state) {
	case LANE_CLOSED:
		if (lane->shut_by == WHY_LANE_HEALTH && health_judge(&lane->health, true, now, words) != HEALTH_GOOD)
			(void)snprintf(out, SCHED_LANE_WORDS, "%s", words);
		else
			(void)snprintf(out, SCHED_LANE_WORDS, "%s%s%s", reason_words(lane->shut_by),
			    lane->shut_words != NULL ? ": " : "", lane->shut_words != NULL ? lane->shut_words : "");
		break;
	case LANE_PROBING:
		(void)snprintf(out, SCHED_LANE_WORDS, "its pause is over: one connection finds out");
		break;
	case LANE_SLOW:
		if (lane->strained && health_judge(&lane->health, true, now, words) != HEALTH_GOOD)
			(void)snprintf(out, SCHED_LANE_WORDS, "%s", words);
		else if (lane->pace.threshold != 0)
			(void)snprintf(out, SCHED_LANE_WORDS, "throttled: %u connection%s, one more for each round of deliveries",
			    pace_limit(&lane->pace), pace_limit(&lane->pace) == 1 ? "" : "s");
		else
			(void)snprintf(out, SCHED_LANE_WORDS, "it has not been well for long enough yet");
		break;
	case LANE_OPEN:
	case LANE_STATES:
		(void)snprintf(out, SCHED_LANE_WORDS, "its mail is taken as before");
		break;
	}
}

void state_words(const struct lane *lane, wall_ms now, char out[SCHED_LANE_WORDS])
{
	describe(lane, state_of(lane, now), now, out);
}

static void tell_change(struct sched *sched, const struct lane *lane, enum sched_lane_state before, enum sched_lane_state state, wall_ms now)
{
	char words[SCHED_LANE_WORDS];

	describe(lane, state, now, words);
	sched->on_lane(sched->on_lane_arg, &(struct sched_lane_view){
	    .source = lane->source->name, .destination = lane->dest->name, .from = before, .state = state,
	    .until = state == LANE_CLOSED ? lane->paused_until : 0, .connections = lane->connections, .about_us = is_about_us(lane),
	    .why = words });
}

void state_tell(struct sched *sched, struct lane *lane, wall_ms now)
{
	enum sched_lane_state state = state_of(lane, now), before = lane->state;

	if (state == before)
		return;
	lane->state = (uint8_t)state;
	sched->lane_states[before]--;
	sched->lane_states[state]++;
	if (sched->on_lane != NULL)
		tell_change(sched, lane, before, state, now);
}

void state_recalled(struct sched *sched, struct lane *lane, wall_ms now)
{
	enum sched_lane_state state = state_of(lane, now);

	sched->lane_states[lane->state]--;
	sched->lane_states[state]++;
	lane->state = (uint8_t)state;
}

void state_answer(struct sched *sched, struct lane *lane, const struct sched_result *r, wall_ms now)
{
	struct health_answer answer = { .tried = r->delivered + r->throttled + r->deferred + r->blocked + r->unknown + r->refused,
		.deferred = r->throttled + r->deferred, .blocked = r->blocked, .unknown = r->unknown, .complained = r->complained };
	enum health_sign sign;

	if (answer.tried + answer.complained == 0)
		return;
	health_note(&lane->health, &answer, now);
	if (r->delivered > 0)
		lane->refused = false;
	sign = health_judge(&lane->health, lane->strained, now, NULL);
	if (sign == HEALTH_REFUSED && answer.blocked > 0 && lane->paused_until <= now) {
		lane->refused = true;
		lane_set_failures(sched, lane, lane->failures + 1);
		lane_shut(sched, lane, now + REFUSED_MS, WHY_LANE_HEALTH, NULL);
	}
	if (sign != HEALTH_GOOD && !lane->strained) {
		lane->strained = true;
		lane->strained_at = now;
	} else if (sign == HEALTH_GOOD && lane->strained && now - lane->strained_at >= STRAINED_LEAST_MS) {
		lane->strained = false;
		if (lane->closed && lane->reasons & WHY_LANE_CONNECTIONS)
			lane_reopen(sched, lane);
	}
}

bool state_is_worth(const struct lane *lane)
{
	return lane->failures > 0 || lane->silent || lane->strained || lane->refused || lane->blocks > 0 || lane->pace.threshold != 0;
}

void state_forget(struct sched *sched, struct lane *lane, wall_ms now)
{
	lane->silent = lane->strained = lane->refused = false;
	lane->silences = 0;
	lane->unheard_at = 0;
	lane->blocks = 0;
	lane->pace = (struct pace){ 0 };
	lane_set_failures(sched, lane, 0);
	state_tell(sched, lane, now);
}

static void read_lane(const struct lane *lane, wall_ms now, sched_lane_fn fn, void *arg)
{
	struct health_answer hour = health_sum(&lane->health, HEALTH_BUCKETS, now);
	char words[SCHED_LANE_WORDS];
	struct sched_lane_view view = {
		.source = lane->source->name, .destination = lane->dest->name, .from = (enum sched_lane_state)lane->state,
		.state = state_of(lane, now), .until = lane->paused_until > now ? lane->paused_until : 0,
		.connections = lane->connections, .about_us = is_about_us(lane), .why = words,
		.tried = hour.tried, .deferred = hour.deferred, .barred = hour.blocked,
	};

	describe(lane, view.state, now, words);
	fn(arg, &view);
}

uint32_t sched_lanes_part(struct sched *sched, uint32_t from, uint32_t count, wall_ms now, sched_lane_fn fn, void *arg)
{
	for (; count > 0 && from < sched->lanes.count; from++, count--) {
		const struct lane *lane = slots_get(&sched->lanes, from);

		if (lane != NULL)
			read_lane(lane, now, fn, arg);
	}
	return from < sched->lanes.count ? from : 0;
}

void sched_lanes_read(struct sched *sched, wall_ms now, sched_lane_fn fn, void *arg)
{
	(void)sched_lanes_part(sched, 0, UINT32_MAX, now, fn, arg);
}

const uint32_t *sched_lane_states(const struct sched *sched)
{
	return sched->lane_states;
}
