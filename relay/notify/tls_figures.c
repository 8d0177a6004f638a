/* relay/notify/tls_figures.c - how TLS with the hosts of one domain went in a time, by policy. */
#include "relay/notify/tls_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/notify/tls_json.h"

struct tls_figures *tls_figures_create(const char *domain, wall_ms start)
{
	struct tls_figures *figures = xcalloc(1, sizeof(*figures));

	figures->domain = xstrdup(domain);
	figures->start = start;
	return figures;
}

void tls_figures_free(struct tls_figures **figures)
{
	struct tls_figures *f = *figures;

	*figures = NULL;
	if (!f)
		return;
	for (size_t i = 0; i < f->policy_count; i++) {
		free(f->policies[i]->text);
		free(f->policies[i]->hosts);
		free(f->policies[i]->failures);
		free(f->policies[i]);
	}
	for (size_t i = 0; i < f->told_count; i++)
		free(f->told[i]);
	free(f->domain);
	free(f);
}

/* Whole lines only, and nothing that JSON would have to escape. */
static char *bounded(const char *lines)
{
	size_t len = strlen(lines);
	char *copy;

	if (len > TLS_LINES_MAX)
		for (len = TLS_LINES_MAX; len > 0 && lines[len - 1] != '\n';)
			len--;
	copy = xstrndup(lines, len);
	for (char *c = copy; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\n') || *c == '"' || *c == '\\' || (unsigned char)*c > 0x7e)
			*c = '?';
	return copy;
}

struct tls_policy *tls_figures_policy(struct tls_figures *figures, enum tls_policy_type type, const char *text, const char *hosts)
{
	char *bounded_text = bounded(text), *bounded_hosts = bounded(hosts);
	struct tls_policy *policy = NULL;

	for (size_t i = 0; i < figures->policy_count && !policy; i++) {
		struct tls_policy *p = figures->policies[i];

		if (p->type == type && strcmp(p->text, bounded_text) == 0 && strcmp(p->hosts, bounded_hosts) == 0)
			policy = p;
	}
	if (!policy && figures->policy_count == TLS_POLICIES_MAX)
		policy = figures->policies[TLS_POLICIES_MAX - 1];
	if (policy) {
		free(bounded_text);
		free(bounded_hosts);
		return policy;
	}
	policy = xcalloc(1, sizeof(*policy));
	*policy = (struct tls_policy){ .type = type, .text = bounded_text, .hosts = bounded_hosts };
	figures->policies[figures->policy_count++] = policy;
	return policy;
}

static bool is_same(const struct tls_note *a, const struct tls_note *b)
{
	return a->result == b->result && strcmp(a->host, b->host) == 0 && ip_equal(&a->local, &b->local) && ip_equal(&a->remote, &b->remote) &&
	    strcmp(a->why, b->why) == 0;
}

void tls_policy_fail(struct tls_policy *policy, const struct tls_note *note, uint64_t count)
{
	size_t i = 0;
	struct tls_note clean = *note;
	char *why = bounded(note->why);

	(void)snprintf(clean.why, sizeof(clean.why), "%s", why);
	free(why);
	while (i < policy->failure_count && !is_same(&policy->failures[i].note, &clean))
		i++;
	if (i == TLS_FAILURES_MAX)
		return;
	if (i == policy->failure_count) {
		policy->failures = xrealloc(policy->failures, (i + 1) * sizeof(policy->failures[0]));
		policy->failures[policy->failure_count++] = (struct tls_failure){ .note = clean };
	}
	policy->failures[i].count += count;
}

void tls_figures_add(struct tls_figures *figures, enum tls_policy_type type, const char *text, const char *hosts, const struct tls_note *note)
{
	struct tls_policy *policy = tls_figures_policy(figures, type, text, hosts);

	if (note->result == TLS_RESULT_GOOD) {
		policy->good++;
		return;
	}
	policy->bad++;
	tls_policy_fail(policy, note, 1);
}

bool tls_figures_told(const struct tls_figures *figures, const char *place)
{
	for (size_t i = 0; i < figures->told_count; i++)
		if (strcmp(figures->told[i], place) == 0)
			return true;
	return false;
}

void tls_figures_tell(struct tls_figures *figures, const char *place)
{
	if (figures->told_count < TLS_TOLD_MAX && !tls_figures_told(figures, place))
		figures->told[figures->told_count++] = xstrdup(place);
}

uint64_t tls_figures_good(const struct tls_figures *figures)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < figures->policy_count; i++)
		sum += figures->policies[i]->good;
	return sum;
}

uint64_t tls_figures_bad(const struct tls_figures *figures)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < figures->policy_count; i++)
		sum += figures->policies[i]->bad;
	return sum;
}
