/* relay/deliver/dispatch_judge.c - what the rules make of an attempt's replies, and how its recipients fared taken together. */
#include "relay/deliver/dispatch_int.h"

/* --- one reply --------------------------------------------------------------------------------------------------------------- */

/* A refusal for good that is about now is tried again. One that is about us keeps its mail: who is at fault is not the recipient. */
static void act_on_permanent(struct outcome *outcome)
{
	switch (outcome->action) {
	case ACTION_RETRY:
	case ACTION_SLOW:
		outcome->kind = OUTCOME_DEFERRED;
		break;
	case ACTION_CLOSE_LANE:
	case ACTION_CLOSE_SOURCE:
	case ACTION_OTHER_SOURCE:
	case ACTION_HOLD:
		outcome->kind = OUTCOME_DEFERRED;
		outcome->barred = true;
		break;
	case ACTION_BOUNCE:
	case ACTION_SUPPRESS:
	case ACTION_COUNT:
		break;
	}
}

/* One recipient's refusal among others that were taken says little of the lane: it stays with whom the stage blames. */
static void apply_verdict(struct outcome *outcome, const struct verdict *verdict, bool some_taken)
{
	static const enum sched_scope SCOPES[BLAME_COUNT] = {
	    [BLAME_LANE] = SCOPE_LANE, [BLAME_SOURCE] = SCOPE_SOURCE, [BLAME_DESTINATION] = SCOPE_DESTINATION,
	};

	outcome->judged = true;
	outcome->class = verdict->class;
	outcome->action = verdict->action;
	outcome->class_name = replies_class_name(verdict->class);
	outcome->wait_ms = verdict->wait_ms;
	if (SCOPES[verdict->scope] != SCOPE_NONE && !some_taken)
		outcome->scope = SCOPES[verdict->scope];
	/* What a sender has set up is no fault of the address, wherever in the dialogue it is told. */
	if (verdict->scope == BLAME_SENDER && outcome->scope > SCOPE_MESSAGE && outcome->code / 100 == 5)
		outcome->scope = SCOPE_MESSAGE;
	outcome->of_sender = verdict->scope == BLAME_SENDER && verdict->class == CLASS_THROTTLE && outcome->kind == OUTCOME_DEFERRED;
	if (outcome->of_sender && outcome->scope > SCOPE_MESSAGE)
		outcome->scope = SCOPE_MESSAGE;
	if (outcome->kind == OUTCOME_REFUSED)
		act_on_permanent(outcome);
	else if (!outcome->one_host && (outcome->action == ACTION_BOUNCE || outcome->action == ACTION_SUPPRESS))
		outcome->kind = OUTCOME_REFUSED;
}

/* Our own words (code 0) are no reply. The destination's name is the provider's where it is one. */
void dispatch_judge(struct dispatch *d, struct attempt *attempt)
{
	struct delivery *delivery = &attempt->delivery;
	bool some_taken = false;

	for (size_t i = 0; i < delivery->job->rcpt_count; i++)
		some_taken = some_taken || delivery->outcomes[i].kind == OUTCOME_DELIVERED;
	for (size_t i = 0; i < delivery->job->rcpt_count; i++) {
		struct outcome *outcome = &delivery->outcomes[i];
		struct verdict verdict;

		if (outcome->code < 400 || (outcome->kind != OUTCOME_REFUSED && outcome->kind != OUTCOME_DEFERRED))
			continue;
		verdict_of(d->verdicts, attempt->destination, outcome->reply, &verdict);
		apply_verdict(outcome, &verdict, some_taken);
	}
}

/* --- all of them ------------------------------------------------------------------------------------------------------------- */

static bool is_wider(const struct outcome *outcome, const struct outcome *verdict)
{
	return outcome->judged && (!verdict || outcome->scope > verdict->scope);
}

static void tally_blame(struct tally *tally, const struct outcome *outcome)
{
	if (outcome->kind == OUTCOME_NONE)
		return;
	if (outcome->scope > tally->scope)
		tally->scope = outcome->scope;
	if (is_wider(outcome, tally->verdict))
		tally->verdict = outcome;
}

static void tally_stays(struct tally *tally, const struct outcome *outcome)
{
	struct tally_part *part = outcome->barred ? &tally->barred : &tally->put_off;

	part->count++;
	if (outcome->scope > part->scope)
		part->scope = outcome->scope;
	if (is_wider(outcome, part->verdict))
		part->verdict = outcome;
	if (outcome->wait_ms > part->wait_ms)
		part->wait_ms = outcome->wait_ms;
	if (outcome->wait_ms > tally->wait_ms)
		tally->wait_ms = outcome->wait_ms;
}

struct tally dispatch_tally(const struct attempt *attempt)
{
	const struct delivery *delivery = &attempt->delivery;
	struct tally tally = {.scope = SCOPE_NONE};

	for (size_t i = 0; i < delivery->job->rcpt_count; i++) {
		const struct outcome *outcome = &delivery->outcomes[i];

		switch (outcome->kind) {
		case OUTCOME_DELIVERED:
			tally.delivered++;
			break;
		case OUTCOME_REFUSED:
			tally.refused++;
			break;
		case OUTCOME_DEFERRED:
			tally_stays(&tally, outcome);
			break;
		case OUTCOME_NONE:
			tally.untouched += attempt_has(attempt, &delivery->job->rcpts[i]);
			break;
		}
		tally_blame(&tally, outcome);
	}
	return tally;
}
