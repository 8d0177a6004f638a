/* relay/deliver/waiting.c - how long a reply asks us to wait: "try again in 300 seconds", "come back in 00:05:00", "erneut in 5 Minuten". */
#include "relay/deliver/waiting.h"

#include <stdlib.h>

#include "base/clock.h"

/* What asks for a delay, then at most a few words without a number. */
#define ASKS "(?:again|retry|retries|re-?try(?:ing)?|resend|resubmit|reconnect|(?:come|check) back|wait|delay(?:ed)?|defer(?:red)?|" \
	"grey-?list\\w*|gray-?list\\w*|later|next attempt|blocked|throttled|erneut|nochmals|wieder|warten|r[eé]essayer|essayer|attendre|" \
	"reintentar?\\w*|intente\\w*|espere|riprova\\w*|ritenta\\w*|attendere|tente novamente|aguarde|spr[oó]buj|ponownie|повтор\\w*|попробуйте|" \
	"подождите|через)\\b[^0-9.!?]{0,40}"

#define UNIT "(?:(s|secs?|seconds?|sekunden?|secondes?|segundos?|secondi|sekund\\w*|секунд\\w*|秒)|" \
	"(m|mins?|minutes?|minuten?|minutos?|minuti|minut\\w*|минут\\w*|分钟?)|" \
	"(h|hrs?|hours?|stunden?|heures?|horas?|ore|godzin\\w*|час\\w*|小时|時間))(?![\\w/])"

static const char *const PATTERNS[] = {
	ASKS "(?<![0-9])([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?![0-9:])",
	ASKS "(?<![0-9.])([0-9]{1,6})(?: ?- ?[0-9]{1,5})?(?: more)?[ -]?" UNIT,
	"(?<![0-9.])([0-9]{1,6}) ?" UNIT "(?: \\w+){0,2}? ?(?:before|and then)(?: \\w+){0,3}? (?:retry|try|again|send|reconnect)\\w*",
};

struct waiting {
	struct pattern *patterns[ARRAY_LEN(PATTERNS)];
};

struct waiting *waiting_create(void)
{
	struct waiting *waiting = xcalloc(1, sizeof(*waiting));
	struct err_detail why;

	for (size_t i = 0; i < ARRAY_LEN(PATTERNS); i++) {
		waiting->patterns[i] = pattern_create(PATTERNS[i], &why);
		must(waiting->patterns[i]);
	}
	return waiting;
}

void waiting_destroy(struct waiting **waiting)
{
	if (!*waiting)
		return;
	for (size_t i = 0; i < ARRAY_LEN(PATTERNS); i++)
		pattern_destroy(&(*waiting)->patterns[i]);
	free(*waiting);
	*waiting = NULL;
}

/* At most six digits, by the pattern. */
static int64_t number(const struct pattern_match *match, size_t group)
{
	int64_t value = 0;

	for (size_t i = 0; i < match->len[group]; i++)
		value = value * 10 + (match->at[group][i] - '0');
	return value;
}

static int64_t with_unit(const struct pattern_match *match)
{
	static const int64_t UNITS[] = { SECONDS(1), MINUTES(1), HOURS(1) };

	for (size_t i = 0; i < ARRAY_LEN(UNITS); i++)
		if (match->at[2 + i])
			return number(match, 1) * UNITS[i];
	return 0;
}

int64_t waiting_ms(struct waiting *waiting, const struct pattern_subject *subject)
{
	struct pattern_match match;
	int64_t ms = 0;

	if (pattern_find(waiting->patterns[0], subject, &match))
		ms = number(&match, 1) * HOURS(1) + number(&match, 2) * MINUTES(1) + number(&match, 3) * SECONDS(1);
	for (size_t i = 1; i < ARRAY_LEN(PATTERNS) && ms == 0; i++)
		if (pattern_find(waiting->patterns[i], subject, &match))
			ms = with_unit(&match);
	return ms > WAITING_MAX_MS ? WAITING_MAX_MS : ms;
}
